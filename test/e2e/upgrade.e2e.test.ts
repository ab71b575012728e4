import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startExporter } from '../support/exporter-process.ts';
import { createTempFolder } from '../support/temp-folder.ts';

const FOLDER = fileURLToPath(new URL('../fixtures/state/', import.meta.url));

/** What of a saved session shows in the metrics. */
interface Saved {
  readonly realm: string;
  readonly userName: string;
  readonly startedAtMs: number;
  /** Packets and bytes received, packets and bytes sent. */
  readonly client: readonly number[];
  readonly open: readonly { readonly client: readonly number[] }[];
}

describe('a state file that an earlier version wrote', () => {
  // One file of each version that was released, and of formats between them: saved at a stop amid a call.
  it.each(readdirSync(FOLDER))('%s is restored: its sessions go on', async (file) => {
    const state = join(createTempFolder(onTestFinished), 'state');
    copyFileSync(join(FOLDER, file), state);
    const sessions = readFileSync(state, 'utf8').trim().split('\n').slice(1, -1).map(parseSession);
    const exporter = await startExporter(onTestFinished, {
      args: ['--statsdb.listen-address', '127.0.0.1:0', '--state.file', state],
    });
    const metrics = await exporter.metrics();
    expect(sessions.length).toBeGreaterThan(0);
    expect(metrics.sum('coturn_sessions')).toBe(sessions.length);
    expect(metrics.sum('coturn_allocations')).toBe(sessions.flatMap(({ open }) => open).length);
    for (const { realm, userName: user, startedAtMs, client, open } of sessions) {
      const sumAt = (at: number) =>
        [client, ...open.map((one) => one.client)].reduce((sum, part) => sum + (part[at] ?? 0), 0);
      const value = (name: string) => metrics.value(name, { realm, user });
      expect(value('coturn_user_session_received_bytes')).toBe(sumAt(1));
      expect(value('coturn_user_session_sent_bytes')).toBe(sumAt(3));
      expect(value('coturn_user_session_start_time_seconds')).toBeCloseTo(startedAtMs / 1000, 0);
    }
  });
});

function parseSession(line: string): Saved {
  return JSON.parse(line) as Saved;
}

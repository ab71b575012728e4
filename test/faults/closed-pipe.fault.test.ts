import { describe, expect, it, onTestFinished } from 'vitest';
import { parseExposition } from '../support/exposition.ts';
import { parseJsonObject } from '../support/json-lines.ts';
import { startPipedExporter } from '../support/piped-exporter.ts';
import { claimPorts } from '../support/port-block.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { ScriptedCoturn } from '../support/scripted-coturn.ts';
import type { TestProcess } from '../support/test-process.ts';
import { until } from '../support/until.ts';

interface Scene {
  readonly exporter: TestProcess;
  readonly coturn: ScriptedCoturn;
  readonly sum: (name: string) => Promise<number>;
}

async function openScene(readers: {
  readonly stdoutLines: number;
  readonly stderrLines?: number;
}): Promise<Scene> {
  const redis = await startRedisServer(onTestFinished);
  const { first: port } = await claimPorts(onTestFinished);
  const address = `127.0.0.1:${port}`;
  const exporter = startPipedExporter(onTestFinished, {
    ...readers,
    args: [
      ...['--web.listen-address', address, '--session.linger', '500ms'],
      ...['--redis.url', `redis://127.0.0.1:${redis.port}/0`],
    ],
  });
  const sum = async (name: string) =>
    parseExposition(await (await fetch(`http://${address}/metrics`)).text()).sum(name);
  await until(() => sum('coturn_exporter_resyncs_total'), {
    what: 'the exporter to be ready',
    isDone: (count) => count > 0,
    show: () => exporter.describe(),
  });
  const coturn = new ScriptedCoturn(onTestFinished, { port: redis.port });
  await coturn.connected();
  return { exporter, coturn, sum };
}

async function callOneByOne({ coturn, sum }: Scene, users: readonly string[]): Promise<void> {
  for (const [index, user] of users.entries()) {
    const allocation = coturn.begin(user);
    coturn.relay(allocation, 10);
    coturn.end(allocation);
    await until(() => sum('coturn_sessions_finished_total'), {
      what: `the session of ${user} to finish`,
      isDone: (count) => count === index + 1,
    });
  }
}

const USERS = ['alice', 'bob', 'carol', 'dave'];

describe('a reader of standard output that goes away', () => {
  it('stops nothing; what it did not take is on stderr at the exit', async () => {
    const scene = await openScene({ stdoutLines: 1 });
    const { exporter, sum } = scene;
    await callOneByOne(scene, USERS);
    const queued = await sum('coturn_exporter_records_queued');
    expect(queued).toBeGreaterThan(0);
    expect(exporter.isRunning).toBe(true);
    expect(await exporter.stop()).toMatchObject({ code: 0 });
    const usersOf = (lines: readonly string[]) =>
      lines
        .map(parseJsonObject)
        .filter((entry) => entry?.['event'] === 'session_finished')
        .map((entry) => entry?.['username']);
    expect(usersOf(exporter.stdout)).toEqual(['alice']);
    const spilled = usersOf(exporter.stderr);
    expect(spilled).toHaveLength(queued);
    // `head` may have left with a line unread: what a pipe has taken is out of anyone's hands.
    expect(spilled).toEqual(USERS.slice(-queued));
    expect(exporter.stderr.join('\n')).toContain('records cannot be written, trying again');
  }, 60_000);
});

describe('readers of both outputs that go away', () => {
  it('stop nothing either', async () => {
    const scene = await openScene({ stdoutLines: 1, stderrLines: 1 });
    await callOneByOne(scene, USERS);
    expect(await scene.sum('coturn_exporter_records_queued')).toBeGreaterThan(0);
    expect(scene.exporter.isRunning).toBe(true);
    expect(await scene.exporter.stop()).toEqual({ code: 0, signal: null });
  }, 60_000);
});

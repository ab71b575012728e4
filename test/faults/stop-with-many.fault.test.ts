import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Crowd } from '../support/crowd.ts';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import { claimPorts } from '../support/port-block.ts';
import { createTempFolder } from '../support/temp-folder.ts';

const IS_LONG = process.env['LONG'] === '1';
const SESSIONS = IS_LONG ? 200_000 : 50_000;
/** What an orchestrator grants before it kills; half of it for a quarter of the sessions. */
const STOP_MS = IS_LONG ? 10_000 : 5_000;

/** An exporter that holds so many live sessions, and has no state file. */
async function startWithMany(recordsFile: string): Promise<ExporterProcess> {
  const { first: port } = await claimPorts(onTestFinished);
  const exporter = await startExporter(onTestFinished, {
    args: [
      ...['--statsdb.listen-address', `127.0.0.1:${port}`],
      ...['--records.file', recordsFile, '--user.label', 'none'],
    ],
  });
  const crowd = await Crowd.connect(onTestFinished, port);
  await crowd.begin(SESSIONS);
  await exporter.untilMetrics((metrics) => metrics.sum('coturn_sessions') === SESSIONS, {
    what: 'all sessions to live',
    timeoutMs: 60_000,
  });
  return exporter;
}

async function sessionIds(path: string): Promise<Set<string>> {
  const ids = new Set<string>();
  for await (const line of createInterface({ input: createReadStream(path) })) {
    ids.add((JSON.parse(line) as { session_id: string }).session_id);
  }
  return ids;
}

describe(`a stop with ${SESSIONS} live sessions`, () => {
  it('has every record in the file in time, and none elsewhere', async () => {
    const file = join(createTempFolder(onTestFinished), 'records.jsonl');
    const exporter = await startWithMany(file);
    const startedMs = performance.now();
    exporter.process.kill('SIGTERM');
    expect(await exporter.process.exited).toEqual({ code: 0, signal: null });
    const tookMs = performance.now() - startedMs;
    expect((await sessionIds(file)).size).toBe(SESSIONS);
    expect(exporter.log.filter(({ event }) => event === 'session_finished')).toEqual([]);
    expect(tookMs).toBeLessThan(STOP_MS);
    console.info(`${SESSIONS} sessions in the file ${Math.round(tookMs)} ms after SIGTERM`);
  }, 180_000);

  it('ends in time also when nobody reads the pipe they go to, with a few lines in the log', async () => {
    const pipe = join(createTempFolder(onTestFinished), 'pipe');
    execFileSync('mkfifo', [pipe]);
    const exporter = await startWithMany(pipe);
    const startedMs = performance.now();
    exporter.process.kill('SIGTERM');
    expect((await exporter.process.exited).code).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(2 * STOP_MS);
    const spilled = exporter.log.filter(({ event }) => event === 'session_finished');
    expect(new Set(spilled.map((record) => record['session_id'])).size).toBe(SESSIONS);
    const told = exporter.log.filter(({ msg }) => /^records went to stderr/.test(String(msg)));
    expect(told.reduce((sum, { count }) => sum + Number(count), 0)).toBe(SESSIONS);
    expect(told.length).toBeLessThan(20);
  }, 180_000);
});

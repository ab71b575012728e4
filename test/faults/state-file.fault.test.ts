import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Crowd } from '../support/crowd.ts';
import {
  type ExporterProcess,
  launchExporter,
  startExporter,
} from '../support/exporter-process.ts';
import { claimPorts } from '../support/port-block.ts';
import { createTempFolder } from '../support/temp-folder.ts';

/** By `LONG=1`, the million that a state file has to bear. */
const SESSIONS = process.env['LONG'] === undefined ? 100_000 : 1_000_000;
/** Time of the processors for each session, saved and restored; twice what a busy machine took. */
const CPU_MS = SESSIONS * 0.06;
const PATIENCE_MS = 300_000;

function statePath(): string {
  return join(createTempFolder(onTestFinished), 'state');
}

async function msOf(step: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await step();
  return Math.round(performance.now() - startedMs);
}

/** The longest that a scraper would have waited for a plain answer until `done` settles, in ms. */
async function longestAnswer(exporter: ExporterProcess, done: Promise<unknown>): Promise<number> {
  let longest = 0;
  let isDone = false;
  const ask = async (): Promise<void> => {
    while (!isDone) longest = Math.max(longest, await msOf(() => exporter.get('/livez')));
  };
  const settled = done.finally(() => {
    isDone = true;
  });
  await Promise.all([settled, ask()]);
  return longest;
}

describe('a state file of very many sessions', () => {
  it(`saves and restores ${SESSIONS.toLocaleString('en')}, while it answers`, async () => {
    const state = statePath();
    const { first: port } = await claimPorts(onTestFinished);
    const args = [
      ...['--statsdb.listen-address', `127.0.0.1:${port}`, '--user.label', 'none'],
      ...['--state.file', state, '--state.interval', '2s'],
    ];
    const first = await startExporter(onTestFinished, { args });
    const crowd = await Crowd.connect(onTestFinished, port);
    await crowd.begin(SESSIONS, { lifetime: 3600 });
    const saves = (more: number) =>
      first.untilMetrics(
        (metrics) =>
          metrics.sum('coturn_sessions') === SESSIONS &&
          metrics.sum('coturn_exporter_state_saves_total', { result: 'saved' }) >= more,
        { what: 'sessions that live and are saved', timeoutMs: PATIENCE_MS },
      );
    const metrics = await saves(1);
    const saved = metrics.sum('coturn_exporter_state_saves_total', { result: 'saved' });
    const before = first.cpuMs;
    const longestMs = await longestAnswer(first, saves(saved + 1));
    const cpuMs = [first.cpuMs - before];
    const rss = [first.residentBytes];
    first.process.kill('SIGTERM');
    const savingMs = await msOf(() => first.process.exited);

    const second = launchExporter(onTestFinished, { args });
    const restoringMs = await msOf(() => second.listening(PATIENCE_MS));
    cpuMs.push(second.cpuMs);
    rss.push(second.residentBytes);
    const after = await second.metrics();
    expect(after.sum('coturn_sessions')).toBe(SESSIONS);
    expect(after.sum('coturn_allocations')).toBe(SESSIONS);
    const [size, ...resident] = [statSync(state).size, ...rss].map((bytes) => bytes / 1e6);
    console.info(
      `${SESSIONS} sessions, ${size?.toFixed()} MB: saved in ${savingMs} ms, restored in ${restoringMs} ms, of the processors ${cpuMs.join(' and ')} ms, longest answer meanwhile ${longestMs} ms, RSS ${resident.map((mb) => mb.toFixed()).join(' and ')} MB`,
    );
    expect(cpuMs.reduce((sum, ms) => sum + ms)).toBeLessThan(CPU_MS);
  }, 600_000);
});

describe('two exporters on one state file', () => {
  it('refuses the second, and lets one in once the first was killed', async () => {
    const state = statePath();
    const args = ['--statsdb.listen-address', '127.0.0.1:0', '--state.file', state];
    const first = await startExporter(onTestFinished, { args });
    const second = launchExporter(onTestFinished, { args });
    expect((await second.process.exited).code).toBe(1);
    const said = second.process.stderr.join('\n');
    expect(said).toContain(`Cannot use --state.file "${state}": another process uses it`);
    expect(said).toContain(`(pid ${first.process.pid})`);
    expect((await first.get('/readyz')).status).toBe(200);

    first.process.kill('SIGKILL');
    await first.process.exited;
    expect(existsSync(`${state}.lock`)).toBe(true);
    const third = await startExporter(onTestFinished, { args });
    expect(readFileSync(`${state}.lock`, 'utf8')).toContain(`"pid":${third.process.pid},`);
    await third.stop();
    expect(existsSync(`${state}.lock`)).toBe(false);
  });
});

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createCleanup } from '../support/cleanup.ts';
import { ExporterProcess, startExporter } from '../support/exporter-process.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';
import { FINISHED, stateText } from '../unit/state/saved.ts';

/** For a program that is loaded from a cold disk beside others. */
const MAX_REFUSAL_MS = 10_000;
const MAX_STOP_MS = 5_000;

/** Flags that name a file which is read, and what they need beside them. */
const FILE_FLAGS: readonly (readonly [flag: string, more: readonly string[]])[] = [
  ['redis.password-file', ['--redis.url=redis://127.0.0.1:1']],
  ['redis.tls-ca-file', ['--redis.url=rediss://127.0.0.1:1']],
  ['statsdb.password-file', []],
  ['web.config.file', []],
  ['user.hash-key-file', ['--user.label=hash']],
  ['state.file', []],
];
const CASES = FILE_FLAGS.flatMap(([flag, more]) => [
  [flag, more],
  [flag, [...more, '--check-config']],
]) as [string, string[]][];

const cleanup = createCleanup();
const folder = createTempFolder(cleanup.defer);
const pipe = join(folder, 'pipe');
beforeAll(() => void execFileSync('mkfifo', [pipe]));
afterAll(() => cleanup.run());

function start(args: readonly string[]): ExporterProcess['process'] {
  const listen = ['--web.listen-address=127.0.0.1:0', '--statsdb.listen-address=127.0.0.1:0'];
  return new ExporterProcess(onTestFinished, { args: [...listen, ...args] }).process;
}

describe('a start', () => {
  it.each(CASES)('does not wait for a pipe as --%s, with %j', async (flag, more) => {
    const begin = performance.now();
    const process = start([`--${flag}=${pipe}`, ...more]);
    expect((await process.exited).code).toBeGreaterThan(0);
    expect(process.stderr.join('\n')).toContain(`--${flag}`);
    expect(performance.now() - begin).toBeLessThan(MAX_REFUSAL_MS);
  });

  it('sets aside a session whose times no calendar has', async () => {
    const file = join(folder, 'hand-made');
    writeFileSync(file, stateText([FINISHED, { ...FINISHED, id: 'late', startedAtMs: 8.7e15 }]));
    const exporter = await startExporter(onTestFinished, {
      args: ['--statsdb.listen-address=127.0.0.1:0', `--state.file=${file}`],
    });
    expect(readFileSync(`${file}.bad`, 'utf8')).toContain('"late"');
    expect((await exporter.metrics()).sum('coturn_exporter_state_bad_lines')).toBe(1);
  });

  it('ends by a signal while it reads a large state file, which stays as it is', async () => {
    const file = join(folder, 'state');
    const sessions = Array.from({ length: 100_000 }, (_, id) => ({ ...FINISHED, id: `${id}` }));
    writeFileSync(file, stateText(sessions));
    const process = start([`--state.file=${file}`]);
    await until(() => existsSync(`${file}.lock`), {
      what: 'the file to be opened',
      isDone: (isThere) => isThere,
    });
    const begin = performance.now();
    process.kill('SIGTERM');
    expect(await process.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - begin).toBeLessThan(MAX_STOP_MS);
    expect(readFileSync(file, 'utf8')).toBe(stateText(sessions));
  });
});

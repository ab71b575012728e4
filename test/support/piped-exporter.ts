import type { Defer } from './cleanup.ts';
import { PROGRAM } from './program.ts';
import { TestProcess } from './test-process.ts';

export interface PipedExporterOptions {
  readonly args: readonly string[];
  /** Lines that the reader of its standard output takes before it goes away. */
  readonly stdoutLines: number;
  /** The same for standard error; absent: that is read to the end. */
  readonly stderrLines?: number;
}

/** An exporter whose output goes to readers that leave, as `… | head -n 1` does. */
export function startPipedExporter(defer: Defer, options: PipedExporterOptions): TestProcess {
  const { args, stdoutLines, stderrLines } = options;
  const toReader = (fd: number, lines: number) => `${fd}> >(head -n ${lines} >&${fd})`;
  const redirections = [
    toReader(1, stdoutLines),
    ...(stderrLines === undefined ? [] : [toReader(2, stderrLines)]),
  ];
  const script = `exec "$0" "$@" ${redirections.join(' ')}`;
  return new TestProcess(defer, {
    command: 'bash',
    args: ['-c', script, PROGRAM.command, ...PROGRAM.args, ...args],
    env: process.env,
  });
}

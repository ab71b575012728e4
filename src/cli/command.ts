import type { Readable, Writable } from 'node:stream';
import type { BuildInfo } from '../build-info.ts';
import type { CommandLine } from '../config/command-line.ts';
import type { Config } from '../config/config.ts';
import type { Environment } from '../config/option-parser.ts';
import { openUserNames } from '../config/user-names.ts';
import { checkFiles } from './check-files.ts';

/** What a command gets from the process it runs in. */
export interface CommandContext {
  readonly env: Environment;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly build: BuildInfo;
  /** Aborted by the first SIGTERM or SIGINT, with its name as the reason. */
  readonly signal: AbortSignal;
  /** Registers what a SIGHUP does; without it a SIGHUP ends the process. */
  readonly onHangUp: (listener: () => void) => void;
  /** Takes a record that its destination does not get: the last resort. */
  readonly spill: (line: Buffer) => void;
}

/** Answers a command line, or calls `run` where it asks to run; gives the exit code. */
export async function answerOrRun(
  command: CommandLine,
  context: CommandContext,
  run: (config: Config) => Promise<number>,
): Promise<number> {
  switch (command.kind) {
    case 'help':
      context.stdout.write(command.text);
      return 0;
    case 'print-config':
      context.stdout.write(command.text);
      return 0;
    case 'version':
      context.stdout.write(`coturn-exporter ${context.build.version}\n`);
      return 0;
    case 'check-config':
      await openUserNames(command.config.users);
      await checkWebConfig(command.config);
      await checkFiles(command.config);
      context.stdout.write('configuration is valid\n');
      return 0;
    case 'run':
      return await run(command.config);
  }
}

/** @throws {ConfigError} when the file of `--web.config.file`, or one that it names, cannot be used */
async function checkWebConfig({ web }: Config): Promise<void> {
  if (web.configFile === undefined) return;
  const { checkWebLock } = await import('../http/web-lock.ts');
  checkWebLock(web.configFile);
}

/** Resolves when `signal` is aborted, at once if it has been. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

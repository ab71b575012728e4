import { setFlagsFromString } from 'node:v8';
import { parseCommandLine } from '../config/command-line.ts';
import type { Config } from '../config/config.ts';
import type { CommandHelp } from '../config/options.ts';
import { answerOrRun, type CommandContext, untilAborted } from './command.ts';
import { startSetupHint } from './setup-hint.ts';

/**
 * Runs the exporter until the process is told to stop: what the program does without a command.
 *
 * @param argv all arguments
 * @param commands for the help text
 * @returns the exit code
 * @throws {ConfigError} on flags that cannot be used
 * @throws {StartError} when a port is taken or the record file cannot be opened
 */
export async function runServe(
  argv: readonly string[],
  context: CommandContext,
  commands: readonly CommandHelp[],
): Promise<number> {
  const command = parseCommandLine(argv, context.env, { commands });
  return await answerOrRun(command, context, (config) => serve(config, context));
}

/**
 * By how much more than what lives V8 may let the heap grow before it is swept, in per cent. Of its
 * own accord it allows about three times as much after the first ten thousand sessions that come and
 * go. Costs a fifth more of processor time per new allocation, and nothing per report.
 */
const HEAP_GROWING_PERCENT = 30;

async function serve(config: Config, context: CommandContext): Promise<number> {
  // Loaded here: who only asks for help or checks a configuration need not wait for them.
  const { createExporter } = await import('../exporter.ts');
  const { createLog } = await import('../log.ts');
  const { build, signal, spill } = context;
  const log = await createLog(config.log);
  const exporter = await createExporter(config, { log, build, spill });
  context.onHangUp(() => exporter.reopenRecords());
  try {
    const addresses = await Promise.race([exporter.start(), untilAborted(signal)]);
    // Told to stop before it had started.
    if (addresses === undefined) return 0;
    // Not before, so that a state file is taken in without being swept over and over.
    setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
    const { version, nodeVersion } = build;
    log.info({ version, nodeVersion, address: addresses.web }, 'coturn-exporter is running');
    const endHint = startSetupHint({
      log,
      lines: addresses.setup,
      isConnected: () => exporter.hasHeardCoturn(),
    });
    await untilAborted(signal);
    endHint();
    log.info({ signal: signal.reason }, 'coturn-exporter stops');
  } finally {
    await exporter.stop();
  }
  return 0;
}

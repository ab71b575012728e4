import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
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

/**
 * How large V8's young generation may grow, in bytes, both halves of it: what Node.js 20 and 22 allow.
 * Node.js 24 lets it grow to four times that where sessions come and go, 100 MB for a tenth less of
 * processor time per new allocation.
 */
const YOUNG_GENERATION_BYTES = 32 * 1024 * 1024;
const YOUNG_GENERATION_CHECK_MS = 1000;

/** Keeps V8 from letting the heap grow for its own convenience. */
function limitHeap(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
  // The limit itself can be set at the start of a process only, what it grows by at any time.
  const timer = setInterval(() => {
    const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
    if (young !== undefined && young.space_size < YOUNG_GENERATION_BYTES) return;
    setFlagsFromString('--semi-space-growth-factor=1');
    clearInterval(timer);
  }, YOUNG_GENERATION_CHECK_MS);
  timer.unref();
}

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
    limitHeap();
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

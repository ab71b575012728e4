import type { Config } from '../config/config.ts';
import { createExporter } from '../exporter.ts';
import { createLog } from '../log.ts';
import type { CommandContext } from './command.ts';
import { untilAborted } from './command.ts';

/**
 * Runs the exporter until the process is told to stop; gives the exit code.
 *
 * @throws {StartError} when a port is taken or the record file cannot be opened
 */
export async function serve(config: Config, context: CommandContext): Promise<number> {
  const { build, signal, spill } = context;
  const log = await createLog(config.log);
  const exporter = await createExporter(config, { log, build, spill });
  context.onHangUp(() => exporter.reopenRecords());
  try {
    const addresses = await exporter.start();
    const { version, nodeVersion } = build;
    log.info({ version, nodeVersion, address: addresses.web }, 'coturn-exporter is running');
    await untilAborted(signal);
    log.info({ signal: signal.reason }, 'coturn-exporter stops');
  } finally {
    await exporter.stop();
  }
  return 0;
}

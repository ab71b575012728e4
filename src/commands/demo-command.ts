import { parseCommandLine } from '../config/command-line.ts';
import type { Config } from '../config/config.ts';
import { formatHostPort, type HostPort } from '../config/values.ts';
import { createExporter, type Exporter } from '../exporter.ts';
import { createLog } from '../log.ts';
import { DEMO_FLEET } from '../simulate/fleet-options.ts';
import { type RunningFleet, startFleet } from '../simulate/start-fleet.ts';
import type { CommandContext } from './command-context.ts';
import {
  avoidTakenPorts,
  demoEnvironment,
  type TakenAddress,
  unsetAddresses,
} from './demo-defaults.ts';
import { renderDemoHelp, renderHints } from './demo-text.ts';
import { obey } from './obey.ts';
import { untilAborted } from './until-aborted.ts';

interface Demo {
  readonly config: Config;
  readonly exporter: Exporter;
  readonly taken: readonly TakenAddress[];
  readonly context: CommandContext;
}

/** How long the simulated servers may take to hang up when the demo is told to stop, in ms. */
const HANG_UP_MS = 3_000;

/**
 * Runs `demo`: an exporter as usual, and a small simulated fleet that publishes to it, until the
 * process is told to stop. Records go where the exporter writes them, words for people to `stderr`.
 *
 * @param argv the arguments after `demo`: all flags of the exporter
 * @returns the exit code: 0, or 1 when the fleet cannot publish
 * @throws {ConfigError} on flags that cannot be used
 * @throws {StartError} when a port is taken that a person has chosen
 */
export async function runDemo(argv: readonly string[], context: CommandContext): Promise<number> {
  const { env, build, spill } = context;
  const command = parseCommandLine(argv, demoEnvironment(env));
  const answer = command.kind === 'help' ? { ...command, text: renderDemoHelp() } : command;
  return await obey(answer, context, async (wanted) => {
    const { config, taken } = await avoidTakenPorts(wanted, unsetAddresses(argv, env));
    const exporter = await createExporter(config, {
      log: await createLog(config.log),
      build,
      spill,
    });
    context.onHangUp(() => exporter.reopenRecords());
    try {
      return await show({ config, exporter, taken, context });
    } finally {
      await exporter.stop();
    }
  });
}

async function show({ config, exporter, taken, context }: Demo): Promise<number> {
  const { stderr, signal } = context;
  const { web, statsdb } = await exporter.start();
  const [address] = statsdb.map(reachable);
  if (address === undefined) throw new RangeError('Cannot run a demo: expected a statsdb');
  try {
    const fleet = await startDemoFleet(address, config.statsdb.password);
    stderr.write(
      renderHints({
        servers: fleet.fleet.servers.length,
        statsdb: address,
        landingPage: `${web}/`,
        metrics: `${web}${config.web.telemetryPath}`,
        records: config.records.file ?? 'standard output',
        taken,
      }),
    );
    await Promise.race([untilAborted(signal), fleet.done]);
    await hangUp(fleet);
    return 0;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    stderr.write(`coturn-exporter: Cannot publish to ${formatHostPort(address)}: ${reason}\n`);
    return 1;
  }
}

function startDemoFleet(address: HostPort, password: string | undefined): Promise<RunningFleet> {
  const login = password === undefined ? {} : { password };
  return startFleet({
    target: { kind: 'statsdb', address, db: 0, ...login },
    options: DEMO_FLEET,
    pace: { speed: 1, durationMs: 0 },
  });
}

/** Ends the calls, so that their records tell of an end that was announced; not at any price. */
async function hangUp(fleet: RunningFleet): Promise<void> {
  const patience = new Promise<void>((resolve) => {
    setTimeout(resolve, HANG_UP_MS).unref();
  });
  await Promise.race([fleet.stop(), patience]);
}

/** Who listens everywhere is reached on loopback. */
function reachable({ host, port }: HostPort): HostPort {
  return { host: ['', '::', '0.0.0.0'].includes(host) ? '127.0.0.1' : host, port };
}

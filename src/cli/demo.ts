import { createServer } from 'node:net';
import { parseCommandLine } from '../config/command-line.ts';
import type { Config } from '../config/config.ts';
import { type Environment, renderOptions, variableOf } from '../config/option-parser.ts';
import { OPTIONS } from '../config/options.ts';
import { formatHostPort, type HostPort } from '../config/values.ts';
import { createExporter, type Exporter } from '../exporter.ts';
import { createLog } from '../log.ts';
import { DEMO_FLEET } from '../simulator/fleet-options.ts';
import { type RunningFleet, startFleet } from '../simulator/run-simulation.ts';
import { answerOrRun, type CommandContext, untilAborted } from './command.ts';

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
  return await answerOrRun(answer, context, async (wanted) => {
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

/**
 * Flags whose defaults a demo changes: seen from this machine only, records soon (no message comes
 * late on loopback), and no log but of trouble.
 */
const DEFAULTS = {
  'statsdb.listen-address': '127.0.0.1:6380',
  'web.listen-address': '127.0.0.1:10641',
  'session.linger': '1s',
  'log.level': 'warn',
  'log.format': 'pretty',
} as const;

/** A flag that says where to listen. */
type AddressFlag = 'statsdb.listen-address' | 'web.listen-address';

/** A default address that could not be had. */
interface TakenAddress {
  readonly flag: AddressFlag;
  /** What somebody else listens on. */
  readonly address: string;
}

/** `env` with the defaults of a demo, which flags and the variables of `env` beat. */
function demoEnvironment(env: Environment): Environment {
  const defaults = Object.entries(DEFAULTS).map(([flag, text]) => [variableOf(flag), text]);
  return { ...Object.fromEntries(defaults), ...env };
}

/** The flags of a demo that nobody has set, so that their addresses may change. */
function unsetAddresses(argv: readonly string[], env: Environment): AddressFlag[] {
  const flags: readonly AddressFlag[] = ['statsdb.listen-address', 'web.listen-address'];
  return flags.filter((flag) => {
    const isFlag = argv.some((text) => text === `--${flag}` || text.startsWith(`--${flag}=`));
    return !isFlag && env[variableOf(flag)] === undefined;
  });
}

/**
 * `config` with a free port for each of `flags` whose default is taken. Addresses that a person
 * has chosen are not among `flags`: where those are taken the start must fail.
 */
async function avoidTakenPorts(
  config: Config,
  flags: readonly AddressFlag[],
): Promise<{ readonly config: Config; readonly taken: readonly TakenAddress[] }> {
  const taken: TakenAddress[] = [];
  const freeAddress = async (flag: AddressFlag, address: HostPort): Promise<HostPort> => {
    if (!flags.includes(flag) || (await isFree(address))) return address;
    taken.push({ flag, address: formatHostPort(address) });
    return { ...address, port: 0 };
  };
  const statsdb = config.statsdb.listen.map((address) =>
    freeAddress('statsdb.listen-address', address),
  );
  const web = freeAddress('web.listen-address', config.web.listen);
  return {
    config: {
      ...config,
      statsdb: { ...config.statsdb, listen: await Promise.all(statsdb) },
      web: { ...config.web, listen: await web },
    },
    taken,
  };
}

function isFree({ host, port }: HostPort): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port }, () => server.close(() => resolve(true)));
  });
}

/** What a demo tells when it runs. */
interface DemoScene {
  /** How many simulated coturn servers. */
  readonly servers: number;
  readonly statsdb: HostPort;
  readonly landingPage: string;
  readonly metrics: string;
  /** For people: the file of the records, or `standard output`. */
  readonly records: string;
  readonly taken: readonly TakenAddress[];
}

/** Where to look and what to try, for people; ends in a line break. */
function renderHints(scene: DemoScene): string {
  const { servers, statsdb, landingPage, metrics, records, taken } = scene;
  const notes = taken.map(
    ({ flag, address }) => `${address} is taken, so --${flag} is a free port here.\n`,
  );
  return `${notes.join('')}${servers} simulated coturn servers publish to ${formatHostPort(statsdb)}.

  Landing page   ${landingPage}
  Metrics        ${metrics}

Records of finished sessions go to ${records}, the first within 15 seconds.
To try next, in another terminal:

  curl -s ${metrics} | grep '^coturn_'
  redis-cli -h ${statsdb.host} -p ${statsdb.port} keys '*'

or a coturn of your own, with this line in its turnserver.conf:

  redis-statsdb="ip=${statsdb.host} port=${statsdb.port}"

Ctrl-C ends it.
`;
}

/** The text of `demo --help`: 80 columns, ends in a line break. */
function renderDemoHelp(): string {
  return `Usage: coturn-exporter demo [flags]

Runs the exporter and a small simulated fleet of coturn servers in one process,
until Ctrl-C. Takes all flags of the exporter, with defaults for a first look:
on this machine only, or on free ports where the usual ones are taken.

${renderOptions(OPTIONS, DEFAULTS)}`;
}

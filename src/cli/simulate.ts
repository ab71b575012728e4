import { ConfigError } from '../config/config-error.ts';
import { type OptionTable, parseOptions, renderOptions } from '../config/option-parser.ts';
import {
  choice,
  decimalNumber,
  duration,
  formatHostPort,
  type ValueType,
  wholeNumber,
} from '../config/values.ts';
import { FLAVOUR_NAMES, type FlavourName, type FleetOptions } from '../simulator/fleet-options.ts';
import { type Pace, type RunningFleet, startFleet } from '../simulator/run-simulation.ts';
import { renderTruth, type Truth } from '../simulator/truth.ts';
import { TARGET, type Target } from '../simulator/wire.ts';
import type { CommandContext } from './command.ts';

/** All that a simulation needs of the process: what to do its flags alone tell. */
type SimulateContext = Pick<CommandContext, 'stdout' | 'stderr' | 'signal'>;

/**
 * Runs `simulate`: a fleet of coturn servers that publish to a Redis or a statsdb. Prints what was
 * published to `stdout`, everything else to `stderr`.
 *
 * @param argv the arguments after `simulate`
 * @returns the exit code: 0, 1 when the target cannot be reached, 2 for bad usage
 */
export async function runSimulate(
  argv: readonly string[],
  context: SimulateContext,
): Promise<number> {
  let values: SimulateValues;
  try {
    if (argv.includes('--help')) {
      context.stdout.write(helpText());
      return 0;
    }
    values = parseOptions(SIMULATE_OPTIONS, argv);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    context.stderr.write(`${error.message}\n`);
    return 2;
  }
  const { target } = values;
  try {
    const pace = paceOf(values);
    await follow(await startFleet({ target, options: fleetOptionsOf(values), pace }), {
      values,
      context,
    });
    return 0;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    context.stderr.write(`Cannot publish to ${formatHostPort(target.address)}: ${reason}\n`);
    return 1;
  }
}

async function follow(
  running: RunningFleet,
  { values, context }: { readonly values: SimulateValues; readonly context: SimulateContext },
): Promise<void> {
  const { stdout, stderr, signal } = context;
  const { fleet } = running;
  stderr.write(
    `${values.servers} coturn servers publish to ${formatHostPort(values.target.address)}\n`,
  );
  if (values.sessions) {
    fleet.onSession = (session) => {
      stdout.write(`${JSON.stringify({ kind: 'session', ...session })}\n`);
    };
  }
  const stop = (): void => void running.stop();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const truth = await running.done.finally(() => signal.removeEventListener('abort', stop));
  stdout.write(values.json ? renderJson(truth, running) : renderTruth(truth));
  const { lostEvents, breaks } = running.losses();
  if (breaks > 0) {
    stderr.write(
      `The target broke ${breaks} connections: ${lostEvents} events could not be sent, and more may be lost\n`,
    );
  }
}

function renderJson(truth: Truth, running: RunningFleet): string {
  return `${JSON.stringify({ kind: 'truth', ...truth, delivery: running.losses() })}\n`;
}

function helpText(): string {
  return `Usage: coturn-exporter simulate [flags]

Publishes what a fleet of coturn servers would, and prints at the end (or on SIGINT)
what that was, to compare with what an exporter made of it.

${renderOptions(SIMULATE_OPTIONS)}`;
}

/** The values of {@link SIMULATE_OPTIONS}, by flag. Durations are milliseconds. */
interface SimulateValues {
  readonly target: Target;
  readonly servers: number;
  readonly flavour: readonly FlavourName[];
  readonly realms: RealmNames;
  readonly users: number;
  readonly 'arrival-rate': number;
  readonly 'call-length': number;
  readonly bitrate: number;
  readonly 'p2p-share': number;
  readonly 'ipv6-share': number;
  readonly 'noise-rate': number;
  readonly 'crash-rate': number;
  readonly seed: number;
  readonly speed: number;
  readonly 'events-per-second': number | undefined;
  readonly duration: number;
  readonly 'no-finish': boolean;
  readonly sessions: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

/** Realms given in one value. */
interface RealmNames {
  readonly names: readonly string[];
}

const DAY_MS = 86_400_000;
const MAX_REALMS = 10_000;
/** What a realm may hold without its keys becoming ambiguous or impossible. */
const REALM_NAME = /^[^\s/,"'\\]{1,128}$/;
const SHARE = decimalNumber({ min: 0, max: 1 });
const RATE = decimalNumber({ min: 0, max: 1_000_000 });

/** `example.org,example.net`, or `50` for realm1.example to realm50.example. */
const REALMS: ValueType<RealmNames> = {
  placeholder: 'REALMS',
  expected: `names separated by commas, or how many (up to ${MAX_REALMS})`,
  parse: (text) => {
    if (/^\d{1,5}$/.test(text)) {
      const count = Number(text);
      if (count < 1 || count > MAX_REALMS) return { ok: false };
      const names = Array.from({ length: count }, (_, index) => `realm${index + 1}.example`);
      return { ok: true, value: { names } };
    }
    const names = [...new Set(text.split(','))];
    return names.every((name) => REALM_NAME.test(name))
      ? { ok: true, value: { names } }
      : { ok: false };
  },
};

/** `64000`, `500k`, `1.5M`: bits per second. */
const BITRATE: ValueType<number> = {
  placeholder: 'BITRATE',
  expected: 'bits per second from 1k to 1000M, such as 64000, 500k or 1.5M',
  parse: (text) => {
    const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)([kM]?)$/.exec(text) ?? [];
    const value = Number(digits) * (unit === 'M' ? 1e6 : unit === 'k' ? 1e3 : 1);
    return value >= 1e3 && value <= 1e9 ? { ok: true, value } : { ok: false };
  },
};

/** The one definition of every flag of `simulate`, and of its help. */
export const SIMULATE_OPTIONS: OptionTable<SimulateValues> = {
  target: {
    kind: 'single',
    type: TARGET,
    default: '127.0.0.1:6380',
    help: 'Where the servers publish: host:port of an exporter (or anything that listens as a statsdb), or redis://[user[:password]@]host[:port][/db].',
  },
  servers: {
    kind: 'single',
    type: wholeNumber({ min: 1, max: 10_000 }),
    default: '2',
    help: 'coturn servers. To a statsdb on loopback each connects from its own address, 127.0.0.2 and on.',
  },
  flavour: {
    kind: 'list',
    type: choice(FLAVOUR_NAMES),
    defaultHelp: '4.6.1',
    help: `Version of coturn to behave like: ${FLAVOUR_NAMES.join(', ')}. Several are dealt to the servers in turn.`,
  },
  realms: {
    kind: 'single',
    type: REALMS,
    default: 'example.org,example.net',
    help: 'Realms, by name or by number. The first has the most users.',
  },
  users: {
    kind: 'single',
    type: wholeNumber({ min: 1, max: 10_000_000 }),
    default: '1000',
    help: 'Users, each in one call at a time. A call that finds nobody free is refused.',
  },
  'arrival-rate': {
    kind: 'single',
    type: RATE,
    default: '1',
    help: 'New calls per second of simulated time.',
  },
  'call-length': {
    kind: 'single',
    type: duration({ min: 1000, max: DAY_MS }),
    default: '1m',
    help: 'Mean length of a call.',
  },
  bitrate: {
    kind: 'single',
    type: BITRATE,
    default: '1M',
    help: 'Mean bits per second of the media of a call, each way.',
  },
  'p2p-share': {
    kind: 'single',
    type: SHARE,
    default: '0.7',
    help: 'Share of calls whose media go from peer to peer: they hold allocations and relay nothing.',
  },
  'ipv6-share': {
    kind: 'single',
    type: SHARE,
    default: '0',
    help: 'Share of clients that come over IPv6.',
  },
  'noise-rate': {
    kind: 'single',
    type: RATE,
    default: '0.2',
    help: 'STUN-only clients, health checks and failed logins per second of simulated time.',
  },
  'crash-rate': {
    kind: 'single',
    type: RATE,
    default: '0',
    help: 'Crashes of each server per hour of simulated time.',
  },
  seed: {
    kind: 'single',
    type: wholeNumber({ min: 0, max: 2 ** 32 - 1 }),
    default: '1',
    help: 'Everything random follows from it: the same flags give the same messages.',
  },
  speed: {
    kind: 'single',
    type: decimalNumber({ min: 0.001, max: 100_000 }),
    default: '1',
    help: 'How much faster than real time simulated time passes.',
  },
  'events-per-second': {
    kind: 'single',
    type: wholeNumber({ min: 1, max: 10_000_000 }),
    defaultHelp: 'as many as happen',
    help: 'Send at this rate instead, however fast simulated time then passes.',
  },
  duration: {
    kind: 'single',
    type: duration(),
    default: '0s',
    help: 'Real time until everybody hangs up; 0s goes on until SIGINT or SIGTERM.',
  },
  'no-finish': {
    kind: 'switch',
    help: 'Disconnect at the end without ending the live allocations.',
  },
  sessions: {
    kind: 'switch',
    help: 'Print a line of JSON for each finished call.',
  },
  json: {
    kind: 'switch',
    help: 'Print the truth as one line of JSON.',
  },
  help: { kind: 'switch', help: 'Show this text.' },
};

/** What the flags say about the fleet itself. */
function fleetOptionsOf(values: SimulateValues): Partial<FleetOptions> {
  return {
    seed: values.seed,
    servers: values.servers,
    realms: values.realms.names,
    users: values.users,
    arrivalRate: values['arrival-rate'],
    callLengthSeconds: values['call-length'] / 1000,
    bitrate: values.bitrate,
    peerToPeerShare: values['p2p-share'],
    ipv6Share: values['ipv6-share'],
    noiseRate: values['noise-rate'],
    crashRate: values['crash-rate'],
    ...(values.flavour.length > 0 ? { flavours: values.flavour } : {}),
  };
}

/** What the flags say about time. */
function paceOf(values: SimulateValues): Pace {
  const eventsPerSecond = values['events-per-second'];
  return {
    speed: values.speed,
    durationMs: values.duration,
    noFinish: values['no-finish'],
    ...(eventsPerSecond === undefined ? {} : { eventsPerSecond }),
  };
}

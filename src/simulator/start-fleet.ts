import { parseRedisUrl } from '../config/redis-url.ts';
import { type HostPort, type Parsed, parseHostPort, type ValueType } from '../config/values.ts';
import { createFleet, type Fleet } from './fleet.ts';
import type { FleetOptions } from './fleet-options.ts';
import { type Pace, runSimulation } from './run-simulation.ts';
import { type Losses, ServerLink, sumLosses } from './server-link.ts';
import type { Truth } from './truth.ts';

/** A fleet that runs beside whatever else this process does. */
export interface RunningFleet {
  readonly fleet: Fleet;
  /** Settles when the simulation ends, by itself or stopped. */
  readonly done: Promise<Truth>;
  /** What was not delivered so far. */
  losses(): Losses;
  /** Lets everybody hang up and disconnects; resolves with what was published. Safe to call twice. */
  stop(): Promise<Truth>;
}

/** What {@link startFleet} runs, and how fast. */
export interface FleetRun {
  readonly target: Target;
  readonly options: Partial<FleetOptions>;
  readonly pace: Pace;
}

/**
 * Connects a simulated fleet to a Redis or a statsdb and lets it run.
 *
 * @throws {Error} when the target does not answer
 */
export async function startFleet({ target, options, pace }: FleetRun): Promise<RunningFleet> {
  const fleet = createFleet(options);
  const { relayThreads } = fleet.options;
  const links = fleet.servers.map(
    ({ address, flavour }) => new ServerLink({ target, address, flavour, relayThreads }),
  );
  try {
    await Promise.all(links.map((link) => link.open()));
  } catch (error) {
    await Promise.allSettled(links.map((link) => link.close()));
    throw error;
  }
  const ending = new AbortController();
  const done = runSimulation({ fleet, connections: links, pace, signal: ending.signal });
  return {
    fleet,
    done,
    losses: () => sumLosses(links.map((link) => link.losses)),
    stop: () => {
      ending.abort();
      return done;
    },
  };
}

/** What a simulated fleet connects to: a Redis, or a statsdb that listens as one. */
export interface Target {
  /**
   * A statsdb tells servers apart by their address, so each connects from its own. A Redis does not,
   * and in protected mode would refuse all but 127.0.0.1.
   */
  readonly kind: 'redis' | 'statsdb';
  readonly address: HostPort;
  /** Number of the database, 0 for a statsdb. */
  readonly db: number;
  /** Sent with the password only. */
  readonly username?: string;
  /** Absent: what coturn of the flavour sends when it has none. Secret. */
  readonly password?: string;
}

const EXPECTED = 'host:port of a statsdb, or redis://[user[:password]@]host[:port][/db]';

/** `127.0.0.1:6380` or `redis://:secret@127.0.0.1:6379/2` */
export const TARGET: ValueType<Target> = {
  placeholder: 'TARGET',
  expected: EXPECTED,
  parse: (text) => (text.includes('://') ? parseRedis(text) : parseStatsdb(text)),
  redact: (text) => text.replace(/\/\/.*@/s, '//***@'),
};

function parseStatsdb(text: string): Parsed<Target> {
  const address = parseHostPort(text, { minPort: 1 });
  return address.ok
    ? { ok: true, value: { kind: 'statsdb', address: address.value, db: 0 } }
    : address;
}

function parseRedis(text: string): Parsed<Target> {
  const parsed = parseRedisUrl(text);
  if (!parsed.ok) return parsed;
  const { endpoint, db, tls, username, password } = parsed.value;
  if (endpoint.kind !== 'server' || tls) {
    return { ok: false, expected: `${EXPECTED}, without TLS or Sentinel` };
  }
  const credentials = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
  return { ok: true, value: { kind: 'redis', address: endpoint.address, db, ...credentials } };
}

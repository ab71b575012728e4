import { parseRedisUrl } from '../config/redis-url.ts';
import { type HostPort, type Parsed, parseHostPort, type ValueType } from '../config/values.ts';

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

import { redactUrl } from './redact.ts';
import {
  formatHostPort,
  type HostPort,
  type Parsed,
  parseHostPort,
  type ValueType,
} from './values.ts';

/** Where a Redis is found: at one address, or by asking Sentinels for the master of a group. */
type RedisEndpoint =
  | { readonly kind: 'server'; readonly address: HostPort }
  | { readonly kind: 'sentinel'; readonly sentinels: readonly HostPort[]; readonly master: string };

/** One Redis that coturn publishes to. */
export interface RedisSourceConfig {
  /** The `source` label; without credentials, different for each source. */
  readonly name: string;
  readonly endpoint: RedisEndpoint;
  /** Number of the database that holds the status keys. */
  readonly db: number;
  /** TLS to Redis, and to the Sentinels. */
  readonly tls: boolean;
  /** ACL user of Redis (not of the Sentinels); absent: the default user. */
  readonly username?: string;
  /** Never empty; absent: no AUTH is sent. Secret. */
  readonly password?: string;
}

interface Credentials {
  readonly username?: string;
  readonly password?: string;
}

const REDIS_PORT = 6379;
const SENTINEL_PORT = 26_379;
const MAX_DB = 2_147_483_647;
const EXPECTED =
  'redis://[user[:password]@]host[:port][/db][#name] or redis+sentinel://host:port,host:port/master[/db][#name]';

const PERCENT_ENCODING =
  'a user and password in percent-encoding (% is written %25, / %2F, # %23, @ %40)';

/** Allowed by Redis in names of masters: sentinel.c, sentinelIsValidMasterName of 6.2 and later. */
const MASTER_NAME = /^[A-Za-z0-9._-]{1,128}$/;

/** The `source` label: no blanks, control characters or `#`, and no longer than a label may be. */
const SOURCE_NAME = /^[^\s#\p{C}]{1,128}$/u;

/**
 * Values of `--redis.url`. In an environment variable several are separated by spaces, or by
 * commas before the next `redis…://` (other commas stand between Sentinels).
 */
export const REDIS_URL: ValueType<RedisSourceConfig> = {
  placeholder: 'URL',
  expected: EXPECTED,
  parse: parseRedisUrl,
  redact: redactUrl,
  separator: /\s*,\s*(?=rediss?(?:\+sentinel)?:\/\/)|\s+/i,
};

/**
 * `rediss://exporter:p%40ss@redis.example.org:6380/2#eu` → its parts, percent-decoded. Without a
 * `#name` the source is named `host:port/db`; with Sentinels `sentinel:port/master/db` after the
 * first of them. What is expected instead never repeats a part of the text.
 */
export function parseRedisUrl(text: string): Parsed<RedisSourceConfig> {
  const [, scheme, authority = '', path = '', fragment] =
    /^(rediss?(?:\+sentinel)?):\/\/([^/?#]*)([^?#]*)(?:#(.*))?$/is.exec(text) ?? [];
  if (scheme === undefined || /[\s\p{C}]/u.test(text)) {
    return { ok: false };
  }
  // A raw / or # in a password moves the rest of it into the path or the name of the source.
  if (path.includes('@') || fragment?.includes('@')) {
    return refuse(PERCENT_ENCODING);
  }
  const at = authority.lastIndexOf('@');
  const credentials = parseCredentials(at < 0 ? undefined : authority.slice(0, at));
  if (!credentials.ok) {
    return credentials;
  }
  const location = /\+sentinel$/i.test(scheme)
    ? parseSentinels(authority.slice(at + 1), path)
    : parseServer(authority.slice(at + 1), path);
  if (!location.ok) {
    return location;
  }
  const name = fragment === undefined ? location.value.name : decode(fragment);
  if (name === undefined || !SOURCE_NAME.test(name)) {
    return refuse('a name of 1 to 128 visible characters after #');
  }
  const tls = /^rediss/i.test(scheme);
  return { ok: true, value: { ...location.value, name, tls, ...credentials.value } };
}

type Location = Pick<RedisSourceConfig, 'name' | 'endpoint' | 'db'>;

function parseServer(host: string, path: string): Parsed<Location> {
  const address = parseAddress(host, REDIS_PORT);
  if (!address.ok) {
    return address;
  }
  const db = parseDb(path.replace(/^\//, ''));
  if (!db.ok) {
    return db;
  }
  const name = `${formatHostPort(address.value)}/${db.value}`;
  const endpoint = { kind: 'server', address: address.value } as const;
  return { ok: true, value: { name, endpoint, db: db.value } };
}

function parseSentinels(hosts: string, path: string): Parsed<Location> {
  const sentinels: HostPort[] = [];
  for (const host of hosts.split(',')) {
    const address = parseAddress(host, SENTINEL_PORT);
    if (!address.ok) {
      return address;
    }
    sentinels.push(address.value);
  }
  const [, master = '', number = ''] = /^\/([^/]*)(?:\/(.*))?$/s.exec(path) ?? [];
  if (!MASTER_NAME.test(master)) {
    return refuse('the name of the master after the Sentinels, as in redis+sentinel://host/master');
  }
  const db = parseDb(number);
  if (!db.ok) {
    return db;
  }
  const first = sentinels.slice(0, 1).map(formatHostPort).join();
  const name = `${first}/${master}/${db.value}`;
  const endpoint = { kind: 'sentinel', sentinels, master } as const;
  return { ok: true, value: { name, endpoint, db: db.value } };
}

function parseAddress(text: string, defaultPort: number): Parsed<HostPort> {
  const address = parseHostPort(text, { minPort: 1, defaultPort });
  if (address.ok || address.expected !== undefined) {
    return address;
  }
  return refuse('a host name, an IPv4 address or an IPv6 address in brackets after ://');
}

/** Nothing means database 0. */
function parseDb(text: string): Parsed<number> {
  const db = text === '' ? 0 : Number(text);
  return /^\d*$/.test(text) && db <= MAX_DB
    ? { ok: true, value: db }
    : refuse(`a database number from 0 to ${MAX_DB} at the end of the path`);
}

/** `user`, `user:password`, `:password`; undefined when the URL has no `@`. */
function parseCredentials(text: string | undefined): Parsed<Credentials> {
  if (text === undefined) {
    return { ok: true, value: {} };
  }
  const colon = text.indexOf(':');
  const username = decode(colon < 0 ? text : text.slice(0, colon));
  const password = colon < 0 ? undefined : decode(text.slice(colon + 1));
  if (username === undefined || (colon >= 0 && password === undefined)) {
    return refuse(PERCENT_ENCODING);
  }
  if (password === '' || (username === '' && password === undefined)) {
    return refuse('a user or password before @');
  }
  const user = username === '' ? {} : { username };
  return { ok: true, value: { ...user, ...(password === undefined ? {} : { password }) } };
}

/** Undefined when `text` is not the percent-encoding of UTF-8. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function refuse(expected: string): { readonly ok: false; readonly expected: string } {
  return { ok: false, expected };
}

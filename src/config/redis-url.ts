import { redactUrl } from './redact.ts';
import {
  formatHostPort,
  type HostPort,
  type Parsed,
  parseHostPort,
  type ValueType,
} from './values.ts';

/** Where a Redis is found: at one address, by asking Sentinels for a master, or on any node. */
type RedisEndpoint =
  | { readonly kind: 'server'; readonly address: HostPort }
  | { readonly kind: 'sentinel'; readonly sentinels: readonly HostPort[]; readonly master: string }
  | { readonly kind: 'cluster'; readonly nodes: readonly HostPort[] };

/** One Redis that coturn publishes to. */
export interface RedisSourceConfig {
  /** The `source` label; without credentials, different for each source. */
  readonly name: string;
  readonly endpoint: RedisEndpoint;
  /** Numbers of the databases that hold the status keys; at least one, each once. */
  readonly dbs: readonly number[];
  /** TLS to Redis, and to the Sentinels. */
  readonly tls: boolean;
  /** ACL user of Redis, not of the Sentinels; absent: the default user. */
  readonly username?: string;
  /** The one in the URL. Never empty; absent: see `RedisAccess.passwordFile`. Secret. */
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
  'redis://[user[:password]@]host[:port][/db,db][#name], redis+sentinel://host:port,host:port/master[/db,db][#name] or redis+cluster://host:port,host:port[#name]';

const PERCENT_ENCODING =
  'a user and password in percent-encoding (% is written %25, / %2F, # %23, @ %40)';

/** Allowed by Redis in names of masters: sentinel.c, sentinelIsValidMasterName of 6.2 and later. */
const MASTER_NAME = /^[A-Za-z0-9._-]{1,128}$/;

/** The `source` label: no blanks, control characters or `#`, and no longer than a label may be. */
const SOURCE_NAME = /^[^\s#\p{C}]{1,128}$/u;

/**
 * Values of `--redis.url`. In an environment variable several are separated by spaces, or by
 * commas before the next `redis…://` (other commas stand between hosts or databases).
 */
export const REDIS_URL: ValueType<RedisSourceConfig> = {
  placeholder: 'URL',
  expected: EXPECTED,
  parse: parseRedisUrl,
  redact: redactUrl,
  separator: /\s*,\s*(?=rediss?(?:\+(?:sentinel|cluster))?:\/\/)|\s+/i,
};

/**
 * `rediss://exporter:p%40ss@redis.example.org:6380/2#eu` → its parts, percent-decoded. Without a
 * `#name` the source is named `host:port/db`; with Sentinels `sentinel:port/master/db`, with a
 * cluster `node:port/cluster`, after the first of them. What is expected instead never repeats a part of the text.
 */
export function parseRedisUrl(text: string): Parsed<RedisSourceConfig> {
  const [, scheme, authority = '', path = '', fragment] =
    /^(rediss?(?:\+(?:sentinel|cluster))?):\/\/([^/?#]*)([^?#]*)(?:#(.*))?$/is.exec(text) ?? [];
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
  const location = parseLocation(scheme, authority.slice(at + 1), path);
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

type Location = Pick<RedisSourceConfig, 'name' | 'endpoint' | 'dbs'>;

function parseLocation(scheme: string, hosts: string, path: string): Parsed<Location> {
  if (/\+sentinel$/i.test(scheme)) return parseSentinels(hosts, path);
  return /\+cluster$/i.test(scheme) ? parseCluster(hosts, path) : parseServer(hosts, path);
}

function parseServer(host: string, path: string): Parsed<Location> {
  const address = parseAddress(host, REDIS_PORT);
  if (!address.ok) {
    return address;
  }
  const dbs = parseDbs(path.replace(/^\//, ''));
  if (!dbs.ok) {
    return dbs;
  }
  const name = `${formatHostPort(address.value)}/${dbs.value}`;
  const endpoint = { kind: 'server', address: address.value } as const;
  return { ok: true, value: { name, endpoint, dbs: dbs.value } };
}

function parseSentinels(hosts: string, path: string): Parsed<Location> {
  const sentinels = parseAddresses(hosts, SENTINEL_PORT);
  if (!sentinels.ok) {
    return sentinels;
  }
  const [, master = '', numbers = ''] = /^\/([^/]*)(?:\/(.*))?$/s.exec(path) ?? [];
  if (!MASTER_NAME.test(master)) {
    return refuse('the name of the master after the Sentinels, as in redis+sentinel://host/master');
  }
  const dbs = parseDbs(numbers);
  if (!dbs.ok) {
    return dbs;
  }
  const first = sentinels.value.slice(0, 1).map(formatHostPort).join();
  const name = `${first}/${master}/${dbs.value}`;
  const endpoint = { kind: 'sentinel', sentinels: sentinels.value, master } as const;
  return { ok: true, value: { name, endpoint, dbs: dbs.value } };
}

function parseCluster(hosts: string, path: string): Parsed<Location> {
  const nodes = parseAddresses(hosts, REDIS_PORT);
  if (!nodes.ok) {
    return nodes;
  }
  if (!/^\/?0?$/.test(path)) {
    return refuse('no database: a cluster has only number 0');
  }
  const name = `${nodes.value.slice(0, 1).map(formatHostPort).join()}/cluster`;
  return { ok: true, value: { name, endpoint: { kind: 'cluster', nodes: nodes.value }, dbs: [0] } };
}

function parseAddresses(hosts: string, defaultPort: number): Parsed<readonly HostPort[]> {
  const addresses: HostPort[] = [];
  for (const host of hosts.split(',')) {
    const address = parseAddress(host, defaultPort);
    if (!address.ok) {
      return address;
    }
    addresses.push(address.value);
  }
  return { ok: true, value: addresses };
}

function parseAddress(text: string, defaultPort: number): Parsed<HostPort> {
  const address = parseHostPort(text, { minPort: 1, defaultPort });
  if (address.ok || address.expected !== undefined) {
    return address;
  }
  return refuse('a host name, an IPv4 address or an IPv6 address in brackets after ://');
}

/** `0`, `0,1`; nothing means database 0. */
function parseDbs(text: string): Parsed<readonly number[]> {
  const dbs = (text === '' ? '0' : text).split(',').map(Number);
  const isList = /^(?:\d+(?:,\d+)*)?$/.test(text) && dbs.every((db) => db <= MAX_DB);
  return isList && new Set(dbs).size === dbs.length
    ? { ok: true, value: dbs }
    : refuse(`database numbers from 0 to ${MAX_DB}, each once, at the end of the path`);
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

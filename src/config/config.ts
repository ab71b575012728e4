import { createSecureContext } from 'node:tls';
import { errorCode } from '../log.ts';
import { ConfigError, quote } from './config-error.ts';
import { type Environment, parseOptions, rejectUnknownVariables } from './option-parser.ts';
import {
  DEFAULT_STATSDB_ADDRESS,
  type LogFormat,
  type LogLevel,
  OPTIONS,
  type OptionValues,
  type SessionGrouping,
  type UserLabel,
} from './options.ts';
import type { RedisSourceConfig } from './redis-url.ts';
import { formatHostPort, type HostPort } from './values.ts';

/** Everything the exporter can be told. Holds secrets: never log it as a whole. */
export interface Config {
  readonly redis: {
    /** Empty: no Redis is used. Names are unique. */
    readonly sources: readonly RedisSourceConfig[];
    /** Milliseconds between two scans of the status keys; at least 1000. */
    readonly resyncIntervalMs: number;
    /** For the sources with `tls`; absent: Node's defaults and no client certificate. */
    readonly tls?: RedisTlsConfig;
  };
  readonly statsdb: {
    /** Empty: the embedded statsdb is off. Never empty when there is no Redis. */
    readonly listen: readonly HostPort[];
    /** What coturn has to send as AUTH; absent: none is asked for. Secret. */
    readonly password?: string;
    /** Paths of PEM files; absent: plain text. */
    readonly tls?: StatsdbTlsConfig;
  };
  readonly web: { readonly listen: HostPort; readonly telemetryPath: string };
  readonly session: {
    readonly groupBy: SessionGrouping;
    /** Milliseconds that a closed allocation waits for late messages; may be 0. */
    readonly lingerMs: number;
  };
  readonly users: {
    readonly label: UserLabel;
    /** One character. */
    readonly restSeparator: string;
    /** Users with their own series, at least 1. */
    readonly maxSeries: number;
  };
  /** Realms with their own series, at least 1. */
  readonly realms: { readonly maxSeries: number };
  readonly records: {
    /** Absent: records go to standard output. */
    readonly file?: string;
    /** Absent: the exporter is alone. */
    readonly replica?: string;
  };
  readonly state: {
    /** Absent: live sessions are not saved. */
    readonly file?: string;
    /** Milliseconds between two savings. */
    readonly intervalMs: number;
  };
  /** `index` is below `total`. */
  readonly shard: { readonly index: number; readonly total: number };
  /** Without a format it is that of whoever reads it: a person at a terminal, or a program. */
  readonly log: { readonly level: LogLevel; readonly format?: LogFormat };
}

/** Contents of PEM files. `cert` and `key` come together. The key is secret. */
export interface RedisTlsConfig {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Paths of PEM files, which are read anew when they change. */
export interface StatsdbTlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile?: string;
}

/** Gives the text of a file, or throws. */
export type ReadFile = (path: string) => string;

type FileFlag =
  | 'redis.password-file'
  | 'redis.tls-ca-file'
  | 'redis.tls-cert-file'
  | 'redis.tls-key-file'
  | 'statsdb.password-file'
  | 'statsdb.tls-cert-file'
  | 'statsdb.tls-key-file'
  | 'statsdb.tls-client-ca-file';

/**
 * The values of all flags from arguments and environment. No file is read yet.
 *
 * @throws {ConfigError} also on unknown flags and unknown `COTURN_EXPORTER_…` variables
 */
export function readOptions(argv: readonly string[], env: Environment): OptionValues {
  const values = parseOptions(OPTIONS, argv, env);
  rejectUnknownVariables(env, Object.keys(OPTIONS));
  return values;
}

/**
 * The configuration that `values` and the files they name amount to.
 *
 * @throws {ConfigError} when values contradict each other, have no effect, or a file is unusable
 */
export function createConfig(values: OptionValues, readFile: ReadFile): Config {
  const redis = redisConfig(values, readFile);
  const records = values['records.file'];
  const replica = values['records.replica'];
  return {
    redis,
    statsdb: statsdbConfig(values, readFile),
    web: { listen: values['web.listen-address'], telemetryPath: values['web.telemetry-path'] },
    session: { groupBy: values['session.group-by'], lingerMs: values['session.linger'] },
    users: {
      label: values['user.label'],
      restSeparator: values['user.rest-separator'],
      maxSeries: values['user.max-series'],
    },
    realms: { maxSeries: values['realm.max-series'] },
    records: {
      ...(records === '-' || records === 'stdout' ? {} : { file: records }),
      ...(replica === undefined ? {} : { replica }),
    },
    state: stateConfig(values),
    shard: shardConfig(values),
    log: logConfig(values),
  };
}

/** All secrets in `config`, for `redact`. */
export function listSecrets(config: Config): string[] {
  const passwords = config.redis.sources.map((source) => source.password);
  const secrets = [...passwords, config.statsdb.password, config.redis.tls?.key];
  return secrets.filter((secret) => secret !== undefined);
}

function logConfig(values: OptionValues): Config['log'] {
  const format = values['log.format'];
  return { level: values['log.level'], ...(format === undefined ? {} : { format }) };
}

function stateConfig(values: OptionValues): Config['state'] {
  const file = values['state.file'];
  return { ...(file === undefined ? {} : { file }), intervalMs: values['state.interval'] };
}

function shardConfig(values: OptionValues): Config['shard'] {
  const index = values['shard.index'];
  const total = values['shard.total'];
  if (index >= total) {
    throw new ConfigError(
      `Cannot use --shard.index "${index}": expected a number below --shard.total, which is ${total}`,
    );
  }
  return { index, total };
}

function redisConfig(values: OptionValues, readFile: ReadFile): Config['redis'] {
  const urls = values['redis.url'];
  rejectSameName(urls);
  const password = readSecret(values, 'redis.password-file', readFile);
  if (password !== undefined && urls.every((source) => source.password !== undefined)) {
    throw unused('redis.password-file', 'a --redis.url without a password');
  }
  const sources = urls.map((source) => withPassword(source, password));
  const tls = redisTls(values, readFile);
  const resyncIntervalMs = values['redis.resync-interval'];
  return { sources, resyncIntervalMs, ...(tls === undefined ? {} : { tls }) };
}

function withPassword(source: RedisSourceConfig, password: string | undefined): RedisSourceConfig {
  if (source.password !== undefined) {
    return source;
  }
  if (password !== undefined) {
    return { ...source, password };
  }
  if (source.username !== undefined) {
    const name = quote(source.name);
    throw new ConfigError(
      `Cannot use --redis.url of source ${name}: expected a password with its user, in the URL or by --redis.password-file`,
    );
  }
  return source;
}

function rejectSameName(sources: readonly RedisSourceConfig[]): void {
  const names = new Set<string>();
  for (const { name } of sources) {
    if (names.has(name)) {
      throw new ConfigError(
        `Cannot use two --redis.url named ${quote(name)}: expected different #names at their ends`,
      );
    }
    names.add(name);
  }
}

function redisTls(values: OptionValues, readFile: ReadFile): RedisTlsConfig | undefined {
  const flags = { ca: 'redis.tls-ca-file', cert: 'redis.tls-cert-file', key: 'redis.tls-key-file' };
  const given = Object.values(flags).find((flag) => values[flag as FileFlag] !== undefined);
  if (given === undefined) {
    return undefined;
  }
  if (!values['redis.url'].some((source) => source.tls)) {
    throw unused(given as FileFlag, 'a --redis.url that starts with rediss');
  }
  const ca = readText(values, 'redis.tls-ca-file', readFile);
  const cert = readText(values, 'redis.tls-cert-file', readFile);
  const key = readText(values, 'redis.tls-key-file', readFile);
  if (cert === undefined && key !== undefined) {
    throw unused('redis.tls-key-file', '--redis.tls-cert-file with it');
  }
  if (cert !== undefined && key === undefined) {
    throw unused('redis.tls-cert-file', '--redis.tls-key-file with it');
  }
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  };
}

function statsdbConfig(values: OptionValues, readFile: ReadFile): Config['statsdb'] {
  const given = values['statsdb.listen-address'];
  const isDefault = given.length === 0 && values['redis.url'].length === 0;
  const listen = isDefault ? [DEFAULT_STATSDB_ADDRESS] : given;
  const fixed = listen.filter(({ port }) => port !== 0).map(formatHostPort);
  const twice = fixed.find((address, index) => fixed.indexOf(address) !== index);
  if (twice !== undefined) {
    throw new ConfigError(
      `Repeated --statsdb.listen-address ${quote(twice)}: expected each address once`,
    );
  }
  const password = readSecret(values, 'statsdb.password-file', readFile);
  if (password !== undefined && listen.length === 0) {
    throw unused('statsdb.password-file', '--statsdb.listen-address with it');
  }
  const tls = statsdbTls(values, readFile);
  if (tls !== undefined && listen.length === 0) {
    throw unused('statsdb.tls-cert-file', '--statsdb.listen-address with it');
  }
  return {
    listen,
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
  };
}

function statsdbTls(values: OptionValues, readFile: ReadFile): StatsdbTlsConfig | undefined {
  const certFile = values['statsdb.tls-cert-file'];
  const keyFile = values['statsdb.tls-key-file'];
  const clientCaFile = values['statsdb.tls-client-ca-file'];
  if (certFile === undefined) {
    const alone = keyFile === undefined ? 'statsdb.tls-client-ca-file' : 'statsdb.tls-key-file';
    if (values[alone] === undefined) return undefined;
    throw unused(alone, '--statsdb.tls-cert-file with it');
  }
  if (keyFile === undefined) {
    throw unused('statsdb.tls-cert-file', '--statsdb.tls-key-file with it');
  }
  readText(values, 'statsdb.tls-client-ca-file', readFile);
  const cert = readText(values, 'statsdb.tls-cert-file', readFile);
  const key = readText(values, 'statsdb.tls-key-file', readFile);
  rejectUnusablePair({ cert, key }, certFile);
  return { certFile, keyFile, ...(clientCaFile === undefined ? {} : { clientCaFile }) };
}

/** The message of OpenSSL is not used, for it may repeat what it read. */
function rejectUnusablePair(
  pair: { readonly cert: string | undefined; readonly key: string | undefined },
  certFile: string,
): void {
  try {
    createSecureContext(pair);
  } catch (cause) {
    throw new ConfigError(
      `Cannot use --statsdb.tls-cert-file ${quote(certFile)}: expected a PEM certificate, and its key in --statsdb.tls-key-file${shownCode(cause)}`,
      { cause },
    );
  }
}

/** A password file without the line break at its end; undefined when the flag is not given. */
function readSecret(values: OptionValues, flag: FileFlag, readFile: ReadFile): string | undefined {
  const secret = readText(values, flag, readFile)?.replace(/\r?\n$/, '');
  if (secret !== undefined && /^$|[\r\n\0]/.test(secret)) {
    const path = quote(values[flag] ?? '');
    throw new ConfigError(`Cannot use --${flag} ${path}: expected a password on a single line`);
  }
  return secret;
}

function readText(values: OptionValues, flag: FileFlag, readFile: ReadFile): string | undefined {
  const path = values[flag];
  if (path === undefined) {
    return undefined;
  }
  let text: string;
  try {
    text = readFile(path);
  } catch (cause) {
    const why = `expected a file that can be read${shownCode(cause)}`;
    throw new ConfigError(`Cannot read --${flag} ${quote(path)}: ${why}`, { cause });
  }
  if (text.trim() === '') {
    throw new ConfigError(`Cannot use --${flag} ${quote(path)}: expected a file that is not empty`);
  }
  return text;
}

/** ` (ENOENT)`; the message of an error is not used, for it may repeat what it read. */
function shownCode(cause: unknown): string {
  const code = errorCode(cause);
  return code !== undefined && /^[A-Z0-9_]+$/.test(code) ? ` (${code})` : '';
}

function unused(flag: FileFlag, expected: string): ConfigError {
  return new ConfigError(`Cannot use --${flag}: expected ${expected}`);
}

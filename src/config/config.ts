import { ConfigError, quote } from './config-error.ts';
import { rejectConflicts } from './conflicts.ts';
import { type Environment, parseOptions, rejectUnknownVariables } from './option-parser.ts';
import {
  DEFAULT_STATSDB_ADDRESS,
  type LogFormat,
  type LogLevel,
  OPTIONS,
  type OptionValues,
  type RecordedClient,
  type SessionGrouping,
  type UserLabel,
} from './options.ts';
import {
  checkTlsServer,
  type ReadFile,
  readSecret,
  readText,
  shownCode,
  unused,
} from './read-file.ts';
import {
  checkValidity,
  type RedisAccess,
  readCredentials,
  redisAccess,
  rejectTwice,
} from './redis-access.ts';
import type { RedisSourceConfig } from './redis-url.ts';
import {
  readServerLogins,
  readServerNames,
  type ServerLogin,
  type ServerNames,
} from './servers.ts';
import { formatHostPort, type HostPort } from './values.ts';

/** Everything the exporter can be told. Holds secrets: never log it as a whole. */
export interface Config {
  readonly redis: {
    /** Empty: no Redis is used. Names are unique. */
    readonly sources: readonly RedisSourceConfig[];
    /** Milliseconds between two scans of the status keys; at least 1000. */
    readonly resyncIntervalMs: number;
    readonly access: RedisAccess;
    /** Passwords and keys as they were at the start, for `redact`. */
    readonly secrets: readonly string[];
  };
  readonly statsdb: {
    /** Empty: the embedded statsdb is off. Never empty when there is no Redis. */
    readonly listen: readonly HostPort[];
    /** What coturn has to send as AUTH; absent, and no `servers`: none is asked for. Secret. */
    readonly password?: string;
    /** Those that are known by a password of their own, as they were at the start. Secret. */
    readonly servers?: readonly ServerLogin[];
    /** Where they are read from, anew when it changes. */
    readonly serversFile?: string;
    /** Paths of PEM files; absent: plain text. */
    readonly tls?: StatsdbTlsConfig;
  };
  readonly servers: {
    /** Of a coturn that connects by a loopback address; absent: the host name. */
    readonly name?: string;
    /** By address; may be empty. */
    readonly names: ServerNames;
    /** Milliseconds that the health of a server that is gone is shown. */
    readonly forgetAfterMs: number;
  };
  readonly web: {
    readonly listen: HostPort;
    readonly telemetryPath: string;
    /** Absent: plain HTTP without a login. Read, with what it names, when the server is made. */
    readonly configFile?: string;
    /** Requests for pages at a time, at least 1. */
    readonly maxRequests: number;
    /** Whether health is told without a login. */
    readonly probesUnauthenticated: boolean;
  };
  readonly session: {
    readonly groupBy: SessionGrouping;
    /** Milliseconds that a closed allocation waits for late messages; may be 0. */
    readonly lingerMs: number;
    /** Bytes of an allocation from which it relayed; absent: the rule of `domain/relayed.ts`. */
    readonly relayedMinBytes?: number;
  };
  readonly users: {
    readonly label: UserLabel;
    /** A regular expression that nobody has tried yet; absent: none. */
    readonly pattern?: string;
    /** One character. */
    readonly restSeparator: string;
    /** There with the label `hash` only. */
    readonly hashKeyFile?: string;
    /** Users with their own series, at least 1. */
    readonly maxSeries: number;
  };
  /** Realms with their own series, at least 1. */
  readonly realms: { readonly maxSeries: number };
  readonly records: {
    /** Absent: records go to standard output. */
    readonly file?: string;
    readonly client: RecordedClient;
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

/** Paths of PEM files, which are read anew when they change. */
export interface StatsdbTlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile?: string;
}

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
  const statsdb = statsdbConfig(values, readFile);
  rejectConflicts(values, statsdb.listen);
  return {
    redis,
    statsdb,
    servers: serversConfig(values, readFile),
    web: webConfig(values),
    session: sessionConfig(values),
    users: usersConfig(values),
    realms: { maxSeries: values['realm.max-series'] },
    records: {
      ...(records === '-' || records === 'stdout' ? {} : { file: records }),
      client: values['records.client'],
      ...(replica === undefined ? {} : { replica }),
    },
    state: stateConfig(values),
    shard: shardConfig(values, statsdb.listen),
    log: logConfig(values),
  };
}

/** All secrets in `config`, for `redact`. */
export function listSecrets(config: Config): string[] {
  const { redis, statsdb } = config;
  return [
    ...redis.secrets,
    ...(statsdb.password === undefined ? [] : [statsdb.password]),
    ...(statsdb.servers ?? []).map(({ password }) => password),
  ];
}

function usersConfig(values: OptionValues): Config['users'] {
  const label = values['user.label'];
  const pattern = values['user.pattern'];
  const hashKeyFile = values['user.hash-key-file'];
  if (label === 'hash' && hashKeyFile === undefined) {
    throw unused('user.label=hash', '--user.hash-key-file with it');
  }
  if (label !== 'hash' && hashKeyFile !== undefined) {
    throw unused('user.hash-key-file', '--user.label=hash with it');
  }
  return {
    label,
    restSeparator: values['user.rest-separator'],
    maxSeries: values['user.max-series'],
    ...(pattern === undefined ? {} : { pattern }),
    ...(hashKeyFile === undefined ? {} : { hashKeyFile }),
  };
}

function logConfig(values: OptionValues): Config['log'] {
  const format = values['log.format'];
  return { level: values['log.level'], ...(format === undefined ? {} : { format }) };
}

function serversConfig(values: OptionValues, readFile: ReadFile): Config['servers'] {
  const name = values['server.name'];
  return {
    ...(name === undefined ? {} : { name }),
    names: readServerNames(values['server.names-file'], readFile),
    forgetAfterMs: values['server.forget-after'],
  };
}

function webConfig(values: OptionValues): Config['web'] {
  const configFile = values['web.config.file'];
  const probesUnauthenticated = values['web.probes-unauthenticated'];
  if (probesUnauthenticated && configFile === undefined) {
    throw new ConfigError(
      'Cannot use --web.probes-unauthenticated: expected --web.config.file with it',
    );
  }
  return {
    listen: values['web.listen-address'],
    telemetryPath: values['web.telemetry-path'],
    ...(configFile === undefined ? {} : { configFile }),
    maxRequests: values['web.max-requests'],
    probesUnauthenticated,
  };
}

function stateConfig(values: OptionValues): Config['state'] {
  const file = values['state.file'];
  return { ...(file === undefined ? {} : { file }), intervalMs: values['state.interval'] };
}

function shardConfig(values: OptionValues, statsdb: readonly HostPort[]): Config['shard'] {
  const index = values['shard.index'];
  const total = values['shard.total'];
  if (index >= total) {
    throw new ConfigError(
      `Cannot use --shard.index "${index}": expected a number below --shard.total, which is ${total}`,
    );
  }
  // coturn connects to one address: what this replica passes over, no other one would ever hear.
  if (total > 1 && statsdb.length > 0) {
    throw new ConfigError(
      'Cannot use --shard.total with the embedded statsdb: expected --redis.url without --statsdb.listen-address, since coturn tells its events to one exporter only',
    );
  }
  return { index, total };
}

function redisConfig(values: OptionValues, readFile: ReadFile): Config['redis'] {
  const sources = values['redis.url'];
  rejectTwice(sources);
  const access = redisAccess(values);
  const credentials = readCredentials(access, readFile);
  // A running exporter waits for a new certificate, as it waits for a Redis.
  if (values['check-config']) checkValidity(credentials, access, new Date());
  const { password, sentinelPassword, tls } = credentials;
  const secrets = [password, sentinelPassword, tls.key, ...sources.map((one) => one.password)];
  return {
    sources,
    access,
    resyncIntervalMs: values['redis.resync-interval'],
    secrets: secrets.filter((secret) => secret !== undefined),
  };
}

function sessionConfig(values: OptionValues): Config['session'] {
  const relayedMinBytes = values['session.relayed-min-bytes'];
  return {
    groupBy: values['session.group-by'],
    lingerMs: values['session.linger'],
    ...(relayedMinBytes === undefined ? {} : { relayedMinBytes }),
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
  const password = readSecret(['statsdb.password-file', values['statsdb.password-file']], readFile);
  if (password !== undefined && listen.length === 0) {
    throw unused('statsdb.password-file', '--statsdb.listen-address with it');
  }
  const serversFile = values['statsdb.servers-file'];
  const servers = readServerLogins(serversFile, readFile, password);
  if (servers !== undefined && listen.length === 0) {
    throw unused('statsdb.servers-file', '--statsdb.listen-address with it');
  }
  const tls = statsdbTls(values, readFile);
  if (tls !== undefined && listen.length === 0) {
    throw unused('statsdb.tls-cert-file', '--statsdb.listen-address with it');
  }
  return {
    listen,
    ...(password === undefined ? {} : { password }),
    ...(servers === undefined || serversFile === undefined ? {} : { servers, serversFile }),
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
  readText(['statsdb.tls-client-ca-file', values['statsdb.tls-client-ca-file']], readFile);
  const cert = readText(['statsdb.tls-cert-file', values['statsdb.tls-cert-file']], readFile);
  const key = readText(['statsdb.tls-key-file', values['statsdb.tls-key-file']], readFile);
  rejectUnusablePair({ cert, key }, certFile);
  return { certFile, keyFile, ...(clientCaFile === undefined ? {} : { clientCaFile }) };
}

/** The message of OpenSSL is not used, for it may repeat what it read. */
function rejectUnusablePair(
  { cert = '', key = '' }: { readonly cert: string | undefined; readonly key: string | undefined },
  certFile: string,
): void {
  try {
    checkTlsServer({ cert, key });
  } catch (cause) {
    throw new ConfigError(
      `Cannot use --statsdb.tls-cert-file ${quote(certFile)}: expected a PEM certificate, and its key in --statsdb.tls-key-file${shownCode(cause)}`,
      { cause },
    );
  }
}

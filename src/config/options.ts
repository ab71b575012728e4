import { type OptionTable, renderMarkdown, renderOptions } from './option-parser.ts';
import { REDIS_URL, type RedisSourceConfig } from './redis-url.ts';
import {
  choice,
  datedFilePath,
  duration,
  filePath,
  formatHostPort,
  type HostPort,
  listenAddress,
  name,
  type Parsed,
  type ValueType,
  wholeNumber,
} from './values.ts';

/** What makes one session of allocations: a user, a user at one client address, one allocation. */
export type SessionGrouping = 'user' | 'client' | 'allocation';

/** How the `user` label is made of a username. */
export type UserLabel = 'userid' | 'raw' | 'hash' | 'none';

/** What a record tells of where its client connected from. */
export type RecordedClient = 'address' | 'none';

/** Levels of the operational log, as pino names them. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** How the operational log is written. */
export type LogFormat = 'json' | 'pretty';

/** The values of {@link OPTIONS}, by flag. Durations are milliseconds. */
export interface OptionValues {
  readonly 'redis.url': readonly RedisSourceConfig[];
  readonly 'redis.password-file': string | undefined;
  readonly 'redis.sentinel-user': string | undefined;
  readonly 'redis.sentinel-password-file': string | undefined;
  readonly 'redis.tls-ca-file': string | undefined;
  readonly 'redis.tls-cert-file': string | undefined;
  readonly 'redis.tls-key-file': string | undefined;
  readonly 'redis.resync-interval': number;
  readonly 'statsdb.listen-address': readonly HostPort[];
  readonly 'statsdb.password-file': string | undefined;
  readonly 'statsdb.servers-file': string | undefined;
  readonly 'statsdb.tls-cert-file': string | undefined;
  readonly 'statsdb.tls-key-file': string | undefined;
  readonly 'statsdb.tls-client-ca-file': string | undefined;
  readonly 'server.name': string | undefined;
  readonly 'server.names-file': string | undefined;
  readonly 'server.forget-after': number;
  readonly 'web.listen-address': HostPort;
  readonly 'web.telemetry-path': string;
  readonly 'web.config.file': string | undefined;
  readonly 'web.max-requests': number;
  readonly 'web.probes-unauthenticated': boolean;
  readonly 'session.group-by': SessionGrouping;
  readonly 'session.linger': number;
  readonly 'session.relayed-min-bytes': number | undefined;
  readonly 'user.label': UserLabel;
  readonly 'user.pattern': string | undefined;
  readonly 'user.rest-separator': string;
  readonly 'user.hash-key-file': string | undefined;
  readonly 'user.max-series': number;
  readonly 'realm.max-series': number;
  readonly 'records.file': string;
  readonly 'records.client': RecordedClient;
  readonly 'records.replica': string | undefined;
  readonly 'state.file': string | undefined;
  readonly 'state.interval': number;
  readonly 'shard.index': number;
  readonly 'shard.total': number;
  readonly 'log.level': LogLevel;
  readonly 'log.format': LogFormat | undefined;
  readonly 'check-config': boolean;
  readonly 'print-config': boolean;
  readonly version: boolean;
  readonly help: boolean;
}

/** A word after the program's name, for the help text. */
export interface CommandHelp {
  readonly name: string;
  readonly help: string;
}

/** Where coturn finds the exporter when neither a Redis nor an address is given. */
export const DEFAULT_STATSDB_ADDRESS: HostPort = { host: '127.0.0.1', port: 6380 };

/** Paths that have their own meaning and so cannot be the telemetry path. */
const OWN_PATHS = ['/livez', '/readyz', '/healthz', '/drain'];

/** The one definition of every flag, its environment variable, its help and its row in docs/configuration.md. */
export const OPTIONS: OptionTable<OptionValues> = {
  'redis.url': {
    kind: 'list',
    type: REDIS_URL,
    help: 'Redis that coturn publishes to: redis:// or rediss://[user[:password]@]host[:port][/db], redis+sentinel://host:port,host:port/master[/db], or redis+cluster://host:port,host:port. One Redis is one URL; several databases are written /0,1. A #name at the end names the source. Characters such as @ : / # % in a password are percent-encoded.',
  },
  'redis.password-file': {
    kind: 'single',
    type: filePath(),
    help: 'File with the password for every --redis.url that has none.',
  },
  'redis.sentinel-user': {
    kind: 'single',
    type: {
      placeholder: 'USER',
      expected: 'the name of a user',
      parse: (text): Parsed<string> => (text === '' ? { ok: false } : { ok: true, value: text }),
    },
    help: 'User of the Sentinels, where they have users of their own.',
  },
  'redis.sentinel-password-file': {
    kind: 'single',
    type: filePath(),
    help: 'File with the password of the Sentinels. They get none of the others.',
  },
  'redis.tls-ca-file': {
    kind: 'single',
    type: filePath(),
    help: 'PEM file with the authorities that sign the certificates of rediss:// servers.',
    defaultHelp: 'those of Node.js',
  },
  'redis.tls-cert-file': {
    kind: 'single',
    type: filePath(),
    help: 'PEM file with the client certificate for rediss:// servers.',
  },
  'redis.tls-key-file': {
    kind: 'single',
    type: filePath(),
    help: 'PEM file with the key of the client certificate.',
  },
  'redis.resync-interval': {
    kind: 'single',
    type: duration({ min: 1_000, max: 86_400_000 }),
    default: '1m',
    help: 'How often the status keys in Redis are compared with the live allocations.',
  },
  'statsdb.listen-address': {
    kind: 'list',
    type: listenAddress(),
    defaultHelp: `${formatHostPort(DEFAULT_STATSDB_ADDRESS)} when no --redis.url is given, else off`,
    help: "Address of the embedded statsdb, which listens like a Redis for coturn's redis-statsdb.",
  },
  'statsdb.password-file': {
    kind: 'single',
    type: filePath(),
    help: 'File with the password that coturn must send to the embedded statsdb.',
  },
  'statsdb.servers-file': {
    kind: 'single',
    type: filePath(),
    help: 'File with a line NAME:PASSWORD for each coturn, which is then the server NAME wherever it connects from, and restarts when it says so (docs/servers.md). Read again when it changes.',
  },
  'statsdb.tls-cert-file': {
    kind: 'single',
    type: filePath(),
    help: 'PEM file with the certificate of the embedded statsdb, which then speaks TLS only (tls=true in redis-statsdb, coturn 4.14 or later). Read again when it changes.',
  },
  'statsdb.tls-key-file': {
    kind: 'single',
    type: filePath(),
    help: 'PEM file with the key of that certificate.',
  },
  'statsdb.tls-client-ca-file': {
    kind: 'single',
    type: filePath(),
    help: 'PEM file with the authorities of client certificates; coturn must then show one (cert= and clientkey= in redis-statsdb).',
  },
  'server.name': {
    kind: 'single',
    type: name(),
    defaultHelp: 'the host name',
    help: 'Name of a coturn that connects to the embedded statsdb from this machine, by a loopback address.',
  },
  'server.names-file': {
    kind: 'single',
    type: filePath(),
    help: 'File with a line ADDRESS NAME for each address of a coturn, with :PORT where several share one: names servers that publish to Redis, or connect without a password of their own.',
  },
  'server.forget-after': {
    kind: 'single',
    type: duration({ min: 10_000, max: 31 * 86_400_000 }),
    default: '24h',
    help: 'How long the health of a server is shown after it was last there.',
  },
  'web.listen-address': {
    kind: 'single',
    type: listenAddress(),
    default: '0.0.0.0:10641',
    help: 'Address of the HTTP server. Port 0 picks a free port; the log says which.',
  },
  'web.telemetry-path': {
    kind: 'single',
    type: urlPath(),
    default: '/metrics',
    help: 'Path of the metrics.',
  },
  'web.config.file': {
    kind: 'single',
    type: filePath(),
    help: "File with TLS, client certificates and logins of the HTTP server, in the format of Prometheus' exporter-toolkit. Read again when it changes.",
  },
  'web.max-requests': {
    kind: 'single',
    type: wholeNumber({ min: 1, max: 10_000 }),
    default: '40',
    help: 'Most HTTP requests answered at a time; further ones get 503. /livez, /healthz and /readyz are always answered.',
  },
  'web.probes-unauthenticated': {
    kind: 'switch',
    help: 'Answer /livez, /healthz and /readyz without the login that --web.config.file asks for.',
  },
  'session.group-by': {
    kind: 'single',
    type: choice(['user', 'client', 'allocation']),
    default: 'user',
    help: 'What makes one session: the overlapping allocations of a user, of a user at one client address, or each allocation.',
  },
  'session.linger': {
    kind: 'single',
    type: duration({ min: 0, max: 3_600_000 }),
    default: '5s',
    help: 'How long to wait for late messages of a closed allocation before its session may finish.',
  },
  'session.relayed-min-bytes': {
    kind: 'single',
    type: wholeNumber({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    help: 'Bytes to and from peers from which an allocation makes its session relayed; without it a rule tells media from connectivity checks (docs/accounting.md).',
  },
  'user.label': {
    kind: 'single',
    type: choice(['userid', 'raw', 'hash', 'none']),
    default: 'userid',
    help: 'User shown in metrics and records: userid is the username without the expiry of TURN REST credentials, raw is the whole username, hash is a keyed hash of the userid and hides names and client addresses everywhere, none means no per-user series.',
  },
  'user.pattern': {
    kind: 'single',
    type: {
      placeholder: 'REGEXP',
      expected: 'a regular expression',
      parse: (text): Parsed<string> => (text === '' ? { ok: false } : { ok: true, value: text }),
    },
    help: 'Regular expression (RE2 syntax) for usernames: its named group user becomes the user, the others become attr_<name> in records. Names that do not match are taken as --user.label says (docs/privacy.md).',
  },
  'user.rest-separator': {
    kind: 'single',
    type: separator(),
    default: ':',
    help: 'Character between expiry and userid in TURN REST usernames.',
  },
  'user.hash-key-file': {
    kind: 'single',
    type: filePath(),
    help: 'File with the key of --user.label=hash, for example made by openssl rand -hex 32.',
  },
  'user.max-series': {
    kind: 'single',
    type: wholeNumber({ min: 1, max: 10_000_000 }),
    default: '10000',
    help: 'How many users can have their own series; the rest are summed as user "~other".',
  },
  'realm.max-series': {
    kind: 'single',
    type: wholeNumber({ min: 1, max: 1_000_000 }),
    default: '1000',
    help: 'How many realms can have their own series; the rest are summed as realm "other".',
  },
  'records.file': {
    kind: 'single',
    type: datedFilePath('the path of a file, or stdout'),
    default: 'stdout',
    help: 'File for the records of finished sessions; - or stdout means standard output. With %Y-%m-%d in its name there is one file a day (UTC) and a link to the newest, else it is reopened on SIGHUP for logrotate.',
  },
  'records.client': {
    kind: 'single',
    type: choice(['address', 'none']),
    default: 'address',
    help: 'Whether records tell the addresses of clients.',
  },
  'records.replica': {
    kind: 'single',
    type: name(),
    help: 'Name of this exporter in the field replica of each record, one for each of a pair that hears the same servers.',
  },
  'state.file': {
    kind: 'single',
    type: filePath(),
    help: 'File in which live sessions are saved, so that they continue after a restart.',
  },
  'state.interval': {
    kind: 'single',
    type: duration({ min: 1000, max: 3_600_000 }),
    default: '10s',
    help: 'How often the state file is saved.',
  },
  'shard.index': {
    kind: 'single',
    type: wholeNumber({ min: 0, max: 1023 }),
    default: '0',
    help: 'Number of this replica, from 0. Each replica accounts for a part of the users, by hash of their name.',
  },
  'shard.total': {
    kind: 'single',
    type: wholeNumber({ min: 1, max: 1024 }),
    default: '1',
    help: 'How many replicas share the users. They need a Redis: the embedded statsdb cannot be shared.',
  },
  'log.level': {
    kind: 'single',
    type: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    default: 'info',
    help: 'Lowest level that is logged to standard error: trace, debug, info, warn, error, fatal or silent.',
  },
  'log.format': {
    kind: 'single',
    type: choice(['json', 'pretty']),
    defaultHelp: 'pretty on a terminal, else json',
    help: 'Format of the log: json for programs, pretty for people.',
  },
  'check-config': {
    kind: 'switch',
    help: 'Check flags, environment and files, and that records and state can be written, then exit.',
  },
  'print-config': {
    kind: 'switch',
    help: 'Print what holds for every flag, without secrets, and where it came from, then exit.',
  },
  version: { kind: 'switch', help: 'Print the version, then exit.' },
  help: { kind: 'switch', help: 'Print this text, then exit.' },
};

/** The text of `--help`: 80 columns, ends in a line break. `commands` is empty or lists them all. */
export function renderHelp(commands: readonly CommandHelp[] = []): string {
  const width = Math.max(...commands.map(({ name }) => name.length), 0);
  const lines = commands.map(({ name, help }) => `  ${name.padEnd(width)}  ${help}\n`);
  const list = lines.length > 0 ? `\nCommands (none: run the exporter):\n${lines.join('')}` : '';
  return `Usage: coturn-exporter ${lines.length > 0 ? '[command] ' : ''}[flags]

Prometheus exporter and session records for coturn.
${list}
Flags, as --flag=value or --flag value. Each has a twin in the environment:
--redis.url is COTURN_EXPORTER_REDIS_URL. The flag wins. In the environment
several values are separated by spaces or commas; switches take true or false.

${renderOptions(OPTIONS)}`;
}

/** The flags that lead to a Redis, for the commands that take them too. */
export const REDIS_FLAGS = [
  'redis.url',
  'redis.password-file',
  'redis.sentinel-user',
  'redis.sentinel-password-file',
  'redis.tls-ca-file',
  'redis.tls-cert-file',
  'redis.tls-key-file',
] as const;

/** Some of the flags of the exporter, for a command that takes them too. */
export function pickOptions<const Name extends keyof OptionValues>(
  names: readonly Name[],
): Pick<OptionTable<OptionValues>, Name> {
  const rows = names.map((name) => [name, OPTIONS[name]]);
  // The rows of these names and no others.
  return Object.fromEntries(rows) as Pick<OptionTable<OptionValues>, Name>;
}

/** The table of flags in docs/configuration.md, as Markdown; ends in a line break. */
export function renderFlagTable(): string {
  return renderMarkdown(OPTIONS);
}

/** `/metrics`, `/turn/metrics`: nothing that a router, a proxy or a client reads in another way. */
function urlPath(): ValueType<string> {
  const isPath = (text: string): boolean => /^(?:\/(?!\.{1,2}(?:\/|$))[\w.~-]+)+$/.test(text);
  return {
    placeholder: 'PATH',
    expected: `a path such as /metrics, other than ${OWN_PATHS.join(', ')}`,
    parse: (text): Parsed<string> =>
      isPath(text) && !OWN_PATHS.includes(text) ? { ok: true, value: text } : { ok: false },
  };
}

/** coturn's `rest-api-separator` is one byte; a digit could not be told from the expiry. */
function separator(): ValueType<string> {
  return {
    placeholder: 'CHARACTER',
    expected: 'one visible ASCII character that is no digit',
    parse: (text) => (/^[!-/:-~]$/.test(text) ? { ok: true, value: text } : { ok: false }),
  };
}

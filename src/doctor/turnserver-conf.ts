import type { HostPort } from '../config/values.ts';

/** Where a coturn publishes to, as its configuration says. */
export interface StatsdbSetting {
  /** Of the file, from 1. */
  readonly lineNumber: number;
  readonly address: HostPort;
  /** Number of the database; the embedded statsdb does not ask for one. */
  readonly db: number;
  /** Secret; absent: coturn sends an empty one. */
  readonly password?: string;
  readonly tls: boolean;
  /** Words that coturn does not know, without their values: it may refuse the whole line for them. */
  readonly unknown: readonly string[];
}

type Meaning = 'host' | 'db' | 'password' | 'port' | 'tls' | 'other';

/** coturn's defaults (`dbd_redis.c`, `RyconninfoParse`). */
const DEFAULT_ADDRESS: HostPort = { host: '127.0.0.1', port: 6379 };

/** The names that coturn takes for each thing, in the same function. */
const NAMES: ReadonlyMap<string, Meaning> = new Map([
  ...names('host', ['host', 'ip', 'addr', 'ipaddr', 'hostaddr']),
  ...names('db', ['dbname', 'db', 'database']),
  ...names('password', ['password', 'pwd', 'passwd', 'secret']),
  ...names('port', ['port', 'p']),
  ...names('tls', ['tls']),
  ...names('other', ['user', 'uname', 'name', 'username', 'connect_timeout', 'timeout']),
  // 4.14 and later.
  ...names('other', ['ca', 'cacert', 'capath', 'cert', 'key', 'sni']),
]);

function names(meaning: Meaning, words: readonly string[]): (readonly [string, Meaning])[] {
  return words.map((word) => [word, meaning] as const);
}

/**
 * Every `redis-statsdb` of a `turnserver.conf`, in its order; the last one holds.
 *
 *     redis-statsdb="ip=127.0.0.1 dbname=0 port=6379"
 */
export function parseTurnserverConf(text: string): StatsdbSetting[] {
  return text.split('\n').flatMap((line, index) => {
    const [, value] = /^\s*redis-statsdb\s*[=\s]\s*(.*?)\s*$/.exec(line) ?? [];
    const unquoted = value?.replace(/^(["'])(.*)\1.*$/, '$2');
    return unquoted === undefined ? [] : [parseConnection(unquoted, index + 1)];
  });
}

/** `ip=127.0.0.1 dbname=0 password=… port=6379`: words apart by spaces, of which the last holds. */
function parseConnection(text: string, lineNumber: number): StatsdbSetting {
  const found = new Map<Meaning, string>();
  const unknown: string[] = [];
  for (const word of text.split(' ').filter((each) => each !== '')) {
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    const meaning = equals < 0 ? undefined : NAMES.get(name);
    if (meaning === undefined) unknown.push(name);
    else found.set(meaning, word.slice(equals + 1));
  }
  const password = found.get('password') ?? '';
  return {
    lineNumber,
    address: {
      host: found.get('host') ?? DEFAULT_ADDRESS.host,
      port: wholeNumber(found.get('port')) || DEFAULT_ADDRESS.port,
    },
    db: wholeNumber(found.get('db')),
    ...(password === '' ? {} : { password }),
    tls: /^(?:1|true|yes|on)$/i.test(found.get('tls') ?? ''),
    unknown,
  };
}

/** As C's `atoi` reads it: the digits at the beginning, else 0. */
function wholeNumber(text = ''): number {
  return Number(/^\d{1,9}/.exec(text)?.[0] ?? 0);
}

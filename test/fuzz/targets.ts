import { Buffer } from 'node:buffer';
import { readdirSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { parseCommandLine } from '../../src/config/command-line.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import { parseWebConfig } from '../../src/config/web-config.ts';
import { REJECT_REASONS } from '../../src/coturn/event.ts';
import { parseStatsKey, type Topic } from '../../src/coturn/key.ts';
import { parseEvent } from '../../src/coturn/payload.ts';
import { createCommandReader } from '../../src/sources/resp/commands.ts';
import { COMMAND_LIMITS, PROTOCOL_ERRORS } from '../../src/sources/resp/limits.ts';
import type { RespReader } from '../../src/sources/resp/reader.ts';
import { createReplyReader } from '../../src/sources/resp/replies.ts';
import { FINISHED, parseState, SESSION, stateText } from '../unit/state/saved.ts';

/** A reader of what comes from outside. */
export interface FuzzTarget {
  readonly name: string;
  /** Good input to start from. */
  seeds(): Buffer[];
  /** Reads any bytes. @throws when the reader does what it must not */
  run(bytes: Buffer): void;
}

const TOPICS: readonly Topic[] = [
  'status',
  'traffic',
  'traffic/peer',
  'total_traffic',
  'total_traffic/peer',
];
const CAPTURES = new URL('../fixtures/captures/', import.meta.url);
const WIRE = new URL('../fixtures/wire/4.6.1/wire.bin', import.meta.url);

function must(isSo: boolean, what: string): asserts isSo {
  if (!isSo) throw new Error(`Expected ${what}`);
}

/** Keys and payloads of the shortest recordings. */
function recorded(field: 'channel' | 'message'): Buffer[] {
  const folder = new URL('4.6.1/', CAPTURES);
  const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
  const texts = files.flatMap((name) =>
    readFileSync(new URL(name, folder), 'utf8')
      .split('\n', 20)
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as Record<typeof field, string>)[field]),
  );
  return [...new Set(texts)].slice(0, 50).map((text) => Buffer.from(text));
}

const KEY: FuzzTarget = {
  name: 'key',
  seeds: () => recorded('channel'),
  run(bytes) {
    const text = bytes.toString();
    const key = parseStatsKey(text);
    if (!key.ok) return must(REJECT_REASONS.includes(key.reason), 'a reason of the closed set');
    must(`${key.allocationKey}/${key.topic}` === text, 'the parts to make the whole');
    must(/\/allocation\/[0-9]{18}$/.test(key.allocationKey), 'an id of 18 digits');
    must(key.allocationKey.includes(`user/${key.username}/allocation/`), 'the name in its place');
  },
};

const PAYLOAD: FuzzTarget = {
  name: 'payload',
  seeds: () => recorded('message'),
  run(bytes) {
    for (const topic of TOPICS) {
      const parsed = parseEvent(topic, bytes.toString());
      if (!parsed.ok) {
        must(REJECT_REASONS.includes(parsed.reason), 'a reason of the closed set');
        continue;
      }
      const { event } = parsed;
      const numbers =
        'numbers' in event
          ? [...event.numbers]
          : 'lifetimeSeconds' in event
            ? [event.lifetimeSeconds]
            : [];
      must(
        numbers.every((value) => Number.isSafeInteger(value) && value >= 0),
        'whole numbers',
      );
    }
  },
};

/** What a reader made of bytes that came in these pieces. */
interface Reading {
  readonly seen: readonly unknown[];
  readonly refusal: string | undefined;
}

function read(pieces: readonly Buffer[], create: (seen: unknown[]) => RespReader): Reading {
  const seen: unknown[] = [];
  const reader = create(seen);
  let refusal: string | undefined;
  for (const piece of pieces) refusal ??= reader.push(Buffer.from(piece));
  return { seen, refusal };
}

/** The same is read however the bytes are cut. */
function readsAlike(bytes: Buffer, create: (seen: unknown[]) => RespReader): Reading {
  const whole = read([bytes], create);
  const half = bytes.length >> 1;
  const halves = read([bytes.subarray(0, half), bytes.subarray(half)], create);
  const single = read(
    Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)),
    create,
  );
  must(isDeepStrictEqual(whole.seen, halves.seen), 'the same from halves as from the whole');
  must(isDeepStrictEqual(whole.seen, single.seen), 'the same from single bytes as from the whole');
  // Which fault is seen, and how soon, may depend on the cut.
  return whole;
}

const COMMANDS: FuzzTarget = {
  name: 'commands',
  seeds: () => {
    const bytes = readFileSync(WIRE);
    return [bytes.subarray(0, 500), Buffer.from('PING\r\nAUTH "a b"\r\n*1\r\n$4\r\nQUIT\r\n')];
  },
  run(bytes) {
    const { refusal } = readsAlike(bytes, (seen) =>
      createCommandReader(
        {
          messageInPlace: () => false,
          message: (key, payload) => void seen.push(['publish', key, payload]),
          command: (args) => void seen.push([...args]),
        },
        COMMAND_LIMITS,
      ),
    );
    must(
      refusal === undefined || PROTOCOL_ERRORS.some((reason) => reason === refusal),
      'a refusal of the closed set',
    );
  },
};

const REPLIES: FuzzTarget = {
  name: 'replies',
  seeds: () => [
    Buffer.from(
      '*4\r\n$8\r\npmessage\r\n$12\r\nturn/realm/*\r\n$1\r\na\r\n$2\r\n\xc3\xa9\r\n+OK\r\n',
    ),
    Buffer.from('*3\r\n$10\r\npsubscribe\r\n$11\r\nturn/user/*\r\n:1\r\n-ERR no\r\n*-1\r\n$-1\r\n'),
  ],
  // A Redis is trusted to keep to the protocol: what it sends must not throw, and no more.
  run(bytes) {
    for (const pieces of [[bytes], [bytes.subarray(0, bytes.length >> 1), bytes]]) {
      read(pieces, (seen) =>
        createReplyReader({
          messageInPlace: () => false,
          message: (key, payload) => void seen.push([key, payload]),
          other: (reply) => void seen.push(reply),
        }),
      );
    }
  },
};

const STATE: FuzzTarget = {
  name: 'state',
  seeds: () => [Buffer.from(stateText([SESSION, FINISHED]))],
  run(bytes) {
    try {
      parseState(bytes.toString());
    } catch (error) {
      must(error instanceof Error && !(error instanceof TypeError), 'words for an operator');
    }
  },
};

const FLAGS: FuzzTarget = {
  name: 'flags',
  seeds: () =>
    [
      '--redis.url=redis+sentinel://u:p@a,b:1/m/2#x\n--redis.resync-interval\n2m',
      '--statsdb.listen-address=[::1]:6380\n--web.telemetry-path=/turn/m\n--help',
      '--session.linger=500ms\n--user.rest-separator=|\n--log.level=warn\n--check-config',
    ].map((text) => Buffer.from(text)),
  run(bytes) {
    const secret = 'hunter2';
    const args = bytes.toString().split('\n');
    try {
      parseCommandLine(args, { COTURN_EXPORTER_REDIS_URL: `redis://u:${secret}@h/x` });
    } catch (error) {
      must(error instanceof ConfigError, `an error of the configuration, not ${String(error)}`);
      must(!error.message.includes('\n'), 'one line');
      must(!error.message.includes(secret), 'no secret in words');
    }
  },
};

const HASH = '$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi';

const WEB_CONFIG: FuzzTarget = {
  name: 'web-config',
  seeds: () =>
    [
      'tls_server_config:\n  cert_file: a.pem\n  key_file: a.key\n  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  client_allowed_sans: [a.example]\n',
      'tls_server_config:\n  cert: |\n    x\n  key: "y"\n  min_version: TLS12\n  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n  curve_preferences: [X25519]\n',
      `basic_auth_users:\n  alice: ${HASH}\n  "bob ": &a ${HASH}\n  carol: *a\n`,
      'http_server_config:\n  http2: false\n  headers:\n    X-Frame-Options: deny\n',
      '# none\nrate_limit: {interval: 1m30s, burst: 3}\n',
    ].map((text) => Buffer.from(text)),
  run(bytes) {
    try {
      const { users, headers, rateLimit } = parseWebConfig(bytes.toString());
      for (const hash of users.values()) must(/^\$2.?\$\d\d\$.{53}$/.test(hash), 'hashes');
      for (const value of Object.values(headers)) must(!/[\r\n]/.test(value), 'one line a header');
      must(rateLimit === undefined || rateLimit.burst >= 0, 'a burst');
    } catch (error) {
      must(error instanceof ConfigError, `an error of the configuration, not ${String(error)}`);
      must(!error.message.includes('\n'), 'one line');
      must(!error.message.includes(HASH), 'no hash in words');
    }
  },
};

export const TARGETS: readonly FuzzTarget[] = [
  ...[KEY, PAYLOAD, COMMANDS, REPLIES, STATE, FLAGS],
  WEB_CONFIG,
];

import { Buffer } from 'node:buffer';
import { connect, type Socket } from 'node:net';
import { platform } from 'node:os';
import { parseRedisUrl } from '../config/redis-url.ts';
import { type HostPort, type Parsed, parseHostPort, type ValueType } from '../config/values.ts';
import { STATUS_KEYS_PATTERN } from '../coturn/patterns.ts';
import type { Flavour } from './fleet-options.ts';

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
  const { endpoint, dbs, tls, username, password } = parsed.value;
  const [db = 0, ...more] = dbs;
  if (endpoint.kind !== 'server' || tls || more.length > 0) {
    return { ok: false, expected: `${EXPECTED}, without TLS or Sentinel` };
  }
  const credentials = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
  return { ok: true, value: { kind: 'redis', address: endpoint.address, db, ...credentials } };
}

/**
 * A connected socket. To a statsdb on loopback it comes from `localAddress`, so that a listener sees
 * as many servers as there are (Linux has all of 127.0.0.0/8; elsewhere the system chooses).
 */
export function connectTo(target: Target, localAddress: string): Promise<Socket> {
  const { host, port } = target.address;
  const isLoopback = host === 'localhost' || host.startsWith('127.');
  const canChoose = target.kind === 'statsdb' && isLoopback && platform() === 'linux';
  const from = canChoose ? { localAddress, family: 4 } : {};
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, ...from });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/** `*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n`: a Redis command as hiredis sends it, to be written as UTF-8. */
export function encodeCommand(parts: readonly string[]): string {
  let text = `*${parts.length}\r\n`;
  for (const part of parts) text += `$${Buffer.byteLength(part)}\r\n${part}\r\n`;
  return text;
}

/** The same for `publish` and `set`, which make up almost all there is. */
export function encodePair(command: 'publish' | 'set', key: string, text: string): string {
  const name = command === 'set' ? '*3\r\n$3\r\nset\r\n$' : '*3\r\n$7\r\npublish\r\n$';
  const keyBytes = Buffer.byteLength(key);
  return `${name}${keyBytes}\r\n${key}\r\n$${text.length}\r\n${text}\r\n`;
}

/**
 * The AUTH command of a version of coturn as a list of its parts, empty when it sends none. Up to
 * 4.6.2 `AUTH ""` is sent even where no password is configured; the refusal is ignored.
 */
export function authCommand(target: Target, flavour: Flavour): readonly string[] {
  const { username, password } = target;
  if (password !== undefined) {
    return username === undefined ? ['AUTH', password] : ['AUTH', username, password];
  }
  return flavour.emptyAuth ? ['AUTH', ''] : [];
}

/** One reply of a Redis: its text, an error, or the items of an array of strings. */
export type Reply =
  | { readonly kind: 'text' | 'error'; readonly text: string }
  | { readonly kind: 'array'; readonly items: readonly string[] };

const LINE_END = '\r\n';

/**
 * Reads the replies that coturn waits for when it starts: lines, integers, bulk strings, and arrays
 * of bulk strings. Texts are kept byte for byte, one character (latin1) for each.
 */
export class ReplyReader {
  #input = '';
  #offset = 0;
  #items: string[] = [];
  #expected = 0;

  /**
   * Takes what arrived, `+OK\r\n*1\r\n$3\r\nkey\r\n` for example, and gives the replies that are
   * complete now.
   *
   * @throws {SyntaxError} when it is no Redis that answers
   */
  push(chunk: Buffer): Reply[] {
    this.#input = this.#input.slice(this.#offset) + chunk.toString('latin1');
    this.#offset = 0;
    const replies: Reply[] = [];
    for (let reply = this.#next(); reply !== undefined; reply = this.#next()) replies.push(reply);
    return replies;
  }

  #next(): Reply | undefined {
    for (;;) {
      if (this.#expected > 0 && this.#items.length === this.#expected) return this.#takeArray();
      const start = this.#offset;
      const text = this.#token();
      if (text === undefined) return undefined;
      const kind = this.#input.charAt(start);
      if (kind === '*') {
        this.#expected = lengthOf(text);
        if (this.#expected === 0) return { kind: 'array', items: [] };
      } else if (this.#expected > 0) this.#items.push(text);
      else return { kind: kind === '-' ? 'error' : 'text', text };
    }
  }

  /** The text of one line or bulk string; undefined, and nothing read, until it is there whole. */
  #token(): string | undefined {
    const end = this.#input.indexOf(LINE_END, this.#offset);
    if (end < 0) return undefined;
    const kind = this.#input.charAt(this.#offset);
    if (!'*$+-:'.includes(kind)) throw new SyntaxError('Cannot read a reply: expected a Redis');
    const line = this.#input.slice(this.#offset + 1, end);
    if (kind === '$') return this.#bulk(end, lengthOf(line));
    this.#offset = end + LINE_END.length;
    return line;
  }

  #takeArray(): Reply {
    const items = this.#items;
    this.#items = [];
    this.#expected = 0;
    return { kind: 'array', items };
  }

  /** Undefined until it is there whole; the offset moves only then. */
  #bulk(lineEnd: number, length: number): string | undefined {
    const start = lineEnd + LINE_END.length;
    const end = start + length;
    if (this.#input.length < end + LINE_END.length) return undefined;
    this.#offset = end + LINE_END.length;
    return this.#input.slice(start, end);
  }
}

function lengthOf(line: string): number {
  if (!/^\d{1,9}$/.test(line)) {
    throw new SyntaxError('Cannot read a reply: expected a length');
  }
  return Number(line);
}

const ANSWER_TIMEOUT_MS = 10_000;

/**
 * What coturn does before it serves anybody: on a connection of its own it waits for the answers to
 * AUTH, SELECT and KEYS, deletes every status key of the database, also those of other servers, and
 * goes (coturn-events.md, section 8). Here the deletions do not wait for each other.
 *
 * @returns how many keys there were
 * @throws {Error} when nobody answers, or the target refuses the login
 */
export async function deleteStatusKeys(
  target: Target,
  from: { readonly localAddress: string; readonly flavour: Flavour },
): Promise<number> {
  const socket = await connectTo(target, from.localAddress);
  try {
    const auth = authCommand(target, from.flavour);
    if (auth.length > 0) {
      const [answer] = await ask(socket, [auth]);
      if (target.password !== undefined || !isAboutPassword(answer)) refuseError(answer);
    }
    const [selected] = await ask(socket, [['select', String(target.db)]]);
    refuseError(selected);
    const [keys] = await ask(socket, [['keys', STATUS_KEYS_PATTERN]]);
    if (keys?.kind !== 'array') throw new Error('Cannot list the status keys: expected an array');
    const deletions = keys.items.map((key) => ['del', key]);
    if (deletions.length > 0) await ask(socket, deletions, 'latin1');
    return keys.items.length;
  } finally {
    socket.end();
  }
}

/** Sends commands and waits for one reply to each. */
function ask(
  socket: Socket,
  commands: readonly (readonly string[])[],
  encoding: 'utf8' | 'latin1' = 'utf8',
): Promise<Reply[]> {
  const reader = new ReplyReader();
  const replies: Reply[] = [];
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown): void => {
      clearTimeout(timer);
      socket.off('data', onData).off('error', settle).off('close', onClose);
      // Whatever happens to it later is nobody's business here.
      socket.on('error', () => socket.destroy());
      if (error === undefined) resolve(replies);
      else reject(error);
    };
    const onClose = (): void => settle(new Error('The connection was closed'));
    const onData = (chunk: Buffer): void => {
      try {
        for (const reply of reader.push(chunk)) replies.push(reply);
      } catch (error) {
        settle(error);
        return;
      }
      if (replies.length >= commands.length) settle();
    };
    const timer = setTimeout(() => settle(new Error('No answer within 10 s')), ANSWER_TIMEOUT_MS);
    socket.on('data', onData).on('error', settle).on('close', onClose);
    for (const command of commands) socket.write(encodeText(command, encoding), encoding);
  });
}

/** With latin1 each character is one byte, and lengths must be told accordingly. */
function encodeText(command: readonly string[], encoding: 'utf8' | 'latin1'): string {
  if (encoding === 'utf8') return encodeCommand(command);
  const parts = command.map((part) => `$${part.length}\r\n${part}\r\n`);
  return `*${parts.length}\r\n${parts.join('')}`;
}

/** The refusal of `AUTH ""`, which coturn ignores; where a password is needed SELECT tells so. */
function isAboutPassword(reply: Reply | undefined): boolean {
  return reply?.kind === 'error' && /AUTH|PASS/.test(reply.text);
}

function refuseError(reply: Reply | undefined): void {
  if (reply?.kind === 'error') throw new Error(`Refused: ${reply.text}`);
}

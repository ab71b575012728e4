import { Buffer, isAscii } from 'node:buffer';
import { PendingBytes } from './pending-bytes.ts';

/** Takes what a {@link PushFilter} finds. */
export interface PushHandler {
  /**
   * The hot path of {@link message}. The strings may be slices of all that was read: keep none.
   *
   * @returns false when it did nothing: `message` follows with strings of their own
   */
  messageShared(key: string, payload: string): boolean;
  /** A message of a pattern subscription; the strings may be kept. */
  message(key: string, payload: string): void;
  /** Whole replies of any other kind, as they came. */
  other(bytes: Buffer): void;
}

/** How every message of a pattern subscription begins. */
const PREFIX = Buffer.from('*4\r\n$8\r\npmessage\r\n');

/** The most bytes of one reply: Redis itself allows 512 MB, a message of coturn has 1,600. */
const MAX_REPLY_BYTES = 16 * 1024 * 1024;

const NO_BYTES = Buffer.alloc(0);
const LF = 10;
const ZERO = 48;

/**
 * Takes messages of pattern subscriptions out of what a Redis sends and leaves the rest to the
 * client that holds the connection. A client makes four strings, an array and an event of each
 * message; this makes two slices.
 */
export class PushFilter {
  readonly #handler: PushHandler;
  readonly #pending = new PendingBytes();
  // The chunk that is being read: its bytes, and the same as one character each.
  #bytes: Buffer = NO_BYTES;
  #text = '';
  #isAscii = true;
  // Set by #bulk: where the text starts and ends.
  #start = 0;
  #end = 0;

  constructor(handler: PushHandler) {
    this.#handler = handler;
  }

  /**
   * Takes what arrived, split anywhere.
   *
   * @returns false when it is not what a Redis sends, and the connection is of no more use
   */
  push(chunk: Buffer): boolean {
    const pending = this.#pending;
    const input = pending.length === 0 ? chunk : pending.append(chunk, MAX_REPLY_BYTES);
    this.#bytes = input;
    this.#text = input.toString('latin1');
    this.#isAscii = isAscii(input);
    const consumed = this.#readAll();
    this.#bytes = NO_BYTES;
    this.#text = '';
    if (consumed < 0 || input.length - consumed > MAX_REPLY_BYTES) {
      pending.clear();
      return false;
    }
    pending.keep(input, consumed);
    return true;
  }

  /** The offset behind the last whole reply; UNREADABLE when there can be none. */
  #readAll(): number {
    const { length } = this.#bytes;
    let at = 0;
    while (at < length) {
      const next = this.#isMessage(at) ? this.#readMessage(at) : this.#readOther(at);
      if (next === UNREADABLE) return UNREADABLE;
      if (next === INCOMPLETE) break;
      at = next;
    }
    return at;
  }

  #isMessage(at: number): boolean {
    const bytes = this.#bytes;
    if (at + PREFIX.length > bytes.length) return false;
    for (let index = 0; index < PREFIX.length; index += 1) {
      if (bytes[at + index] !== PREFIX[index]) return false;
    }
    return true;
  }

  #readMessage(at: number): number {
    const pattern = this.#readBulk(at + PREFIX.length);
    if (pattern < 0) return pattern;
    const channel = this.#readBulk(pattern);
    if (channel < 0) return channel;
    const keyStart = this.#start;
    const keyEnd = this.#end;
    const next = this.#readBulk(channel);
    if (next < 0) return next;
    const start = this.#start;
    const end = this.#end;
    const text = this.#text;
    const handler = this.#handler;
    if (
      this.#isAscii &&
      handler.messageShared(text.slice(keyStart, keyEnd), text.slice(start, end))
    ) {
      return next;
    }
    handler.message(
      this.#bytes.toString('utf8', keyStart, keyEnd),
      this.#bytes.toString('utf8', start, end),
    );
    return next;
  }

  #readOther(at: number): number {
    const end = replyEnd(this.#bytes, at);
    if (end > 0) this.#handler.other(this.#bytes.subarray(at, end));
    return end;
  }

  /** One `$3\r\nabc\r\n`; sets where it starts and ends, gives the offset behind it. */
  #readBulk(at: number): number {
    const bytes = this.#bytes;
    let length = 0;
    let cursor = at + 1;
    for (; cursor < bytes.length; cursor += 1) {
      const digit = (bytes[cursor] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      length = length * 10 + digit;
    }
    // Behind the digits stand a carriage return and a line feed, and the same behind the text.
    this.#start = cursor + 2;
    this.#end = this.#start + length;
    if (length > MAX_REPLY_BYTES) return UNREADABLE;
    if (this.#end + 2 > bytes.length) return INCOMPLETE;
    return bytes[this.#start - 1] === LF && bytes[this.#end + 1] === LF
      ? this.#end + 2
      : UNREADABLE;
  }
}

/** More bytes are needed to tell. */
export const INCOMPLETE = -1;
/** It is not a reply of the Redis protocol. */
export const UNREADABLE = -2;

/** Arrays in arrays: a Redis nests two deep in what a subscriber may get. */
const MAX_DEPTH = 8;

const CR = 13;
const PLUS = 43;
const MINUS = 45;
const COLON = 58;
const DOLLAR = 36;
const ASTERISK = 42;

/**
 * Where the reply that starts at `at` ends: the offset behind it, {@link INCOMPLETE} or
 * {@link UNREADABLE}. RESP2 only: a connection speaks it unless it asks for another.
 */
export function replyEnd(bytes: Buffer, at: number, depth = 0): number {
  if (depth > MAX_DEPTH) return UNREADABLE;
  const lineEnd = bytes.indexOf(LF, at);
  if (lineEnd < 0) return isType(bytes[at]) ? INCOMPLETE : UNREADABLE;
  if (bytes[lineEnd - 1] !== CR) return UNREADABLE;
  const behind = lineEnd + 1;
  switch (bytes[at]) {
    case PLUS:
    case MINUS:
    case COLON:
      return behind;
    case DOLLAR: {
      const length = numberOf(bytes, at, lineEnd);
      if (Number.isNaN(length)) return UNREADABLE;
      // -1 is the null string, which has no text.
      const end = length < 0 ? behind : behind + length + 2;
      return end > bytes.length ? INCOMPLETE : end;
    }
    case ASTERISK: {
      const count = numberOf(bytes, at, lineEnd);
      if (Number.isNaN(count)) return UNREADABLE;
      let end = behind;
      for (let index = 0; index < count; index += 1) {
        end = replyEnd(bytes, end, depth + 1);
        if (end < 0) return end;
      }
      return end;
    }
    default:
      return UNREADABLE;
  }
}

function isType(byte: number | undefined): boolean {
  return (
    byte === undefined ||
    byte === PLUS ||
    byte === MINUS ||
    byte === COLON ||
    byte === DOLLAR ||
    byte === ASTERISK
  );
}

/** The number of a `$7\r\n` line; NaN when it is none. */
function numberOf(bytes: Buffer, at: number, lineEnd: number): number {
  const text = bytes.toString('latin1', at + 1, lineEnd - 1);
  return /^(?:-1|\d{1,10})$/.test(text) ? Number(text) : Number.NaN;
}

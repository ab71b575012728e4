import { Buffer, isAscii } from 'node:buffer';
import { parseInline } from './inline.ts';
import type { ProtocolError } from './limits.ts';
import { type CommandLimits, MAX_INLINE_BYTES, MAX_LENGTH_DIGITS } from './limits.ts';
import { PendingBytes } from './pending-bytes.ts';
import { isPublish, PUBLISH_BYTES } from './publish-prefix.ts';

/** Takes the commands a {@link Decoder} finds, in their order. */
export interface CommandHandler {
  /**
   * The hot path of {@link publish}. The strings may be slices of all that was read: keep none.
   *
   * @returns false when it did nothing: `publish` follows with strings of their own
   */
  publishShared(key: string, payload: string): boolean;
  /** A `PUBLISH` with its two arguments; they may be kept. */
  publish(key: string, payload: string): void;
  /** Any other command: its name as sent, then its arguments; at least the name. */
  command(args: readonly string[]): void;
}

/** What a reading function gives instead of an offset or a length: more bytes are needed. */
const INCOMPLETE = -1;
/** The same, after {@link Decoder.error} was set. */
const FAILED = -2;

const NO_BYTES = Buffer.alloc(0);
const CR = 13;
const LF = 10;
const DOLLAR = 36;
const ASTERISK = 42;
const ZERO = 48;
const LOWER_CASE = 0x20;

/**
 * Incremental decoder of Redis commands (RESP2 arrays of bulk strings, and inline commands): bytes
 * in, commands out, split anywhere. Text is UTF-8; what is not becomes U+FFFD. Never throws, and
 * never holds more than `limits.maxCommandBytes`: lengths are refused before their bytes arrive.
 *
 * A chunk is turned into one string, whose slices are handed to `publishShared`: that is several
 * times cheaper than a string for each argument. Only arguments that are not ASCII are decoded.
 */
export class Decoder {
  /** In force from the next command on; may be exchanged at any time. */
  limits: CommandLimits;
  readonly #handler: CommandHandler;
  readonly #pending = new PendingBytes();
  #error: ProtocolError | undefined;
  /** Bytes without which the pending command cannot be whole. */
  #needed = 0;
  // The chunk that is being read: its bytes, the same as one character each, and whether that is
  // what they mean.
  #bytes: Buffer = NO_BYTES;
  #text = '';
  #isAscii = true;
  /** Where the command being read starts. */
  #start = 0;
  /** Set by `#number` and `#bulk`: the offset behind the line; where the argument starts and ends. */
  #cursor = 0;
  #argumentStart = 0;
  #argumentEnd = 0;

  constructor(handler: CommandHandler, limits: CommandLimits) {
    this.#handler = handler;
    this.limits = limits;
  }

  /** Bytes of an unfinished command that are held. */
  get pendingBytes(): number {
    return this.#pending.length;
  }

  /**
   * Decodes what arrived, calling the handler for each whole command.
   *
   * @returns why it cannot go on, for this chunk and all later ones; undefined while all is well
   */
  push(chunk: Buffer): ProtocolError | undefined {
    if (this.#error !== undefined) return this.#error;
    const pending = this.#pending;
    const input = pending.length === 0 ? chunk : pending.append(chunk, this.limits.maxCommandBytes);
    if (input.length < this.#needed) return undefined;
    this.#bytes = input;
    this.#text = input.toString('latin1');
    this.#isAscii = isAscii(input);
    const consumed = this.#readAll();
    this.#bytes = NO_BYTES;
    this.#text = '';
    if (this.#error === undefined && input.length - consumed > this.limits.maxCommandBytes) {
      this.#fail('command_too_long');
    }
    if (this.#error === undefined) pending.keep(input, consumed);
    else pending.clear();
    return this.#error;
  }

  /** Reads whole commands; gives the offset behind the last one. */
  #readAll(): number {
    const end = this.#bytes.length;
    let at = 0;
    while (at < end) {
      this.#start = at;
      this.#needed = 0;
      const next = isPublish(this.#bytes, at) ? this.#readPublish(at) : this.#readCommand(at);
      if (next < 0) return at;
      at = next;
    }
    this.#needed = 0;
    return at;
  }

  #readPublish(at: number): number {
    const second = this.#readBulk(at + PUBLISH_BYTES);
    if (second < 0) return second;
    const keyStart = this.#argumentStart;
    const keyEnd = this.#argumentEnd;
    const next = this.#readBulk(second);
    if (next < 0) return next;
    const start = this.#argumentStart;
    const end = this.#argumentEnd;
    const handler = this.#handler;
    if (!handler.publishShared(this.#shared(keyStart, keyEnd), this.#shared(start, end))) {
      handler.publish(this.#copied(keyStart, keyEnd), this.#copied(start, end));
    }
    return next;
  }

  #readCommand(at: number): number {
    if (this.#bytes[at] !== ASTERISK) return this.#readInline(at);
    const count = this.#readNumber(at + 1);
    if (count < 0) return count;
    if (count > this.limits.maxArguments) return this.#fail('too_many_arguments');
    // Offsets first, text when the command is whole: a slow sender is not decoded again and again.
    const offsets: number[] = [];
    let next = this.#cursor;
    for (let index = 0; index < count; index++) {
      next = this.#readBulk(next);
      if (next < 0) return next;
      offsets.push(this.#argumentStart, this.#argumentEnd);
    }
    const args: string[] = [];
    for (let index = 0; index < offsets.length; index += 2) {
      args.push(this.#copied(offsets[index] ?? 0, offsets[index + 1] ?? 0));
    }
    if (args.length > 0) this.#handler.command(args);
    return next;
  }

  /** `PING\r\n`; the carriage return may be missing. */
  #readInline(at: number): number {
    const first = this.#bytes[at] ?? 0;
    const isLetter = (first | LOWER_CASE) >= 0x61 && (first | LOWER_CASE) <= 0x7a;
    if (!isLetter && first !== CR && first !== LF) return this.#fail('unexpected_byte');
    const end = this.#bytes.indexOf(LF, at);
    const length = (end < 0 ? this.#bytes.length : end) - at;
    if (length > MAX_INLINE_BYTES) return this.#fail('inline_too_long');
    if (end < 0) return INCOMPLETE;
    const lineEnd = end > at && this.#bytes[end - 1] === CR ? end - 1 : end;
    const line = parseInline(this.#copied(at, lineEnd));
    if (!line.ok) return this.#fail(line.reason);
    if (line.args.length > 0) this.#handler.command(line.args);
    return end + 1;
  }

  /** One `$3\r\nabc\r\n`; sets where it starts and ends, gives the offset behind it. */
  #readBulk(at: number): number {
    const bytes = this.#bytes;
    const first = bytes[at];
    if (first !== DOLLAR) return first === undefined ? INCOMPLETE : this.#fail('expected_bulk');
    const length = this.#readNumber(at + 1);
    if (length < 0) return length;
    if (length > this.limits.maxArgumentBytes) return this.#fail('argument_too_long');
    const start = this.#cursor;
    const end = start + length;
    if (end + 2 > bytes.length) {
      this.#needed = end + 2 - this.#start;
      const isTooLong = this.#needed > this.limits.maxCommandBytes;
      return isTooLong ? this.#fail('command_too_long') : INCOMPLETE;
    }
    if (bytes[end] !== CR || bytes[end + 1] !== LF) return this.#fail('missing_terminator');
    this.#argumentStart = start;
    this.#argumentEnd = end;
    return end + 2;
  }

  /** The decimal number of a `*3\r\n` or `$7\r\n` line; sets `#cursor` behind the line. */
  #readNumber(from: number): number {
    const bytes = this.#bytes;
    let value = 0;
    let at = from;
    for (;;) {
      const byte = bytes[at];
      if (byte === undefined) return INCOMPLETE;
      const digit = byte - ZERO;
      if (digit < 0 || digit > 9) break;
      if (at - from >= MAX_LENGTH_DIGITS) return this.#fail('invalid_length');
      value = value * 10 + digit;
      at++;
    }
    if (at === from || bytes[at] !== CR) return this.#fail('invalid_length');
    const last = bytes[at + 1];
    if (last === undefined) return INCOMPLETE;
    if (last !== LF) return this.#fail('invalid_length');
    this.#cursor = at + 2;
    return value;
  }

  /** An argument as cheaply as can be: a slice where bytes are characters. */
  #shared(start: number, end: number): string {
    if (this.#isAscii || !this.#hasHighByte(start, end)) return this.#text.slice(start, end);
    return this.#copied(start, end);
  }

  /** An argument as a string of its own, which does not keep the chunk alive. */
  #copied(start: number, end: number): string {
    return this.#bytes.toString('utf8', start, end);
  }

  #hasHighByte(start: number, end: number): boolean {
    const bytes = this.#bytes;
    for (let at = start; at < end; at++) {
      if ((bytes[at] ?? 0) > 127) return true;
    }
    return false;
  }

  #fail(reason: ProtocolError): number {
    this.#error = reason;
    return FAILED;
  }
}

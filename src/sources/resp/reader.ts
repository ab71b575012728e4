import { Buffer, isAscii } from 'node:buffer';
import { keepBytes } from '../../coturn/text.ts';
import { type CommandLimits, MAX_LENGTH_DIGITS, type ProtocolError } from './limits.ts';
import { PendingBytes } from './pending-bytes.ts';

/** Takes the messages that a {@link RespReader} finds, in their order. */
export interface MessageHandler {
  /**
   * The hot path of {@link message}. The strings may be slices of all that was read: keep none.
   *
   * @returns false when it did nothing: `message` follows with strings of their own
   */
  messageShared(key: string, payload: string): boolean;
  /** A message, its key and its payload; they may be kept. */
  message(key: string, payload: string): void;
}

/** What one side of a connection says: messages, which all begin alike, and anything else. */
export interface Grammar {
  /** Where the key of a message that begins here stands; -1 when none does, or too few bytes came. */
  keyOf(bytes: Buffer, at: number): number;
  /**
   * Reads what is no message, from `at` on.
   *
   * @returns the offset behind it, {@link INCOMPLETE}, or what {@link RespReader.fail} gave
   */
  readOther(reader: RespReader, at: number): number;
}

/** Given instead of an offset or a length: more bytes are needed. */
export const INCOMPLETE = -1;
/** The same, after an error was set. */
const FAILED = -2;

const NO_BYTES = Buffer.alloc(0);
const CR = 13;
const LF = 10;
const DOLLAR = 36;
const ZERO = 48;

/**
 * Incremental reader of the Redis protocol (RESP2): bytes in, messages out, split anywhere. Text is
 * UTF-8; bytes that are not are kept apart (`coturn/text.ts`). Never throws, and never holds more than
 * `limits.maxCommandBytes`: lengths are refused before their bytes arrive.
 *
 * A chunk is turned into one string, whose slices are handed to `messageShared`: that is several
 * times cheaper than a string for each argument. Only arguments that are not ASCII are decoded.
 */
export class RespReader {
  /** In force from the next command on; may be exchanged at any time. */
  limits: CommandLimits;
  /** The chunk that is being read. */
  bytes: Buffer = NO_BYTES;
  /** Set by {@link readNumber}: the offset behind the line. */
  cursor = 0;
  /** Set by {@link readBulk}: where the text starts and ends. */
  start = 0;
  end = 0;
  readonly #grammar: Grammar;
  readonly #handler: MessageHandler;
  readonly #pending = new PendingBytes();
  #error: ProtocolError | undefined;
  /** The bytes of the chunk as one character each, and whether that is what they mean. */
  #text = '';
  #isAscii = true;
  /** Where the command being read starts, and bytes without which it cannot be whole. */
  #first = 0;
  #needed = 0;

  constructor(grammar: Grammar, handler: MessageHandler, limits: CommandLimits) {
    this.#grammar = grammar;
    this.#handler = handler;
    this.limits = limits;
  }

  /** Bytes of an unfinished command that are held. */
  get pendingBytes(): number {
    return this.#pending.length;
  }

  /**
   * Reads what arrived, calling the handler for each whole message.
   *
   * @returns why it cannot go on, for this chunk and all later ones; undefined while all is well
   */
  push(chunk: Buffer): ProtocolError | undefined {
    if (this.#error !== undefined) return this.#error;
    const pending = this.#pending;
    const input = pending.length === 0 ? chunk : pending.append(chunk, this.limits.maxCommandBytes);
    if (input.length < this.#needed) return undefined;
    this.bytes = input;
    this.#text = input.toString('latin1');
    this.#isAscii = isAscii(input);
    const consumed = this.#readAll();
    this.bytes = NO_BYTES;
    this.#text = '';
    if (this.#error === undefined && input.length - consumed > this.limits.maxCommandBytes) {
      this.fail('command_too_long');
    }
    if (this.#error === undefined) pending.keep(input, consumed);
    else pending.clear();
    return this.#error;
  }

  /** One `$3\r\nabc\r\n`; sets {@link start} and {@link end}, gives the offset behind it. */
  readBulk(at: number): number {
    const bytes = this.bytes;
    let length = 0;
    let line = at + 1;
    for (; line < bytes.length; line++) {
      const digit = (bytes[line] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      length = length * 10 + digit;
    }
    const start = line + 2;
    const end = start + length;
    // All of it is here and well, as nearly always: no more to be told apart.
    if (
      bytes[at] === DOLLAR &&
      line > at + 1 &&
      line <= at + 1 + MAX_LENGTH_DIGITS &&
      length <= this.limits.maxArgumentBytes &&
      end + 2 <= bytes.length &&
      bytes[line] === CR &&
      bytes[line + 1] === LF &&
      bytes[end] === CR &&
      bytes[end + 1] === LF
    ) {
      this.start = start;
      this.end = end;
      return end + 2;
    }
    return this.#whyNoBulk(at);
  }

  #whyNoBulk(at: number): number {
    const first = this.bytes[at];
    if (first !== DOLLAR) return first === undefined ? INCOMPLETE : this.fail('expected_bulk');
    const length = this.readNumber(at + 1);
    if (length < 0) return length;
    if (length > this.limits.maxArgumentBytes) return this.fail('argument_too_long');
    const behind = this.cursor + length + 2;
    if (behind > this.bytes.length) {
      this.#needed = behind - this.#first;
      const isTooLong = this.#needed > this.limits.maxCommandBytes;
      return isTooLong ? this.fail('command_too_long') : INCOMPLETE;
    }
    return this.fail('missing_terminator');
  }

  /** The decimal number of a `*3\r\n` or `$7\r\n` line; sets {@link cursor} behind the line. */
  readNumber(from: number): number {
    const bytes = this.bytes;
    let value = 0;
    let at = from;
    for (;;) {
      const byte = bytes[at];
      if (byte === undefined) return INCOMPLETE;
      const digit = byte - ZERO;
      if (digit < 0 || digit > 9) break;
      if (at - from >= MAX_LENGTH_DIGITS) return this.fail('invalid_length');
      value = value * 10 + digit;
      at++;
    }
    if (at === from || bytes[at] !== CR) return this.fail('invalid_length');
    const last = bytes[at + 1];
    if (last === undefined) return INCOMPLETE;
    if (last !== LF) return this.fail('invalid_length');
    this.cursor = at + 2;
    return value;
  }

  /** Text as a string of its own, which does not keep the chunk alive. */
  copied(start: number, end: number): string {
    const text = this.bytes.toString('utf8', start, end);
    return keepBytes(text, this.bytes.subarray(start, end));
  }

  /** Gives up the connection for this reason. */
  fail(reason: ProtocolError): number {
    this.#error = reason;
    return FAILED;
  }

  /** Reads all that is whole; gives the offset behind it. */
  #readAll(): number {
    const grammar = this.#grammar;
    const end = this.bytes.length;
    let at = 0;
    while (at < end) {
      this.#first = at;
      this.#needed = 0;
      const key = grammar.keyOf(this.bytes, at);
      const next = key < 0 ? grammar.readOther(this, at) : this.#readMessage(key);
      if (next < 0) return at;
      at = next;
    }
    this.#needed = 0;
    return at;
  }

  #readMessage(at: number): number {
    let next = this.readBulk(at);
    if (next < 0) return next;
    const keyStart = this.start;
    const keyEnd = this.end;
    next = this.readBulk(next);
    if (next < 0) return next;
    const { start, end } = this;
    const handler = this.#handler;
    if (!handler.messageShared(this.#shared(keyStart, keyEnd), this.#shared(start, end))) {
      handler.message(this.copied(keyStart, keyEnd), this.copied(start, end));
    }
    return next;
  }

  /** Text as cheaply as can be: a slice where bytes are characters. */
  #shared(start: number, end: number): string {
    if (this.#isAscii || !this.#hasHighByte(start, end)) return this.#text.slice(start, end);
    return this.copied(start, end);
  }

  #hasHighByte(start: number, end: number): boolean {
    const bytes = this.bytes;
    for (let at = start; at < end; at++) {
      if ((bytes[at] ?? 0) > 127) return true;
    }
    return false;
  }
}

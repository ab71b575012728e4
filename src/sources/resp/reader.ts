import { Buffer } from 'node:buffer';
import type { WireMessage } from '../../coturn/delta.ts';
import { keepBytes } from '../../coturn/text.ts';
import { type CommandLimits, MAX_LENGTH_DIGITS, type ProtocolError } from './limits.ts';
import { PendingBytes } from './pending-bytes.ts';

/** Takes the messages that a {@link RespReader} finds, in their order. */
export interface MessageHandler {
  /**
   * The hot path of {@link message}: a message where its bytes lie, of which nothing may be kept.
   *
   * @returns false when it did nothing: `message` follows
   */
  messageInPlace(message: WireMessage): boolean;
  /** A message, its key and its payload; they may be kept. */
  message(key: string, payload: string): void;
}

/** What one side of a connection says: messages, which all begin alike, and anything else. */
export interface Grammar {
  /** Where the key of a message that begins here stands; -1 when none does, or too few bytes came. */
  keyOf(reader: RespReader, at: number): number;
  /**
   * Reads what is no message, from `at` on.
   *
   * @returns the offset behind it, {@link INCOMPLETE}, or what {@link RespReader.fail} gave
   */
  readOther(reader: RespReader, at: number): number;
}

/** How messages begin, in words of four bytes. */
export interface Prefix {
  readonly words: Int32Array;
  /** Where the last four bytes begin. */
  readonly last: number;
  readonly lastWord: number;
}

/** A prefix of four ASCII characters or more. */
export function prefixOf(text: string): Prefix {
  const bytes = Buffer.from(text);
  const last = bytes.length - 4;
  const words = Int32Array.from({ length: bytes.length >> 2 }, (_, index) =>
    bytes.readInt32LE(index * 4),
  );
  return { words, last, lastWord: bytes.readInt32LE(last) };
}

/** Given instead of an offset or a length: more bytes are needed. */
export const INCOMPLETE = -1;
/** The same, after an error was set. */
const FAILED = -2;

/** How much of a chunk is copied to finish what came before it, unless more is needed. */
const FINISHING_BYTES = 1_024;

const NO_BYTES = Buffer.alloc(0);
const NO_VIEW = new DataView(NO_BYTES.buffer, 0, 0);
const CR = 13;
const LF = 10;
const DOLLAR = 36;
const ZERO = 48;

/**
 * Incremental reader of the Redis protocol (RESP2): bytes in, messages out, split anywhere. Text is
 * UTF-8; bytes that are not are kept apart (`coturn/text.ts`). Never throws, and never holds more than
 * `limits.maxCommandBytes`: lengths are refused before their bytes arrive.
 *
 * It is the {@link WireMessage} that it hands out: nearly every message is understood from its bytes,
 * at a fraction of what a text of it costs.
 */
export class RespReader implements WireMessage {
  /** In force from the next command on; may be exchanged at any time. */
  limits: CommandLimits;
  /** The chunk that is being read. */
  bytes: Buffer = NO_BYTES;
  /** The same bytes. */
  view: DataView = NO_VIEW;
  /** Set by {@link readNumber}: the offset behind the line. */
  cursor = 0;
  /** Set by {@link readBulk}: where the text starts and ends. */
  start = 0;
  end = 0;
  // Of the message that is handed out.
  keyStart = 0;
  keyEnd = 0;
  payloadStart = 0;
  payloadEnd = 0;
  readonly #grammar: Grammar;
  readonly #handler: MessageHandler;
  readonly #pending = new PendingBytes();
  #error: ProtocolError | undefined;
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
    const pending = this.#pending;
    let rest = chunk;
    // What was unfinished is finished first, from a copy; the rest is read where it is.
    while (pending.length > 0 && rest.length > 0 && this.#error === undefined) {
      const held = pending.length;
      const more = Math.max(FINISHING_BYTES, held, this.#needed - held);
      const head = rest.subarray(0, more);
      const consumed = this.#read(pending.append(head, this.limits.maxCommandBytes));
      rest = rest.subarray(consumed === 0 ? head.length : consumed - held);
      if (consumed > 0) this.#forget();
    }
    if (rest.length > 0 && this.#error === undefined) pending.keep(rest, this.#read(rest));
    if (this.#error !== undefined) pending.clear();
    return this.#error;
  }

  #forget(): void {
    this.#pending.clear();
    this.#needed = 0;
  }

  /** Reads all of `input` that is whole; gives the offset behind it. */
  #read(input: Buffer): number {
    if (input.length < this.#needed) return 0;
    this.bytes = input;
    this.view = new DataView(input.buffer, input.byteOffset, input.length);
    const consumed = this.#readAll();
    this.bytes = NO_BYTES;
    this.view = NO_VIEW;
    if (this.#error === undefined && input.length - consumed > this.limits.maxCommandBytes) {
      this.fail('command_too_long');
    }
    return consumed;
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

  /** Whether `prefix` stands at an offset, of which four bytes are compared at once. */
  isAt(prefix: Prefix, at: number): boolean {
    const { view } = this;
    const { words, last } = prefix;
    if (at + last + 4 > view.byteLength) return false;
    for (let index = 0; index < words.length; index++) {
      if (view.getInt32(at + index * 4, true) !== words[index]) return false;
    }
    return view.getInt32(at + last, true) === prefix.lastWord;
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

  #readAll(): number {
    const grammar = this.#grammar;
    const end = this.bytes.length;
    let at = 0;
    while (at < end) {
      this.#first = at;
      this.#needed = 0;
      const key = grammar.keyOf(this, at);
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
    this.keyStart = this.start;
    this.keyEnd = this.end;
    next = this.readBulk(next);
    if (next < 0) return next;
    this.payloadStart = this.start;
    this.payloadEnd = this.end;
    const handler = this.#handler;
    if (!handler.messageInPlace(this)) {
      handler.message(
        this.copied(this.keyStart, this.keyEnd),
        this.copied(this.payloadStart, this.payloadEnd),
      );
    }
    return next;
  }
}

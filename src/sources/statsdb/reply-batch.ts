import { Buffer } from 'node:buffer';

/** Where replies go; a socket is one. */
export interface ReplyOutput {
  /** Sends bytes, or text as UTF-8. */
  write(data: string | Uint8Array): unknown;
  /** Bytes written that the peer's kernel has not taken. */
  readonly writableLength: number;
}

/**
 * Bytes of replies that may wait for a peer before it counts as one that does not read. A coturn
 * that reconnected never reads again (4.6.1 and 4.17.1; its read event is made without EV_PERSIST),
 * and a reader is never this far behind: the kernel's own buffers of some 100 kB come first.
 */
export const MAX_UNREAD_BYTES: number = 64 * 1_024;

/** Characters of replies that are collected before they are written in the middle of a chunk. */
const MAX_BATCH_LENGTH = 64 * 1_024;

const ONE = integerReply(1);
/** As many as one write takes: a chunk of deltas, which is nearly every chunk, needs no text. */
const MANY_ONES = Buffer.from(ONE.repeat(MAX_BATCH_LENGTH / ONE.length));

/**
 * The replies of one connection, in order, one write for each chunk of commands. Once a peer has
 * let {@link MAX_UNREAD_BYTES} wait, replies are dropped for good and counted.
 */
export class ReplyBatch {
  readonly #output: ReplyOutput;
  #text = '';
  /** Replies collected, and how many `:1` still follow `#text`: those are made up at once. */
  #replies = 0;
  #ones = 0;
  #isMuted = false;
  #dropped = 0;

  constructor(output: ReplyOutput) {
    this.#output = output;
  }

  /** Whether replies are no longer sent on this connection. */
  get isMuted(): boolean {
    return this.#isMuted;
  }

  /** Replies dropped since the last call of this. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  /** Adds `:1`, the reply to nearly every command. */
  addOne(): void {
    this.#ones++;
  }

  /** Adds an encoded reply. */
  add(reply: string): void {
    this.#takeOnes();
    this.#text += reply;
    this.#replies++;
    if (this.#text.length > MAX_BATCH_LENGTH) this.flush();
  }

  /** Sends what was collected. */
  flush(): void {
    const length = this.#ones * ONE.length;
    if (this.#replies === 0 && length <= MANY_ONES.length) {
      this.#send(this.#ones, MANY_ONES.subarray(0, length));
      this.#ones = 0;
      return;
    }
    this.#takeOnes();
    this.#send(this.#replies, this.#text);
    this.#text = '';
    this.#replies = 0;
  }

  #send(replies: number, data: string | Uint8Array): void {
    if (replies === 0) return;
    this.#isMuted ||= this.#output.writableLength > MAX_UNREAD_BYTES;
    if (this.#isMuted) this.#dropped += replies;
    else this.#output.write(data);
  }

  #takeOnes(): void {
    if (this.#ones === 0) return;
    // A muted peer's replies are not worth building.
    if (!this.#isMuted) this.#text += ONE.repeat(this.#ones);
    this.#replies += this.#ones;
    this.#ones = 0;
  }
}

/** Encoders of Redis replies (RESP2) as text, to be written as UTF-8. */

export const OK = '+OK\r\n';
export const NULL_BULK = '$-1\r\n';
export const EMPTY_ARRAY = '*0\r\n';

/** `+PONG\r\n`. Line ends inside the text would break the stream: they become spaces. */
export function simpleReply(text: string): string {
  return `+${oneLine(text)}\r\n`;
}

/**
 * `-ERR unknown command 'x'\r\n`.
 *
 * @param text starts with the code, an upper-case word
 */
export function errorReply(text: string): string {
  return `-${oneLine(text)}\r\n`;
}

/** `:1\r\n`. */
export function integerReply(value: number): string {
  return `:${value}\r\n`;
}

/** `$5\r\nhello\r\n`: any text, its length told in bytes. */
export function bulkReply(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

/** `*2\r\n…`: of replies that are encoded already. */
export function arrayReply(items: readonly string[]): string {
  return `*${items.length}\r\n${items.join('')}`;
}

/** What a peer sent, fit to be shown to it or in a log: no control characters, at most 64 long. */
export function printable(text: string): string {
  return text.slice(0, 64).replace(/\p{Cc}/gu, '');
}

function oneLine(text: string): string {
  return text.replace(/[\r\n]/g, ' ');
}

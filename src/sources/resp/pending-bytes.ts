import { Buffer } from 'node:buffer';

const EMPTY = Buffer.alloc(0);

/**
 * The unfinished command at the end of what was received. It owns its bytes, so that the large
 * buffers of the socket are free after each read, and grows by doubling, so that a command that
 * arrives byte by byte costs no more copying than one in two halves.
 */
export class PendingBytes {
  #bytes: Buffer = EMPTY;
  #length = 0;

  /** Bytes held; 0 after a whole command. */
  get length(): number {
    return this.#length;
  }

  /**
   * Adds what arrived and gives all that is held. The result is valid until the next call.
   *
   * @param maxBytes up to which memory is taken ahead of need
   */
  append(chunk: Buffer, maxBytes: number): Buffer {
    const length = this.#length + chunk.length;
    if (length > this.#bytes.length) {
      const doubled = Math.min(2 * this.#bytes.length, maxBytes);
      const grown = Buffer.allocUnsafeSlow(Math.max(length, doubled));
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    chunk.copy(this.#bytes, this.#length);
    this.#length = length;
    return this.#bytes.subarray(0, length);
  }

  /** Keeps a copy of the end of `input` from `offset`, which may be what {@link append} gave. */
  keep(input: Buffer, offset: number): void {
    const length = input.length - offset;
    if (offset === 0 && this.#length === length) return;
    if (length === 0) {
      this.clear();
      return;
    }
    const bytes = Buffer.allocUnsafeSlow(length);
    input.copy(bytes, 0, offset);
    this.#bytes = bytes;
    this.#length = length;
  }

  /** Lets go of everything. */
  clear(): void {
    this.#bytes = EMPTY;
    this.#length = 0;
  }
}

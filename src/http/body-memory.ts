/** Bytes of a page of {@link BodyMemory}: some pieces of text. */
const PAGE_BYTES = 256 * 1024;

/**
 * Memory for bodies that are not compressed, some 100 MB for a million series. It is shared memory,
 * since V8 counts that in no heap: of as much in Buffers for every scrape it takes fright, sweeps in
 * steps of up to 25 ms, and the scrape takes twice the work. Pages are used again for the next body;
 * until then V8 may take them for garbage.
 */
export class BodyMemory {
  #spare = new WeakRef<Buffer[]>([]);

  /** A body to be written. */
  open(): BodyWriter {
    const spare = this.#spare.deref() ?? [];
    this.#spare = new WeakRef<Buffer[]>([]);
    return new BodyWriter(spare, (pages) => {
      this.#spare = new WeakRef(pages);
    });
  }
}

/** Writes one body. */
export class BodyWriter {
  readonly #spare: Buffer[];
  readonly #used: Buffer[] = [];
  readonly #giveBack: (pages: Buffer[]) => void;
  /** What is left of the newest page. */
  #left: Buffer = Buffer.alloc(0);

  /**
   * @param spare pages to use first
   * @param giveBack takes all pages in the end
   */
  constructor(spare: Buffer[], giveBack: (pages: Buffer[]) => void) {
    this.#spare = spare;
    this.#giveBack = giveBack;
  }

  /** The bytes of a text, valid until {@link free}. */
  write(text: string): Uint8Array {
    const length = Buffer.byteLength(text);
    if (length > PAGE_BYTES) return Buffer.from(text);
    if (length > this.#left.length) this.#left = this.#takePage();
    this.#left.write(text);
    const bytes = this.#left.subarray(0, length);
    this.#left = this.#left.subarray(length);
    return bytes;
  }

  /** Nobody reads the body any more. */
  free(): void {
    this.#giveBack([...this.#used, ...this.#spare]);
  }

  #takePage(): Buffer {
    const page = this.#spare.pop() ?? Buffer.from(new SharedArrayBuffer(PAGE_BYTES));
    this.#used.push(page);
    return page;
  }
}

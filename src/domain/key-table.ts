import type { KeyBytes } from '../coturn/delta.ts';
import { bytesOfKept, keepBytes } from '../coturn/text.ts';

/** Rows of numbers and their keys, one behind the other. */
interface Page {
  readonly numbers: Float64Array;
  /** The same memory. */
  readonly view: DataView;
}

const FIRST_SLOTS = 16;
/**
 * The first page has 2 to this power numbers, 32 kB, and each further one twice as many as the one
 * before, of which the system gives what is used: a million keys have a dozen pages, whose own
 * objects stay in the processor's cache. Page 0 has the addresses from 2 to this power on, so the
 * highest bit of an address tells its page.
 */
const FIRST_PAGE_BITS = 12;
const NUMBER_BYTES = 8;
/** Before each row stands the length of its key, and its place in the order of all. */
const HEADER = 1;
const FIRST_SCRATCH_BYTES = 256;

const DECODER = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Keys as bytes, and a row of numbers for each, at an address that stays. It is not a Map: that wants
 * a text of every key that arrives, which costs more than all else that is done with a delta. Keys
 * stand behind their rows outside the heap, so that a look-up at a million of them touches two places
 * in memory.
 *
 * Open addressing with linear probing; deleting moves later slots up, so nothing is left behind. All
 * of a key is hashed, with a number that clients cannot know, since they choose their names.
 */
export class KeyTable {
  /** Pairs of hash and address; address 0 is an empty slot. */
  #slots = new Int32Array(FIRST_SLOTS * 2);
  #mask = FIRST_SLOTS - 1;
  readonly #pages: Page[] = [];
  /** The first address of which nothing was given out yet. */
  #unused = 1 << FIRST_PAGE_BITS;
  /** Addresses to give out again, by how many numbers stand there. */
  readonly #free = new Map<number, number[]>();
  readonly #freePlaces: number[] = [];
  #size = 0;
  readonly #rowLength: number;
  readonly #seed: number;
  readonly #factor: number;
  #scratch = new Uint8Array(FIRST_SCRATCH_BYTES);

  /**
   * @param rowLength how many numbers a key has
   * @param seed a number that clients cannot know
   */
  constructor(rowLength: number, seed = 0) {
    this.#rowLength = rowLength;
    this.#seed = seed;
    // Odd, so that nothing is lost when it multiplies.
    this.#factor = (Math.imul(seed, 0x9e3779b1) ^ 0x85ebca6b) | 1;
  }

  /** How many keys there are. */
  get size(): number {
    return this.#size;
  }

  /**
   * The address of a key; 0 when it is not in.
   *
   * @param tail how many bytes at the end of the key are no part of it
   */
  find(key: KeyBytes, tail = 0): number {
    const hash = this.#hash(key, tail);
    const slots = this.#slots;
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const address = slots[slot * 2 + 1] ?? 0;
      if (address === 0) return 0;
      if (slots[slot * 2] === hash && this.#isAt(address, key, tail)) return address;
    }
  }

  /** The address of a key that is a text; 0 when it is not in. */
  findText(key: string): number {
    return this.find(this.#bytesOf(key));
  }

  /** Whether a key is in. */
  has(key: string): boolean {
    return this.findText(key) !== 0;
  }

  /** Puts in a key that is not in, with a row of zeros, and gives its address. */
  insert(key: string): number {
    if ((this.#size + 1) * 2 > this.#mask + 1) this.#grow();
    const bytes = this.#bytesOf(key);
    const address = this.#reserve(this.#numbersFor(bytes.keyEnd));
    const { view } = this.#pageAt(address);
    const at = startOf(address) * NUMBER_BYTES;
    view.setInt32(at, bytes.keyEnd, true);
    view.setInt32(at + 4, this.#freePlaces.pop() ?? this.#size, true);
    this.#keyBytes(address).set(this.#scratch.subarray(0, bytes.keyEnd));
    this.#place(this.#hash(bytes, 0), address);
    this.#size += 1;
    return address;
  }

  /** Takes out what is at an address, which is another's from now on. */
  remove(address: number): void {
    const key = this.#keyBytes(address);
    const view = new DataView(key.buffer, key.byteOffset, key.length);
    let slot = this.#hash({ view, keyStart: 0, keyEnd: key.length }, 0) & this.#mask;
    while (this.#slots[slot * 2 + 1] !== address) slot = (slot + 1) & this.#mask;
    this.#close(slot);
    this.#freePlaces.push(this.placeOf(address));
    const length = this.#numbersFor(key.length);
    const start = startOf(address);
    this.#pageAt(address).numbers.fill(0, start, start + length);
    const free = this.#free.get(length);
    if (free === undefined) this.#free.set(length, [address]);
    else free.push(address);
    this.#size -= 1;
  }

  /** The key at an address. */
  keyOf(address: number): string {
    const bytes = this.#keyBytes(address);
    return keepBytes(DECODER.decode(bytes), bytes);
  }

  /** The page in which an address has its row, at {@link offsetOf}. */
  pageOf(address: number): Float64Array {
    return this.#pageAt(address).numbers;
  }

  /** A number for an address from 0 on, lower than the most keys there ever were. */
  placeOf(address: number): number {
    const at = startOf(address) * NUMBER_BYTES + 4;
    return this.#pageAt(address).view.getInt32(at, true);
  }

  /** How many slots a look-up of this key reads. */
  probesOf(key: string): number {
    const address = this.findText(key);
    const first = this.#hash(this.#bytesOf(key), 0) & this.#mask;
    let slot = first;
    while (this.#slots[slot * 2 + 1] !== address) slot = (slot + 1) & this.#mask;
    return ((slot - first) & this.#mask) + 1;
  }

  #pageAt(address: number): Page {
    // Every address that was given out has a page.
    return this.#pages[pageNumberOf(address)] as Page;
  }

  #isAt(address: number, { view, keyStart, keyEnd }: KeyBytes, tail: number): boolean {
    const page = this.#pageAt(address).view;
    const header = startOf(address) * NUMBER_BYTES;
    const length = keyEnd - keyStart - tail;
    if (page.getInt32(header, true) !== length) return false;
    const start = header + (HEADER + this.#rowLength) * NUMBER_BYTES;
    let at = 0;
    for (; at + 4 <= length; at += 4) {
      if (page.getInt32(start + at, true) !== view.getInt32(keyStart + at, true)) return false;
    }
    for (; at < length; at += 1) {
      if (page.getUint8(start + at) !== view.getUint8(keyStart + at)) return false;
    }
    return true;
  }

  #hash({ view, keyStart, keyEnd }: KeyBytes, tail: number): number {
    const end = keyEnd - tail;
    let hash = this.#seed ^ (end - keyStart);
    let at = keyStart;
    for (; at + 4 <= end; at += 4) hash = this.#mix(hash ^ view.getInt32(at, true));
    for (; at < end; at += 1) hash = this.#mix(hash ^ view.getUint8(at));
    hash = Math.imul(hash ^ (hash >>> 15), 0x9e3779b1);
    return hash ^ (hash >>> 16);
  }

  /** Turned before it is multiplied, or a change of the highest bit would stay there for any factor. */
  #mix(hash: number): number {
    return Math.imul((hash << 13) | (hash >>> 19), this.#factor);
  }

  /** The bytes of a key, until the next call. */
  #bytesOf(key: string): KeyBytes {
    if (this.#scratch.length < key.length * 3) this.#scratch = new Uint8Array(key.length * 3);
    const keyEnd = bytesOfKept(key, this.#scratch);
    return { view: new DataView(this.#scratch.buffer), keyStart: 0, keyEnd };
  }

  #keyBytes(address: number): Uint8Array {
    const { view } = this.#pageAt(address);
    const at = startOf(address) * NUMBER_BYTES;
    const start = at + (HEADER + this.#rowLength) * NUMBER_BYTES;
    return new Uint8Array(view.buffer, start, view.getInt32(at, true));
  }

  #numbersFor(keyLength: number): number {
    return HEADER + this.#rowLength + Math.ceil(keyLength / NUMBER_BYTES);
  }

  #reserve(length: number): number {
    const known = this.#free.get(length)?.pop();
    if (known !== undefined) return known;
    const isOver = pageNumberOf(this.#unused + length - 1) > pageNumberOf(this.#unused);
    if (isOver) this.#unused = 1 << (pageNumberOf(this.#unused) + 1 + FIRST_PAGE_BITS);
    const address = this.#unused;
    if (pageNumberOf(address) >= this.#pages.length) {
      const numbers = new Float64Array(1 << (this.#pages.length + FIRST_PAGE_BITS));
      this.#pages.push({ numbers, view: new DataView(numbers.buffer) });
    }
    this.#unused += length;
    return address;
  }

  #place(hash: number, address: number): void {
    const slots = this.#slots;
    let slot = hash & this.#mask;
    while (slots[slot * 2 + 1] !== 0) slot = (slot + 1) & this.#mask;
    slots[slot * 2] = hash;
    slots[slot * 2 + 1] = address;
  }

  /** Empties a slot and moves up those behind it that had been pushed past it. */
  #close(emptied: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    let hole = emptied;
    for (let slot = (hole + 1) & mask; slots[slot * 2 + 1] !== 0; slot = (slot + 1) & mask) {
      const hash = slots[slot * 2] ?? 0;
      const pushed = (slot - hash) & mask;
      if (pushed < ((slot - hole) & mask)) continue;
      slots[hole * 2] = hash;
      slots[hole * 2 + 1] = slots[slot * 2 + 1] ?? 0;
      hole = slot;
    }
    slots[hole * 2 + 1] = 0;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(old.length * 2);
    this.#mask = old.length - 1;
    for (let at = 0; at < old.length; at += 2) {
      const address = old[at + 1] ?? 0;
      if (address !== 0) this.#place(old[at] ?? 0, address);
    }
  }
}

/** Where in its page an address has its row. */
export function offsetOf(address: number): number {
  return startOf(address) + HEADER;
}

function startOf(address: number): number {
  return address - (1 << (31 - Math.clz32(address)));
}

function pageNumberOf(address: number): number {
  return 31 - FIRST_PAGE_BITS - Math.clz32(address);
}

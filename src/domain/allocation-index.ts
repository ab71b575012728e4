import { KEY_TAIL_LENGTH } from '../coturn/key.ts';
import { ROW_LENGTH, type TrafficRow } from './traffic.ts';

/** What an {@link AllocationIndex} holds. */
export interface Indexed {
  /** `turn/…/user/<username>/allocation/<18 digits>`. */
  readonly key: string;
  /** What {@link AllocationIndex.reserve} gave for the key. */
  readonly row: IndexRow;
}

/** A row of numbers that stands in an index under a key. */
export interface IndexRow extends TrafficRow {
  readonly position: number;
}

const FIRST_SLOTS = 16;
/** Digits of the id that the hash reads: coturn counts up from 1, so the low ones tell most. */
const COUNTER_DIGITS = 9;
/** Where the relay thread's number stands in the id, from the end: it is the id over 10^15. */
const THREAD_DIGIT = 16;
/** Rows in a page are 2 to this power: 1,024 rows of 104 bytes. */
const PAGE_BITS = 10;
const PAGE_MASK = (1 << PAGE_BITS) - 1;

/**
 * How many slots a look-up may read before the index hashes whole keys. At half load the longest run
 * of a million keys that do not collide is about 70.
 */
export const MAX_PROBES = 256;

/**
 * Entries by their key, as a Map would hold them, and a row of numbers for each. It is not a Map,
 * since a Map hashes every character of a key that has just arrived: a delta costs 12 % more with one
 * at 5,000 allocations and 28 % more at 200,000. Here the hash is made of the id, which is all but
 * unique, and of a few characters of the user name, which tell servers apart that share a Redis and
 * count alike. Open addressing with linear probing; deleting moves later entries up, so nothing is
 * left behind.
 *
 * Clients choose names, and might choose some that share all of this. Once a look-up gets longer
 * than {@link MAX_PROBES} for it, the index hashes every character, from a seed that nobody outside
 * knows, and goes on so.
 */
export class AllocationIndex<T extends Indexed> {
  /** Pairs of hash and position plus 1; 0 is an empty slot. */
  #slots = new Int32Array(FIRST_SLOTS * 2);
  #mask = FIRST_SLOTS - 1;
  // By position. Keys stand apart from entries, so that a look-up need not touch the entry.
  readonly #keys: (string | undefined)[] = [];
  readonly #entries: (T | undefined)[] = [];
  readonly #pages: Float64Array[] = [];
  readonly #free: number[] = [];
  #size = 0;
  readonly #seed: number;
  #hashesWholeKeys = false;

  /** @param seed a number that clients cannot know */
  constructor(seed = 0) {
    this.#seed = seed;
  }

  /** How many entries there are. */
  get size(): number {
    return this.#size;
  }

  /** The position of this key; -1 when it is not in. */
  find(key: string): number {
    const hash = this.#hash(key);
    const slots = this.#slots;
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const position = slots[slot * 2 + 1];
      if (position === undefined || position === 0) return -1;
      if (slots[slot * 2] === hash && this.#keys[position - 1] === key) return position - 1;
    }
  }

  /** The page in which a position has its row. */
  pageOf(position: number): Float64Array {
    // Every position that was handed out has a page.
    return this.#pages[position >> PAGE_BITS] as Float64Array;
  }

  /** Where in its page a position has its row. */
  offsetOf(position: number): number {
    return (position & PAGE_MASK) * ROW_LENGTH;
  }

  /** The entry at a position that `find` gave. */
  at(position: number): T | undefined {
    return this.#entries[position];
  }

  /** The entry of this key. */
  get(key: string): T | undefined {
    const position = this.find(key);
    return position < 0 ? undefined : this.#entries[position];
  }

  /** Whether there is an entry of this key. */
  has(key: string): boolean {
    return this.find(key) >= 0;
  }

  /** A row of zeros for a key that is not in; {@link add} must follow. */
  reserve(key: string): IndexRow {
    if ((this.#size + 1) * 2 > this.#mask + 1) this.#rebuild(this.#slots.length * 2);
    const position = this.#free.pop() ?? this.#keys.length;
    if (position >> PAGE_BITS >= this.#pages.length) {
      this.#pages.push(new Float64Array(ROW_LENGTH << PAGE_BITS));
    }
    this.#size += 1;
    this.#enter(position, key);
    return { page: this.pageOf(position), offset: this.offsetOf(position), position };
  }

  /** Puts an entry where its row is. */
  add(entry: T): void {
    this.#entries[entry.row.position] = entry;
  }

  /** Takes an entry out, whose row is another's from now on; nothing happens when it is not in. */
  delete(entry: T): void {
    const { position, page, offset } = entry.row;
    if (this.#entries[position] !== entry) return;
    this.#close(this.#slotOf(entry));
    this.#keys[position] = undefined;
    this.#entries[position] = undefined;
    page.fill(0, offset, offset + ROW_LENGTH);
    this.#free.push(position);
    this.#size -= 1;
  }

  /** Puts an entry under another key, which must be free; its row stays. */
  rename(entry: T, key: string): void {
    const { position } = entry.row;
    this.#close(this.#slotOf(entry));
    this.#enter(position, key);
  }

  /** All entries, in no order. One that is added meanwhile may be missing. */
  *values(): IterableIterator<T> {
    for (const entry of this.#entries) {
      if (entry !== undefined) yield entry;
    }
  }

  /** How many slots a look-up of this key reads. */
  probesOf(key: string): number {
    const position = this.find(key);
    const first = this.#hash(key) & this.#mask;
    let slot = first;
    while (this.#slots[slot * 2 + 1] !== position + 1) slot = (slot + 1) & this.#mask;
    return ((slot - first) & this.#mask) + 1;
  }

  #slotOf({ key, row }: T): number {
    let slot = this.#hash(key) & this.#mask;
    while (this.#slots[slot * 2 + 1] !== row.position + 1) slot = (slot + 1) & this.#mask;
    return slot;
  }

  #hash(key: string): number {
    return this.#hashesWholeKeys ? wholeHashOf(key, this.#seed) : hashOf(key);
  }

  #enter(position: number, key: string): void {
    this.#keys[position] = key;
    if (this.#place(this.#hash(key), position + 1) <= MAX_PROBES || this.#hashesWholeKeys) return;
    this.#hashesWholeKeys = true;
    this.#rebuild(this.#slots.length, (each) => this.#hash(this.#keys[each] ?? ''));
  }

  /** @returns how many slots it looked at */
  #place(hash: number, position: number): number {
    const slots = this.#slots;
    const first = hash & this.#mask;
    let slot = first;
    while (slots[slot * 2 + 1] !== 0) slot = (slot + 1) & this.#mask;
    slots[slot * 2] = hash;
    slots[slot * 2 + 1] = position;
    return ((slot - first) & this.#mask) + 1;
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

  /** Places all anew, by the hashes that they have unless `hashAt` tells others. */
  #rebuild(length: number, hashAt?: (position: number) => number): void {
    const old = this.#slots;
    this.#slots = new Int32Array(length);
    this.#mask = length / 2 - 1;
    for (let at = 0; at < old.length; at += 2) {
      const position = old[at + 1] ?? 0;
      if (position === 0) continue;
      this.#place(hashAt === undefined ? (old[at] ?? 0) : hashAt(position - 1), position);
    }
  }
}

/** A signed 32-bit hash of a key. Keys that are too short to be coturn's have one too. */
function hashOf(key: string): number {
  const { length } = key;
  let hash = key.charCodeAt(length - THREAD_DIGIT) * 31;
  for (let at = length - COUNTER_DIGITS; at < length; at += 1) {
    hash = (hash * 10 + key.charCodeAt(at)) | 0;
  }
  const userEnd = length - KEY_TAIL_LENGTH;
  for (let at = userEnd - 4; at < userEnd; at += 1) {
    hash = (Math.imul(hash, 31) + key.charCodeAt(at)) | 0;
  }
  hash = Math.imul(hash ^ (hash >>> 15) ^ length, 0x9e3779b1);
  return hash ^ (hash >>> 16);
}

/** The same of every character of a key, from a seed. */
function wholeHashOf(key: string, seed: number): number {
  let hash = seed | 0;
  for (let at = 0; at < key.length; at += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ key.length, 0x85ebca6b);
  return hash ^ (hash >>> 13);
}

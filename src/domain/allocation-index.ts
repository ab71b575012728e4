import { KEY_TAIL_LENGTH } from './stats-key.ts';

/** What an {@link AllocationIndex} holds: anything with a key that ends in coturn's 18-digit id. */
export interface Keyed {
  /** `turn/…/user/<username>/allocation/<18 digits>`. */
  readonly key: string;
}

const FIRST_SLOTS = 16;
/** Digits of the id that the hash reads: coturn counts up from 1, so the low ones tell most. */
const COUNTER_DIGITS = 9;
/** Where the relay thread's number stands in the id, from the end: it is the id over 10^15. */
const THREAD_DIGIT = 16;

/**
 * Entries by their key, as a Map would hold them, at half the price of a look-up. A Map hashes every
 * character of a key that has just arrived; here the hash is made of the id, which is all but unique,
 * and of a few characters of the user name, which tell servers apart that share a Redis and count
 * alike. Open addressing with linear probing; deleting moves later entries up, so nothing is left
 * behind.
 */
export class AllocationIndex<T extends Keyed> {
  /** Pairs of hash and position in `#entries` plus 1; 0 is an empty slot. */
  #slots = new Int32Array(FIRST_SLOTS * 2);
  #mask = FIRST_SLOTS - 1;
  readonly #entries: (T | undefined)[] = [];
  readonly #free: number[] = [];
  #size = 0;

  /** How many entries there are. */
  get size(): number {
    return this.#size;
  }

  /** The entry of this key. */
  get(key: string): T | undefined {
    const hash = hashOf(key);
    const slots = this.#slots;
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const position = slots[slot * 2 + 1];
      if (position === undefined || position === 0) return undefined;
      if (slots[slot * 2] !== hash) continue;
      const entry = this.#entries[position - 1];
      if (entry !== undefined && entry.key === key) return entry;
    }
  }

  /** Whether there is an entry of this key. */
  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** Adds an entry; there must be none of its key. */
  add(entry: T): void {
    if ((this.#size + 1) * 2 > this.#mask + 1) this.#grow();
    const position = this.#free.pop() ?? this.#entries.length;
    this.#entries[position] = entry;
    this.#place(hashOf(entry.key), position + 1);
    this.#size += 1;
  }

  /** Takes an entry out; nothing happens when it is not in. */
  delete(entry: T): void {
    const hash = hashOf(entry.key);
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const position = this.#slots[slot * 2 + 1];
      if (position === undefined || position === 0) return;
      if (this.#entries[position - 1] !== entry) continue;
      this.#entries[position - 1] = undefined;
      this.#free.push(position - 1);
      this.#size -= 1;
      this.#close(slot);
      return;
    }
  }

  /** All entries, in no order. One that is added meanwhile may be missing. */
  *values(): IterableIterator<T> {
    for (const entry of this.#entries) {
      if (entry !== undefined) yield entry;
    }
  }

  #place(hash: number, position: number): void {
    const slots = this.#slots;
    let slot = hash & this.#mask;
    while (slots[slot * 2 + 1] !== 0) slot = (slot + 1) & this.#mask;
    slots[slot * 2] = hash;
    slots[slot * 2 + 1] = position;
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
      const position = old[at + 1] ?? 0;
      if (position !== 0) this.#place(old[at] ?? 0, position);
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

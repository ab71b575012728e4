import { KeyTable, offsetOf } from './key-table.ts';
import { ROW_LENGTH } from './traffic.ts';

/** What an {@link AllocationIndex} holds. */
export interface Indexed {
  /** What {@link AllocationIndex.insert} gave for its key. */
  readonly address: number;
}

/** Entries by their key, with a row of traffic for each. */
export class AllocationIndex<T extends Indexed> extends KeyTable {
  /** By the place of their address. They stand apart, so that a look-up need not touch them. */
  readonly #entries: (T | undefined)[] = [];

  /** @param seed a number that clients cannot know */
  constructor(seed = 0) {
    super(ROW_LENGTH, seed);
  }

  /** The entry at an address that `find` gave. */
  at(address: number): T | undefined {
    return this.#entries[this.placeOf(address)];
  }

  /** The entry of this key. */
  get(key: string): T | undefined {
    const address = this.findText(key);
    return address === 0 ? undefined : this.at(address);
  }

  /** Puts an entry at its address. */
  add(entry: T): void {
    this.#entries[this.placeOf(entry.address)] = entry;
  }

  /** Takes an entry out with its key; nothing happens when it is not in. */
  delete(entry: T): void {
    const place = this.placeOf(entry.address);
    if (this.#entries[place] !== entry) return;
    this.#entries[place] = undefined;
    this.remove(entry.address);
  }

  /**
   * Frees the key of an entry for another one, which must be free.
   *
   * @returns the new address, with the numbers of the old one; {@link add} must follow
   */
  rename(entry: T, key: string): number {
    const address = this.insert(key);
    const offset = offsetOf(entry.address);
    const row = this.pageOf(entry.address).subarray(offset, offset + ROW_LENGTH);
    this.pageOf(address).set(row, offsetOf(address));
    this.delete(entry);
    return address;
  }

  /** All entries, in no order. One that is added meanwhile may be missing. */
  *values(): IterableIterator<T> {
    for (const entry of this.#entries) {
      if (entry !== undefined) yield entry;
    }
  }
}

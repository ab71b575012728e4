/**
 * A seeded stream of pseudo-random numbers: the same seed gives the same numbers on every machine.
 * The generator is mulberry32 (Tommy Ettinger, public domain): 32 bits of state, a period of 2^32,
 * good enough for traffic and fast. Not for secrets.
 */
export class Random {
  #state: number;

  /** @param seed any whole number; only its lowest 32 bits matter */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 up to, not including, 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 up to, not including, `limit`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** A number from `low` up to, not including, `high`. */
  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  /** True in `share` (0 to 1) of all cases. */
  chance(share: number): boolean {
    return this.next() < share;
  }

  /** The time until the next of independent events that happen every `mean` on average. */
  exponential(mean: number): number {
    return -Math.log(1 - this.next()) * mean;
  }

  /** One of `items`, each as likely as the others; throws `RangeError` when there are none. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError('Cannot pick from an empty list');
    return item;
  }
}

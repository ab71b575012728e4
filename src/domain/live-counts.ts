import { TRANSPORTS, type Transport } from '../coturn/event.ts';

/**
 * How many allocations live, by account and transport. They are one list of numbers, so that a scrape
 * can keep all of them as they are at one moment, and write them while others go on.
 */
export class LiveCounts {
  /** An account after the other, each in the order of {@link TRANSPORTS}: 0 for never seen, else one more. */
  #numbers: Int32Array;

  constructor(numbers: Int32Array = new Int32Array(TRANSPORTS.length)) {
    this.#numbers = numbers;
  }

  /** Moves the number of `transport` by one. */
  change(account: number, transport: Transport, by: 1 | -1): void {
    const at = account * TRANSPORTS.length + TRANSPORTS.indexOf(transport);
    if (at >= this.#numbers.length) this.#growTo(at + 1);
    this.#numbers[at] = Math.max(1, this.#numbers[at] ?? 0) + by;
  }

  /** Those of an account, of every transport that was ever seen there. */
  of(account: number): [transport: Transport, count: number][] {
    const counts: [Transport, number][] = [];
    const from = account * TRANSPORTS.length;
    for (const [index, transport] of TRANSPORTS.entries()) {
      const number = this.#numbers[from + index] ?? 0;
      if (number > 0) counts.push([transport, number - 1]);
    }
    return counts;
  }

  /** All of this moment, which do not change any more. */
  copy(): LiveCounts {
    return new LiveCounts(this.#numbers.slice());
  }

  #growTo(length: number): void {
    const grown = new Int32Array(Math.max(length, 2 * this.#numbers.length));
    grown.set(this.#numbers);
    this.#numbers = grown;
  }
}

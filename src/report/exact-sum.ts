/** From here on a sum is carried over, so that adding never rounds. */
const CARRY = 2 ** 52;

/**
 * Several sums of whole numbers that stay exact beyond 2^53, which 9 PB of traffic reach. Big
 * numbers are made only then: a bill may have millions of rows.
 */
export class ExactSums {
  readonly #low: number[];
  #high: bigint[] | undefined;

  /** @param count how many sums, each 0 */
  constructor(count: number) {
    this.#low = Array.from({ length: count }, () => 0);
  }

  /**
   * @param index which of them
   * @param value a whole number from 0 to 2^53 - 1
   */
  add(index: number, value: number): void {
    const low = this.#low[index] ?? 0;
    if (low + value < CARRY) {
      this.#low[index] = low + value;
      return;
    }
    this.#high ??= this.#low.map(() => 0n);
    this.#high[index] = (this.#high[index] ?? 0n) + BigInt(low) + BigInt(value);
    this.#low[index] = 0;
  }

  /** The sum of this index. */
  value(index: number): bigint {
    return (this.#high?.[index] ?? 0n) + BigInt(this.#low[index] ?? 0);
  }
}

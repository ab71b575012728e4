/** What is sampled under one key: an account, the statistics of a source, or any other object. */
export type SampledRow = readonly [key: object, values: readonly number[]];

/** Milliseconds between two samples. */
export const SAMPLE_INTERVAL_MS = 10_000;
/** How far back the sparklines reach: five minutes. */
export const SHOWN_SAMPLES = 30;
/** What a rate is averaged over. coturn reports every 4096 packets: shorter windows see bursts. */
export const AVERAGE_MS = 60_000;
/** Keys with a history; of others only the present is known. Bounds memory: 1.8 KB for a realm or a server. */
export const MAX_SAMPLED_KEYS = 2_100;

/** The oldest rate that is shown looks back over one more window. */
const SLOTS = SHOWN_SAMPLES + AVERAGE_MS / SAMPLE_INTERVAL_MS + 1;
/** A rate right after the start is taken over this much, or one report would look like a flood. */
const LEAST_AVERAGE_MS = 10_000;

/**
 * The last minutes of some counters and gauges, in a ring of samples. A key that is new was 0
 * before, as counters are; a key that is no longer sampled is forgotten.
 */
export class LandingHistory {
  /** When the samples were taken, oldest first. */
  #times: number[] = [];
  #rings = new Map<object, Float64Array>();
  #taken = 0;

  /** How many samples the sparklines can show. */
  get shown(): number {
    return Math.min(this.#times.length, SHOWN_SAMPLES);
  }

  /** Takes a sample of all rows. */
  add(nowMs: number, rows: Iterable<SampledRow>): void {
    const rings = new Map<object, Float64Array>();
    const slot = this.#taken % SLOTS;
    for (const [key, values] of rows) {
      if (rings.size >= MAX_SAMPLED_KEYS) break;
      const ring = this.#rings.get(key) ?? new Float64Array(SLOTS * values.length);
      ring.set(values, slot * values.length);
      rings.set(key, ring);
    }
    this.#rings = rings;
    this.#taken += 1;
    this.#times = [...this.#times.slice(1 - SLOTS), nowMs];
  }

  /** How fast each counter of a row grows now, per second: the average of {@link AVERAGE_MS}. */
  rates([key, values]: SampledRow, nowMs: number): number[] {
    const base = this.#baseBefore(nowMs, this.#times.length);
    return values.map((value, column) => {
      return this.#rate({ value, timeMs: nowMs }, { base, row: [key, values], column });
    });
  }

  /** {@link rates} of one counter, or of several added up, at each sample shown; oldest first. */
  pastRates(row: SampledRow, columns: readonly number[]): number[] {
    return this.#shownIndexes().map((index) => {
      const timeMs = this.#times[index] ?? 0;
      const base = this.#baseBefore(timeMs, index);
      let sum = 0;
      for (const column of columns) {
        const value = this.#value(row, { index, column });
        sum += this.#rate({ value, timeMs }, { base, row, column });
      }
      return sum;
    });
  }

  /** What a gauge was at each sample shown; oldest first. */
  pastValues(row: SampledRow, column: number): number[] {
    return this.#shownIndexes().map((index) => this.#value(row, { index, column }));
  }

  #rate(
    end: { readonly value: number; readonly timeMs: number },
    start: { readonly base: number; readonly row: SampledRow; readonly column: number },
  ): number {
    const baseMs = this.#times[start.base];
    if (baseMs === undefined) return 0;
    const grown = end.value - this.#value(start.row, { index: start.base, column: start.column });
    return (Math.max(0, grown) * 1000) / Math.max(LEAST_AVERAGE_MS, end.timeMs - baseMs);
  }

  /** The newest sample that is a whole window older than `timeMs`, or the oldest there is. */
  #baseBefore(timeMs: number, end: number): number {
    // Timers run late by some ms; a window must not be stretched by a whole interval for that.
    const latestMs = timeMs - AVERAGE_MS + SAMPLE_INTERVAL_MS / 2;
    for (let index = end - 1; index > 0; index -= 1) {
      if ((this.#times[index] ?? 0) <= latestMs) return index;
    }
    return 0;
  }

  #value(row: SampledRow, at: { readonly index: number; readonly column: number }): number {
    const [key, values] = row;
    const slot = (this.#taken - this.#times.length + at.index) % SLOTS;
    return this.#rings.get(key)?.[slot * values.length + at.column] ?? 0;
  }

  #shownIndexes(): number[] {
    const first = this.#times.length - this.shown;
    return Array.from({ length: this.shown }, (_, index) => first + index);
  }
}

/** The slot of burstable billing: five minutes, in ms. */
export const SLOT_MS = 300_000;

const FIRST_SLOTS = 1024;
const MAX_LOAD = 0.75;
const EMPTY = 0xffff_ffff;

/**
 * Bytes by row and five-minute slot, for percentiles of bandwidth. A flat table of numbers, since
 * millions of users with a few calls each make millions of entries.
 */
export class BandwidthTable {
  #rows = new Uint32Array(FIRST_SLOTS).fill(EMPTY);
  #slots = new Uint32Array(FIRST_SLOTS);
  #bytes = new Float64Array(FIRST_SLOTS);
  #size = 0;

  /** Adds bytes to a slot of a row; `slot` counts from the Unix epoch. */
  add(row: number, slot: number, bytes: number): void {
    const at = this.#find(row, slot);
    if (this.#rows[at] === EMPTY) {
      this.#rows[at] = row;
      this.#slots[at] = slot;
      this.#size += 1;
    }
    this.#bytes[at] = (this.#bytes[at] ?? 0) + bytes;
    if (this.#size > this.#rows.length * MAX_LOAD) this.#grow();
  }

  /**
   * The bytes of all slots in which something moved, by row.
   *
   * @param rows how many rows there are; their numbers are lower
   */
  byRow(rows: number): (row: number) => Float64Array {
    const ends = new Uint32Array(rows + 1);
    for (const row of this.#rows) if (row !== EMPTY) ends[row] = (ends[row] ?? 0) + 1;
    for (let row = 1; row <= rows; row += 1) ends[row] = (ends[row] ?? 0) + (ends[row - 1] ?? 0);
    const sorted = new Float64Array(this.#size);
    const next = Uint32Array.from(ends);
    for (let at = 0; at < this.#rows.length; at += 1) {
      const row = this.#rows[at] ?? EMPTY;
      if (row === EMPTY) continue;
      const place = (next[row] ?? 0) - 1;
      next[row] = place;
      sorted[place] = this.#bytes[at] ?? 0;
    }
    return (row) => sorted.subarray(row > 0 ? ends[row - 1] : 0, ends[row]);
  }

  #find(row: number, slot: number): number {
    const mask = this.#rows.length - 1;
    let at = (Math.imul(row ^ (slot << 7), 0x9e3779b1) ^ Math.imul(slot, 0x85ebca6b)) >>> 0;
    at = (at ^ (at >>> 15)) & mask;
    while (this.#rows[at] !== EMPTY && (this.#rows[at] !== row || this.#slots[at] !== slot)) {
      at = (at + 1) & mask;
    }
    return at;
  }

  #grow(): void {
    const [rows, slots, bytes] = [this.#rows, this.#slots, this.#bytes];
    this.#rows = new Uint32Array(rows.length * 2).fill(EMPTY);
    this.#slots = new Uint32Array(rows.length * 2);
    this.#bytes = new Float64Array(rows.length * 2);
    for (let old = 0; old < rows.length; old += 1) {
      const row = rows[old] ?? EMPTY;
      if (row === EMPTY) continue;
      const slot = slots[old] ?? 0;
      const at = this.#find(row, slot);
      this.#rows[at] = row;
      this.#slots[at] = slot;
      this.#bytes[at] = bytes[old] ?? 0;
    }
  }
}

/**
 * The 95th percentile of bandwidth in bits per second: five in a hundred slots had more. Slots in
 * which nothing moved count as zero.
 *
 * @param moved the bytes of the slots in which something moved, in any order; sorted in place
 * @param slots how many slots the time has
 */
export function percentile95(moved: Float64Array, slots: number): number {
  const dropped = Math.floor(slots * 0.05);
  if (dropped >= moved.length) return 0;
  moved.sort();
  return ((moved[moved.length - 1 - dropped] ?? 0) * 8 * 1000) / SLOT_MS;
}

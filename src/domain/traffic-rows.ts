import type { Traffic } from './traffic.ts';

/**
 * How an allocation keeps its sums: numbers in a row of a shared page. A million objects with numbers
 * beyond 2^31 would keep each of them in a box of its own on the heap.
 */
export interface TrafficRow {
  readonly page: Float64Array;
  /** Where the row begins in its page. */
  readonly offset: number;
}

/** Where the sums of a side begin in a row, and in an account; in the order of `Traffic`. */
export const CLIENT = 0;
export const PEER = 4;
/** Only in an account. */
export const UNALLOCATED = 8;
/** How many numbers a sum has. */
export const TRAFFIC_LENGTH = 4;
/** Where a row keeps the time of the last event, in ms. */
export const LAST_EVENT = 8;
const ROW_LENGTH = 9;
const ROWS_IN_PAGE = 1024;

/** Hands out rows, and takes them back for others. */
export class TrafficRows {
  readonly #free: TrafficRow[] = [];

  /** A row of zeros. */
  take(): TrafficRow {
    if (this.#free.length === 0) this.#addPage();
    // #addPage has just filled the list if it was empty.
    return this.#free.pop() ?? { page: new Float64Array(ROW_LENGTH), offset: 0 };
  }

  /** Gives a row back; whoever had it must not use it again. */
  give(row: TrafficRow): void {
    row.page.fill(0, row.offset, row.offset + ROW_LENGTH);
    this.#free.push(row);
  }

  #addPage(): void {
    const page = new Float64Array(ROW_LENGTH * ROWS_IN_PAGE);
    for (let row = ROWS_IN_PAGE - 1; row >= 0; row -= 1) {
      this.#free.push({ page, offset: row * ROW_LENGTH });
    }
  }
}

/** Four numbers of a row or an account, as an object. */
export function trafficAt(numbers: Float64Array, offset: number): Traffic {
  return {
    receivedPackets: numbers[offset] ?? 0,
    receivedBytes: numbers[offset + 1] ?? 0,
    sentPackets: numbers[offset + 2] ?? 0,
    sentBytes: numbers[offset + 3] ?? 0,
  };
}

/** Adds traffic to four numbers of a row or an account. */
export function addTrafficAt(numbers: Float64Array, offset: number, traffic: Traffic): void {
  numbers[offset] = (numbers[offset] ?? 0) + traffic.receivedPackets;
  numbers[offset + 1] = (numbers[offset + 1] ?? 0) + traffic.receivedBytes;
  numbers[offset + 2] = (numbers[offset + 2] ?? 0) + traffic.sentPackets;
  numbers[offset + 3] = (numbers[offset + 3] ?? 0) + traffic.sentBytes;
}

import type { Traffic } from './traffic.ts';

/**
 * The numbers of an allocation that every report changes, side by side in a page of rows. A million
 * objects would keep each number beyond 2^31 in a box of its own, and spread what one report touches
 * over a dozen places in memory.
 */
export interface TrafficRow {
  readonly page: Float64Array;
  /** Where the row begins in its page. */
  readonly offset: number;
}

/** How many numbers a sum has, in the order of `Traffic`. */
export const TRAFFIC_LENGTH = 4;
/** Where the sums of a side begin, in a row and in an account. */
export const CLIENT = 0;
export const PEER = 4;
/** Only in an account. */
export const UNALLOCATED = 8;
/** Only in a row: when it was last heard of, in ms. */
export const LAST_EVENT = 8;
/** Only in a row: the number of its account. */
export const ACCOUNT = 9;
/** Only in a row: 1 when a peer report or total was seen. */
export const REPORTS_PEER = 10;
/** Only in a row: 1 while it is suspect. */
export const SUSPECT = 11;
/** How many numbers a row has. */
export const ROW_LENGTH = 12;

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

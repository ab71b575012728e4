/** Packets and bytes of one leg, as the TURN server sees it: received from and sent to that side. */
export interface Traffic {
  readonly receivedPackets: number;
  readonly receivedBytes: number;
  readonly sentPackets: number;
  readonly sentBytes: number;
}

/**
 * coturn keeps a session's peer traffic in 32-bit counters, so its peer totals wrap here.
 * Source: coturn 4.5.2 to 4.17.1, ns_turn_session.h, `t_peer_received_bytes` and its siblings.
 */
export const PEER_TOTAL_MODULUS: number = 2 ** 32;

/** The same as a list, in this order. */
export type TrafficNumbers = readonly [number, number, number, number];

/** Traffic as a list. */
export function numbersOf(traffic: Traffic): TrafficNumbers {
  const { receivedPackets, receivedBytes, sentPackets, sentBytes } = traffic;
  return [receivedPackets, receivedBytes, sentPackets, sentBytes];
}

/** Traffic of such a list. */
export function trafficOf(numbers: TrafficNumbers): Traffic {
  const [receivedPackets, receivedBytes, sentPackets, sentBytes] = numbers;
  return { receivedPackets, receivedBytes, sentPackets, sentBytes };
}

/** Where a sum of {@link Traffic} is kept. */
export interface MutableTraffic {
  receivedPackets: number;
  receivedBytes: number;
  sentPackets: number;
  sentBytes: number;
}

/** A new sum of nothing. */
export function createTraffic(): MutableTraffic {
  return { receivedPackets: 0, receivedBytes: 0, sentPackets: 0, sentBytes: 0 };
}

/** Adds `traffic` to `sum` in place. */
export function addTraffic(sum: MutableTraffic, traffic: Traffic): void {
  sum.receivedPackets += traffic.receivedPackets;
  sum.receivedBytes += traffic.receivedBytes;
  sum.sentPackets += traffic.sentPackets;
  sum.sentBytes += traffic.sentBytes;
}

/** No traffic at all. */
export const NOTHING: Traffic = {
  receivedPackets: 0,
  receivedBytes: 0,
  sentPackets: 0,
  sentBytes: 0,
};

/** The traffic of both; no number leaves the range of whole numbers. */
export function sumTraffic(left: Traffic, right: Traffic): Traffic {
  return {
    receivedPackets: addWhole(left.receivedPackets, right.receivedPackets),
    receivedBytes: addWhole(left.receivedBytes, right.receivedBytes),
    sentPackets: addWhole(left.sentPackets, right.sentPackets),
    sentBytes: addWhole(left.sentBytes, right.sentBytes),
  };
}

/** The sum of two whole numbers, 2^53 − 1 at most: beyond it a state file could not be read again. */
export function addWhole(left: number, right: number): number {
  return Math.min(left + right, Number.MAX_SAFE_INTEGER);
}

/** Bytes of both directions. */
export function bytesOf(traffic: Traffic): number {
  return addWhole(traffic.receivedBytes, traffic.sentBytes);
}

/** True when nothing at all moved. */
export function isZero(traffic: Traffic): boolean {
  return (
    traffic.receivedPackets === 0 &&
    traffic.receivedBytes === 0 &&
    traffic.sentPackets === 0 &&
    traffic.sentBytes === 0
  );
}

/**
 * What `reported` lacks of `total`, field by field; zero where the reports were ahead of it.
 *
 * @param missing tells it for one field: {@link missingOfTotal} or {@link missingOfPeerTotal}
 */
export function missingTraffic(
  reported: Traffic,
  total: Traffic,
  missing: (reported: number, total: number) => number,
): Traffic {
  return {
    receivedPackets: missing(reported.receivedPackets, total.receivedPackets),
    receivedBytes: missing(reported.receivedBytes, total.receivedBytes),
    sentPackets: missing(reported.sentPackets, total.sentPackets),
    sentBytes: missing(reported.sentBytes, total.sentBytes),
  };
}

/** What is missing of a client-side total, which never wraps (seen at 4.9e9 bytes). */
export function missingOfTotal(reported: number, total: number): number {
  return total > reported ? total - reported : 0;
}

/**
 * What is missing of a peer-side total, which is known modulo 2^32 only. A distance of 2^31 or more
 * means that the reports were ahead of the total, and nothing is missing.
 */
export function missingOfPeerTotal(reported: number, total: number): number {
  const distance = modulo(total - reported, PEER_TOTAL_MODULUS);
  return distance < PEER_TOTAL_MODULUS / 2 ? distance : 0;
}

/**
 * The true value of a wrapped peer total whose reports are not known from the start: of all values
 * that wrap to `total` and are not below `reported`, the one nearest to `twin`, the same media on
 * the client side (which never wraps and differs by a few per cent of overhead).
 */
export function unwrapPeerTotal(reported: number, total: number, twin: number): number {
  const least = reported + modulo(total - reported, PEER_TOTAL_MODULUS);
  const wraps = Math.round((twin - least) / PEER_TOTAL_MODULUS);
  // Nearer to the reports than one wrap above them: they were ahead of this total.
  if (wraps < 0 && least - reported >= PEER_TOTAL_MODULUS / 2) return reported;
  return least + Math.max(0, wraps) * PEER_TOTAL_MODULUS;
}

function modulo(value: number, modulus: number): number {
  const rest = value % modulus;
  // The rest of a negative number is negative, or the negative zero.
  return rest < 0 ? rest + modulus : rest + 0;
}

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
/** One of the sides of an allocation. */
export type Side = typeof CLIENT | typeof PEER;
/** Only in an account. */
export const UNALLOCATED = 8;
/** Only in a row: when it was last heard of, in ms. */
export const LAST_EVENT = 8;
/** Only in a row: the number of its account. */
export const ACCOUNT = 9;
/** Only in a row: 1 when a peer report or total was seen, 2 when it is known to have relayed. */
export const PEER_SEEN = 10;
/** Only in a row: 1 while it is suspect. */
export const SUSPECT = 11;
/** Only in a row: when it was last proven to live, in ms. */
export const LAST_PROOF = 12;
/** How many numbers a row has. */
export const ROW_LENGTH = 13;

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
  numbers[offset] = addWhole(numbers[offset] ?? 0, traffic.receivedPackets);
  numbers[offset + 1] = addWhole(numbers[offset + 1] ?? 0, traffic.receivedBytes);
  numbers[offset + 2] = addWhole(numbers[offset + 2] ?? 0, traffic.sentPackets);
  numbers[offset + 3] = addWhole(numbers[offset + 3] ?? 0, traffic.sentBytes);
}

// What a delta needs, and nothing else: every one of them passes here.

/** Whether a delta may be added: a sum beyond 2^53 would not be exact any more. */
export function fits(sums: Float64Array, offset: number, delta: Float64Array): boolean {
  for (let field = 0; field < TRAFFIC_LENGTH; field += 1) {
    const sum = (sums[offset + field] ?? 0) + (delta[field] ?? 0);
    if (sum > Number.MAX_SAFE_INTEGER) return false;
  }
  return true;
}

/** True when a delta says that nothing moved. */
export function isNothing(delta: Float64Array): boolean {
  return delta[0] === 0 && delta[1] === 0 && delta[2] === 0 && delta[3] === 0;
}

/**
 * Adds a delta to four numbers of a row and of an account, unless a sum would not be exact any more.
 * Written out, and its arguments are no objects, since every delta passes here.
 *
 * @returns whether it was added
 */
export function addDelta(
  page: Float64Array,
  at: number,
  sums: Float64Array,
  side: Side,
  delta: Float64Array,
): boolean {
  const one = delta[0] ?? 0;
  const two = delta[1] ?? 0;
  const three = delta[2] ?? 0;
  const four = delta[3] ?? 0;
  const row1 = (page[at] ?? 0) + one;
  const row2 = (page[at + 1] ?? 0) + two;
  const row3 = (page[at + 2] ?? 0) + three;
  const row4 = (page[at + 3] ?? 0) + four;
  const sum1 = (sums[side] ?? 0) + one;
  const sum2 = (sums[side + 1] ?? 0) + two;
  const sum3 = (sums[side + 2] ?? 0) + three;
  const sum4 = (sums[side + 3] ?? 0) + four;
  const all = row1 + row2 + row3 + row4 + sum1 + sum2 + sum3 + sum4;
  // One look at all of them; only beyond it each by itself.
  if (all > Number.MAX_SAFE_INTEGER && !(fits(page, at, delta) && fits(sums, side, delta))) {
    return false;
  }
  page[at] = row1;
  page[at + 1] = row2;
  page[at + 2] = row3;
  page[at + 3] = row4;
  sums[side] = sum1;
  sums[side + 1] = sum2;
  sums[side + 2] = sum3;
  sums[side + 3] = sum4;
  return true;
}

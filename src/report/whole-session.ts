import { type BillRecord, billedBytes, type Sums } from './bill-record.ts';

/** One session as a bill counts it: a record, or what several records of one session make. */
export interface BilledSession {
  /** Sums, times and states of all its records together. */
  readonly record: BillRecord;
  /** How many records of an exporter that was restarted make it up. */
  readonly parts: number;
  /** At most so many bytes more were relayed than the sums say; 0 when they are exact. */
  readonly uncertainBytes: number;
  /** Whether the two of a pair of exporters recorded the same bytes; absent where only one did. */
  readonly pair?: 'alike' | 'unlike';
  /** What its ended allocations had moved, where that is not all but `record.open`. */
  readonly settled?: Sums;
}

/** How far the clocks of two machines may be apart, in ms. */
export const CLOCK_SKEW_MS = 60_000;
/** An allocation lives an hour at most without a refresh, which shows it to the next exporter. */
const LONGEST_SILENCE_MS = 3_600_000;

/** A record that stands for a session by itself. */
export function wholeSession(record: BillRecord): BilledSession {
  return { record, parts: 1, uncertainBytes: 0 };
}

/**
 * Whether `next` may be the session that `earlier` had to leave: its exporter found allocations that
 * were there before it, from the same client and on the same server, soon after the stop.
 */
export function mayContinue(earlier: BilledSession, next: BillRecord): boolean {
  const { record } = earlier;
  const pauseMs = next.startMs - record.endMs;
  return (
    record.openAllocations > 0 &&
    next.adoptedAllocations > 0 &&
    record.replica === next.replica &&
    pauseMs >= -CLOCK_SKEW_MS &&
    pauseMs <= LONGEST_SILENCE_MS &&
    // coturn's totals hold what was heard before.
    (!next.complete || isAtLeast(next, record.open)) &&
    sharesOne(record.server, next.server) &&
    sharesOne(record.client, next.client)
  );
}

/**
 * One session of a record that the end of its exporter cut off and the record of the next one. The
 * latter's totals hold all that the open allocations of the former had moved, so only what the
 * ended ones had moved is added. Where allocations ended unseen in between, or totals are missing,
 * the sums are what was relayed at least, and `uncertainBytes` tells how much more it may be.
 */
export function continueSession(earlier: BilledSession, next: BillRecord): BilledSession {
  const { record } = earlier;
  const joined = joinSums(earlier, next);
  const relayed = mergeRelayed(record, next);
  const most = billedBytes(record) + earlier.uncertainBytes + billedBytes(next);
  const merged: BillRecord = {
    ...next,
    ...joined.sums,
    open: joined.open,
    server: joinDistinct(record.server, next.server),
    transport: joinDistinct(record.transport, next.transport),
    client: joinDistinct(record.client, next.client),
    startMs: record.startMs,
    durationMs: Math.max(0, next.endMs - record.startMs),
    startKnown: record.startKnown,
    complete: next.complete && joined.isExact,
    relayed,
    allocations: record.allocations + Math.max(0, next.allocations - next.adoptedAllocations),
    receivedPackets: record.receivedPackets + next.receivedPackets,
    sentPackets: record.sentPackets + next.sentPackets,
  };
  return {
    record: merged,
    parts: earlier.parts + 1,
    uncertainBytes: joined.isExact ? 0 : Math.max(0, most - billedBytes(merged)),
    settled: joined.settled,
  };
}

interface JoinedSums {
  readonly sums: Sums;
  readonly settled: Sums;
  /** What the totals of a further record would hold. */
  readonly open: Sums;
  readonly isExact: boolean;
}

function joinSums(earlier: BilledSession, next: BillRecord): JoinedSums {
  const { record, settled = subtract(record, record.open) } = earlier;
  const allWentOn = next.adoptedAllocations === record.openAllocations;
  const isCertain = allWentOn && earlier.uncertainBytes === 0;
  if (isCertain && next.openAllocations === next.allocations) {
    // The next exporter was stopped as well, before it heard of any total: reports add up.
    const open = add(record.open, next);
    return { sums: add(settled, open), settled, open, isExact: true };
  }
  const isExact = isCertain && next.complete;
  const least = larger(record, add(settled, larger(record.open, next)));
  return {
    sums: isExact ? add(settled, next) : least,
    settled: add(settled, subtract(next, next.open)),
    open: next.open,
    isExact,
  };
}

/** Whether two lists such as `udp,tls` have an entry in common; an empty one may be anything. */
export function sharesOne(left: string, right: string): boolean {
  if (left === right || left === '' || right === '') return true;
  const entries = right.split(',');
  return left.split(',').some((entry) => entries.includes(entry));
}

function mergeRelayed(earlier: BillRecord, next: BillRecord): boolean | undefined {
  if (earlier.relayed || next.relayed) return true;
  // Totals tell of the whole; without them a part that nobody knows leaves the whole unknown.
  return next.complete ? next.relayed : undefined;
}

function joinDistinct(left: string, right: string): string {
  const entries = [...left.split(','), ...right.split(',')].filter((entry) => entry !== '');
  return [...new Set(entries)].join(',');
}

function isAtLeast(sums: Sums, least: Sums): boolean {
  return (
    sums.receivedBytes >= least.receivedBytes &&
    sums.sentBytes >= least.sentBytes &&
    sums.peerReceivedBytes >= least.peerReceivedBytes &&
    sums.peerSentBytes >= least.peerSentBytes
  );
}

function combine(left: Sums, right: Sums, with2: (one: number, other: number) => number): Sums {
  return {
    receivedBytes: with2(left.receivedBytes, right.receivedBytes),
    sentBytes: with2(left.sentBytes, right.sentBytes),
    peerReceivedBytes: with2(left.peerReceivedBytes, right.peerReceivedBytes),
    peerSentBytes: with2(left.peerSentBytes, right.peerSentBytes),
  };
}

const add = (left: Sums, right: Sums): Sums => combine(left, right, (one, other) => one + other);
const larger = (left: Sums, right: Sums): Sums => combine(left, right, Math.max);
/** Never below zero: a record that contradicts itself is no reason for a negative bill. */
const subtract = (left: Sums, right: Sums): Sums =>
  combine(left, right, (one, other) => Math.max(0, one - other));

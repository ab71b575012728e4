import { type BillRecord, billedBytes, NO_BYTES, type Sums } from './bill-record.ts';

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
  /** What is known of a session that its exporter had to leave. */
  readonly cut?: Cut;
}

/** A session that was cut off, and what was found of it later. */
interface Cut {
  readonly atMs: number;
  /** What its allocations had moved that were over by then. */
  readonly settled: Sums;
  /** What the others had: coturn's totals in later records hold it. */
  readonly open: Sums;
  /** The sums of all later records, without what was cut off in them again. */
  readonly later: Sums;
  /** How many allocations no later record tells of so far. */
  readonly missing: number;
  /** All that was found fits together, and is complete. */
  readonly isWhole: boolean;
  /** Billed bytes of all records together: there cannot be more. */
  readonly mostBytes: number;
}

/** How far the clocks of two machines may be apart, in ms. */
export const CLOCK_SKEW_MS = 60_000;
/** An allocation lives an hour at most without a refresh, which shows it to the next exporter. */
const LONGEST_SILENCE_MS = 3_600_000;

/** A record that stands for a session by itself. */
export function wholeSession(record: BillRecord): BilledSession {
  return { record, parts: 1, uncertainBytes: 0 };
}

/** Some of its allocations were cut off, and no record tells how they went on. */
export function isCutOff({ record, cut }: BilledSession): boolean {
  return (cut?.missing ?? record.openAllocations) > 0;
}

/**
 * Whether `next` may be of the session that `earlier` had to leave: its exporter found allocations
 * that were there before it, from the same client and on the same server, soon after the stop.
 */
export function mayContinue(earlier: BilledSession, next: BillRecord): boolean {
  const { record, cut = cutOf(record) } = earlier;
  const pauseMs = next.startMs - cut.atMs;
  return (
    cut.missing > 0 &&
    next.adoptedAllocations > 0 &&
    record.replica === next.replica &&
    pauseMs >= -CLOCK_SKEW_MS &&
    pauseMs <= LONGEST_SILENCE_MS &&
    holdsEnough(cut, next) &&
    sharesOne(record.server, next.server) &&
    sharesOne(record.client, next.client)
  );
}

/**
 * One session of a record that the end of its exporter cut off and a record of the next one. The
 * latter's totals hold all that the open allocations of the former had moved, so only what the
 * ended ones had moved is added. The next exporter may record several sessions of one, since it
 * finds allocations when it hears of them. Where allocations ended unseen, or totals are missing,
 * the sums are what was relayed at least, and `uncertainBytes` tells how much more it may be.
 */
export function continueSession(earlier: BilledSession, next: BillRecord): BilledSession {
  const { record } = earlier;
  const cut = extend(earlier.cut ?? cutOf(record), next);
  const isExact = cut.isWhole && cut.missing === 0;
  const least = larger(record, add(cut.settled, larger(cut.open, cut.later)));
  const sums = isExact ? add(cut.settled, cut.later) : least;
  const relayed = mergeRelayed(record, next);
  const endMs = Math.max(record.endMs, next.endMs);
  const merged: BillRecord = {
    ...next,
    ...sums,
    endMs,
    server: joinDistinct(record.server, next.server),
    transport: joinDistinct(record.transport, next.transport),
    client: joinDistinct(record.client, next.client),
    startMs: record.startMs,
    durationMs: Math.max(0, endMs - record.startMs),
    startKnown: record.startKnown,
    complete: isExact,
    relayed,
    allocations: record.allocations + Math.max(0, next.allocations - next.adoptedAllocations),
    receivedPackets: record.receivedPackets + next.receivedPackets,
    sentPackets: record.sentPackets + next.sentPackets,
  };
  const uncertainBytes = isExact ? 0 : Math.max(0, cut.mostBytes - billedBytes(merged));
  return { record: merged, parts: earlier.parts + 1, uncertainBytes, cut };
}

function cutOf(record: BillRecord): Cut {
  return {
    atMs: record.endMs,
    settled: subtract(record, record.open),
    open: record.open,
    later: NO_BYTES,
    missing: record.openAllocations,
    isWhole: true,
    mostBytes: billedBytes(record),
  };
}

function extend(cut: Cut, next: BillRecord): Cut {
  const isCutAgain = next.openAllocations > 0;
  // A record that was cut off says of nothing that it is complete; where nothing of it is over,
  // nothing can lack a total.
  const fits = isCutAgain ? next.openAllocations === next.allocations : next.complete;
  return {
    atMs: isCutAgain ? next.endMs : cut.atMs,
    settled: cut.settled,
    // Reports of allocations that live on add up until a total holds them all.
    open: add(cut.open, next.open),
    later: add(cut.later, subtract(next, next.open)),
    missing: Math.max(0, cut.missing - next.adoptedAllocations) + next.openAllocations,
    isWhole: cut.isWhole && fits && next.adoptedAllocations <= cut.missing,
    mostBytes: cut.mostBytes + billedBytes(next),
  };
}

/** Totals of the last missing allocations are not below what was heard of them before. */
function holdsEnough(cut: Cut, next: BillRecord): boolean {
  const isLast = next.complete && next.adoptedAllocations >= cut.missing;
  return !isLast || isAtLeast(add(cut.later, next), cut.open);
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

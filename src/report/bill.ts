import { BandwidthTable, percentile95, SLOT_MS } from './bandwidth.ts';
import { type BillRecord, billedBytes } from './bill-record.ts';
import { ExactSums } from './exact-sum.ts';
import { type BilledSession, isCutOff } from './whole-session.ts';

/** What rows can be made of. A user belongs to a realm, so that `user` stands for both. */
export const BILL_KEYS = ['user', 'realm', 'server', 'day', 'month', 'transport'] as const;
export type BillKey = (typeof BILL_KEYS)[number];

/** What a {@link Bill} counts. */
export interface BillOptions {
  readonly by: readonly BillKey[];
  /** Unix time in ms: sessions that ended from here on; undefined for no bound. */
  readonly fromMs: number | undefined;
  /** Unix time in ms: sessions that ended before it. */
  readonly toMs: number | undefined;
}

/** One row, or all of them together. Bytes as coturn sees them. */
export interface BillRow {
  /** The values of the keys, in their order; empty for the total. */
  readonly keys: readonly string[];
  readonly sessions: number;
  /** Of those: the relay carried the media; it did not; nobody knows. */
  readonly relayed: number;
  readonly direct: number;
  readonly unknown: number;
  readonly durationMs: bigint;
  /** The time of the sessions that were relayed. */
  readonly relayedMs: bigint;
  readonly receivedBytes: bigint;
  readonly sentBytes: bigint;
  readonly peerReceivedBytes: bigint;
  readonly peerSentBytes: bigint;
  readonly billedBytes: bigint;
  /** 95th percentile of the billed bytes' bandwidth in five-minute slots, in bits per second. */
  readonly p95BitsPerSecond: number;
  /** Sessions not every byte of which is accounted for, and their billed bytes. */
  readonly incomplete: number;
  readonly incompleteBytes: bigint;
  /** Sessions that began before their exporter: their minutes are too few. */
  readonly startUnknown: number;
  /** At most so many billed bytes more were relayed. */
  readonly uncertainBytes: bigint;
}

/** What was made one, for people. */
export interface MergeCounts {
  /** Sessions made of records before and after a restart of the exporter. */
  continued: number;
  /** Sessions that were cut off, and no record tells how they went on. */
  cutOff: number;
  /** Sessions that both of a pair recorded alike. */
  alike: number;
  /** Sessions of which a pair recorded different sums: the larger are counted. */
  unlike: number;
}

/** A bill that is done. */
export interface BillResult {
  /** What the keys of each row are. */
  readonly columns: readonly BillKey[];
  /** In the order of their keys; made as they are read, which is possible more than once. */
  readonly rows: Iterable<BillRow>;
  readonly total: BillRow;
  readonly merged: MergeCounts;
}

const DAY_MS = 86_400_000;
const DAY_CHARACTERS = 10;
const MONTH_CHARACTERS = 7;
/** A longer session has a clock that was set in it: its bandwidth would be anything. */
const MAX_SLOTS = (400 * DAY_MS) / SLOT_MS;

/** Sums up sessions by row. A session belongs to the day and month in which it ended, UTC. */
export class Bill {
  readonly #columns: readonly BillKey[];
  readonly #options: BillOptions;
  readonly #isByTime: boolean;
  /** Days as texts, by their number since the epoch. */
  readonly #days = new Map<number, string>();
  readonly #rows = new Map<string, Row>();
  readonly #total = new Row([], 0);
  readonly #merged: MergeCounts = { continued: 0, cutOff: 0, alike: 0, unlike: 0 };
  readonly #bandwidth = new BandwidthTable();
  #firstMs: number = Number.POSITIVE_INFINITY;
  #lastMs: number = Number.NEGATIVE_INFINITY;

  constructor(options: BillOptions) {
    this.#options = options;
    this.#isByTime = options.by.includes('day') || options.by.includes('month');
    this.#columns = options.by.flatMap((key) =>
      key === 'user' && !options.by.includes('realm') ? ['realm', 'user'] : [key],
    );
  }

  /** Counts a session, if it ended in the time that is asked for. */
  add(session: BilledSession): void {
    const { record } = session;
    const { fromMs = Number.NEGATIVE_INFINITY, toMs = Number.POSITIVE_INFINITY } = this.#options;
    const bytes = billedBytes(record);
    let row: Row | undefined;
    if (record.endMs >= fromMs && record.endMs < toMs) {
      row = this.#row(record, record.endMs);
      row.add(session, bytes);
      this.#total.add(session, bytes);
      this.#noteMerged(session);
      this.#firstMs = Math.min(this.#firstMs, record.startMs);
      this.#lastMs = Math.max(this.#lastMs, record.endMs);
    }
    // A session that went on beyond the time used bandwidth within it.
    if (bytes > 0 && record.startMs < toMs && record.endMs >= fromMs) {
      this.#spread(record, bytes, row);
    }
  }

  /** The rows in the order of their keys, and all of them together. */
  result(): BillResult {
    const moved = this.#bandwidth.byRow(this.#rows.size + 1);
    // A day may have bandwidth of a session that ended on the next.
    const rows = [...this.#rows.values()].filter(({ sessions }) => sessions > 0);
    rows.sort((left, right) => compareKeys(left.keys, right.keys));
    for (const row of rows) row.p95 = percentile95(moved(row.index), this.#slotsOf(row));
    this.#total.p95 = percentile95(moved(0), this.#slots(this.#first(), this.#last()));
    return {
      columns: this.#columns,
      rows: { [Symbol.iterator]: () => resultsOf(rows) },
      total: this.#total.result(),
      merged: this.#merged,
    };
  }

  #noteMerged(session: BilledSession): void {
    if (session.pair !== undefined) this.#merged[session.pair] += 1;
    if (session.parts > 1) this.#merged.continued += 1;
    if (isCutOff(session)) this.#merged.cutOff += 1;
  }

  #row(record: BillRecord, atMs: number): Row {
    let name = '';
    for (const column of this.#columns) {
      const key = this.#keyOf(record, column, atMs);
      name += `${key.length}:${key}`;
    }
    const known = this.#rows.get(name);
    if (known !== undefined) return known;
    const keys = this.#columns.map((column) => this.#keyOf(record, column, atMs));
    const row = new Row(keys, this.#rows.size + 1);
    this.#rows.set(name, row);
    return row;
  }

  #keyOf(record: BillRecord, column: BillKey, atMs: number): string {
    if (column !== 'day' && column !== 'month') return record[column];
    const number = Math.floor(atMs / DAY_MS);
    let day = this.#days.get(number);
    if (day === undefined) {
      day = dayOf(atMs);
      this.#days.set(number, day);
    }
    return column === 'day' ? day : day.slice(0, MONTH_CHARACTERS);
  }

  /** Spreads the bytes of a session evenly over its time: no record tells more. */
  #spread(record: BillRecord, bytes: number, counted: Row | undefined): void {
    const { startMs } = record;
    const endMs = Math.max(record.endMs, startMs + 1);
    const first = Math.floor(startMs / SLOT_MS);
    const last = Math.floor((endMs - 1) / SLOT_MS);
    if (first < 0 || last - first > MAX_SLOTS) return;
    const perMs = bytes / (endMs - startMs);
    const from = Math.floor((this.#options.fromMs ?? 0) / SLOT_MS);
    const to = Math.ceil((this.#options.toMs ?? Number.MAX_SAFE_INTEGER) / SLOT_MS);
    let row = counted;
    let day = Math.floor(record.endMs / DAY_MS);
    for (let slot = Math.min(last, to - 1); slot >= Math.max(first, from); slot -= 1) {
      const atMs = slot * SLOT_MS;
      const partMs = Math.min(endMs, atMs + SLOT_MS) - Math.max(startMs, atMs);
      const slotDay = Math.floor(atMs / DAY_MS);
      if (row === undefined || (this.#isByTime && slotDay !== day)) row = this.#row(record, atMs);
      day = slotDay;
      this.#bandwidth.add(row.index, slot, perMs * partMs);
      this.#bandwidth.add(0, slot, perMs * partMs);
    }
  }

  /** How many slots the time of a row has: its day, its month, or the time of the bill. */
  #slotsOf({ keys }: Row): number {
    const day = keys[this.#columns.indexOf('day')];
    const month = keys[this.#columns.indexOf('month')];
    let fromMs = this.#first();
    let toMs = this.#last();
    if (month !== undefined) {
      const beginMs = Date.parse(`${month}-01`);
      fromMs = beginMs;
      toMs = Date.parse(`${dayOf(beginMs + 32 * DAY_MS).slice(0, MONTH_CHARACTERS)}-01`);
    }
    if (day !== undefined) {
      fromMs = Date.parse(day);
      toMs = fromMs + DAY_MS;
    }
    const { fromMs: least = fromMs, toMs: most = toMs } = this.#options;
    return this.#slots(Math.max(fromMs, least), Math.min(toMs, most));
  }

  #slots(fromMs: number, toMs: number): number {
    return Math.max(0, Math.ceil(toMs / SLOT_MS) - Math.floor(fromMs / SLOT_MS));
  }

  #first(): number {
    return this.#options.fromMs ?? this.#firstMs;
  }

  #last(): number {
    return this.#options.toMs ?? this.#lastMs;
  }
}

/** Places in the sums of a {@link Row}. */
const DURATION = 0;
const RELAYED_TIME = 1;
const RECEIVED = 2;
const SENT = 3;
const PEER_RECEIVED = 4;
const PEER_SENT = 5;
const BILLED = 6;
const INCOMPLETE = 7;
const UNCERTAIN = 8;

class Row {
  readonly keys: readonly string[];
  /** Its number in the table of bandwidth; 0 is the total. */
  readonly index: number;
  sessions = 0;
  p95 = 0;
  #relayed = 0;
  #direct = 0;
  #incomplete = 0;
  #startUnknown = 0;
  readonly #sums = new ExactSums(UNCERTAIN + 1);

  constructor(keys: readonly string[], index: number) {
    this.keys = keys;
    this.index = index;
  }

  add({ record, uncertainBytes }: BilledSession, bytes: number): void {
    const sums = this.#sums;
    this.sessions += 1;
    if (record.relayed) {
      this.#relayed += 1;
      sums.add(RELAYED_TIME, record.durationMs);
    } else if (record.relayed === false) this.#direct += 1;
    sums.add(DURATION, record.durationMs);
    sums.add(RECEIVED, record.receivedBytes);
    sums.add(SENT, record.sentBytes);
    sums.add(PEER_RECEIVED, record.peerReceivedBytes);
    sums.add(PEER_SENT, record.peerSentBytes);
    sums.add(BILLED, bytes);
    sums.add(UNCERTAIN, uncertainBytes);
    if (!record.startKnown) this.#startUnknown += 1;
    if (record.complete) return;
    this.#incomplete += 1;
    sums.add(INCOMPLETE, bytes);
  }

  result(): BillRow {
    const sums = this.#sums;
    return {
      keys: this.keys,
      sessions: this.sessions,
      relayed: this.#relayed,
      direct: this.#direct,
      unknown: this.sessions - this.#relayed - this.#direct,
      durationMs: sums.value(DURATION),
      relayedMs: sums.value(RELAYED_TIME),
      receivedBytes: sums.value(RECEIVED),
      sentBytes: sums.value(SENT),
      peerReceivedBytes: sums.value(PEER_RECEIVED),
      peerSentBytes: sums.value(PEER_SENT),
      billedBytes: sums.value(BILLED),
      p95BitsPerSecond: this.p95,
      incomplete: this.#incomplete,
      incompleteBytes: sums.value(INCOMPLETE),
      startUnknown: this.#startUnknown,
      uncertainBytes: sums.value(UNCERTAIN),
    };
  }
}

function* resultsOf(rows: readonly Row[]): Generator<BillRow, undefined> {
  for (const row of rows) yield row.result();
  return undefined;
}

/** `2026-10-05`, UTC. */
function dayOf(unixMs: number): string {
  return new Date(unixMs).toISOString().slice(0, DAY_CHARACTERS);
}

/** `2026-10-05T09:05:01.003Z`; undefined for what is no time. */
export function isoTime(unixMs: number): string | undefined {
  return Number.isNaN(unixMs) ? undefined : new Date(unixMs).toISOString();
}

/** By code units, as `sort` does it everywhere. */
function compareKeys(left: readonly string[], right: readonly string[]): number {
  for (let index = 0; index < left.length; index += 1) {
    const [key = '', other = ''] = [left[index], right[index]];
    if (key !== other) return key < other ? -1 : 1;
  }
  return 0;
}

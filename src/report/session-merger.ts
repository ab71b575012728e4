import { type BillRecord, billedBytes } from './bill-record.ts';
import {
  type BilledSession,
  CLOCK_SKEW_MS,
  continueSession,
  isCutOff,
  mayContinue,
  sharesOne,
  wholeSession,
} from './whole-session.ts';

/** A session that waits for the record of the other exporter, or of the next one. */
interface Waiting {
  session: BilledSession;
  /** Realm and user. */
  readonly key: string;
  /** Who recorded it with the same sums. */
  readonly replicas: string[];
  /** When it stops waiting; never when it was cut off. */
  dueMs: number;
  isCounted: boolean;
}

/** Records may be out of order by so much, in ms, where several make one session. */
export const LONGEST_DISORDER_MS = 3_600_000;
/**
 * How long a session waits for the other exporter's record: one that missed an end records it when
 * the lifetime is over, an hour and a grace at most.
 */
const HOLD_MS: number = 2 * LONGEST_DISORDER_MS + 10 * CLOCK_SKEW_MS;
const SAME_TIME_MS = 5_000;
/** Done entries at the front of a list before it is cut. */
const MAX_PASSED = 10_000;

/**
 * Makes one session of the records that tell of one: of two exporters that hear the same servers,
 * told apart by `replica`, and of an exporter that was restarted without a state file. Records come
 * in the order of their times; memory holds two hours of a pair, and what was cut off.
 */
export class SessionMerger {
  /** The order of records has made a difference so far. */
  needsOrder = false;
  readonly #emit: (session: BilledSession) => void;
  /** What waits alone, by user and then by replica. */
  readonly #alone = new Map<string, Map<string, Set<Waiting>>>();
  /** What is over and waits, by its sums. */
  readonly #bySums = new Map<string, Waiting[]>();
  /** What is over and waits, the oldest first. */
  #due: Waiting[] = [];
  #passed = 0;
  readonly #replicas = new Set<string>();
  #nowMs: number = Number.NEGATIVE_INFINITY;

  constructor(emit: (session: BilledSession) => void) {
    this.#emit = emit;
  }

  /** Takes the next record. */
  push(record: BillRecord): void {
    if (record.timeMs > this.#nowMs) this.#nowMs = record.timeMs;
    const isAlone = record.replica === '';
    const isDone = record.openAllocations === 0;
    if (isAlone && isDone && record.adoptedAllocations === 0) {
      this.#emit(wholeSession(record));
      return;
    }
    this.#replicas.add(record.replica);
    if (!isDone || this.#replicas.size > 1) this.needsOrder = true;
    const { realm, user, attributes } = record;
    const key = `${realm.length}:${user.length}:${realm}${user}${attributes}`;
    const session = this.#continue(key, record);
    if (isAlone && !isCutOff(session)) this.#emit(session);
    else this.#wait(session, key);
    this.#finishUntil(this.#nowMs);
  }

  /** Hands out all that still waits; nothing comes any more. */
  finish(): void {
    this.#finishUntil(Number.POSITIVE_INFINITY);
    for (const byReplica of this.#alone.values()) {
      for (const waiting of [...byReplica.values()].flatMap((set) => [...set])) {
        if (!waiting.isCounted) this.#resolve(waiting, this.#viewsOf(waiting));
      }
    }
  }

  /** The session of a record, together with what was cut off before it. */
  #continue(key: string, record: BillRecord): BilledSession {
    if (record.adoptedAllocations === 0) return wholeSession(record);
    let found: Waiting | undefined;
    for (const waiting of this.#alone.get(key)?.get(record.replica) ?? []) {
      if (!mayContinue(waiting.session, record)) continue;
      if (found === undefined || endOf(waiting) > endOf(found)) found = waiting;
    }
    if (found === undefined) return wholeSession(record);
    this.#leave(found);
    return continueSession(found.session, record);
  }

  #wait(session: BilledSession, key: string): void {
    const { record } = session;
    const isDone = !isCutOff(session);
    const dueMs = isDone ? record.timeMs + HOLD_MS : Number.POSITIVE_INFINITY;
    const waiting = { session, key, replicas: [record.replica], dueMs, isCounted: false };
    if (isDone && this.#joinTwin(waiting)) return;
    const byReplica = this.#alone.get(key) ?? new Map<string, Set<Waiting>>();
    const own = byReplica.get(record.replica) ?? new Set();
    this.#alone.set(key, byReplica.set(record.replica, own.add(waiting)));
    if (isDone) this.#due.push(waiting);
  }

  /** Adds a session to the one that another replica recorded with the same sums at the same time. */
  #joinTwin(waiting: Waiting): boolean {
    const { record } = waiting.session;
    const sums = sumsKey(waiting);
    const alike = this.#bySums.get(sums) ?? [];
    let twin: Waiting | undefined;
    let nearestMs = CLOCK_SKEW_MS;
    for (const other of alike) {
      const theirs = other.session.record;
      const apartMs = Math.abs(theirs.startMs - record.startMs);
      if (apartMs > nearestMs || other.replicas.includes(record.replica)) continue;
      if (!sharesOne(theirs.client, record.client)) continue;
      twin = other;
      nearestMs = apartMs;
    }
    if (twin === undefined) {
      this.#bySums.set(sums, [...alike, waiting]);
      return false;
    }
    this.#leave(twin);
    // Whichever came first, the bill is the same.
    if (twin.replicas.every((other) => record.replica < other)) twin.session = waiting.session;
    twin.replicas.push(record.replica);
    return true;
  }

  #finishUntil(nowMs: number): void {
    for (;;) {
      const waiting = this.#due[this.#passed];
      if (waiting === undefined || waiting.dueMs > nowMs) break;
      this.#passed += 1;
      if (!waiting.isCounted) this.#finish(waiting, nowMs);
    }
    if (this.#passed > MAX_PASSED) {
      this.#due = this.#due.slice(this.#passed);
      this.#passed = 0;
    }
  }

  #finish(waiting: Waiting, nowMs: number): void {
    if (waiting.replicas.length > 1) {
      this.#resolve(waiting, [waiting]);
      return;
    }
    const views = this.#viewsOf(waiting);
    const youngestMs = Math.max(...views.map(({ session }) => session.record.timeMs));
    if (youngestMs > nowMs - 2 * CLOCK_SKEW_MS) {
      // The other record of that one may be still to come.
      waiting.dueMs = nowMs + 2 * CLOCK_SKEW_MS;
      this.#due.push(waiting);
      return;
    }
    this.#resolve(waiting, views);
  }

  /** All that waits alone and tells of the same use of the relay, as each replica saw it. */
  #viewsOf(first: Waiting): Waiting[] {
    const views = [first];
    const byReplica = this.#alone.get(first.key) ?? new Map<string, Set<Waiting>>();
    if (byReplica.size < 2) return views;
    for (const view of views) {
      for (const others of byReplica.values()) {
        for (const other of others) {
          if (isOtherView(view, other) && !views.includes(other)) views.push(other);
        }
      }
    }
    return views;
  }

  /** Counts what the replica that heard most tells, and leaves out what the others tell. */
  #resolve(waiting: Waiting, views: readonly Waiting[]): void {
    const { best, isAlike } = largestView(views);
    for (const view of views) {
      view.isCounted = true;
      this.#leave(view);
      this.#forgetSums(view);
    }
    const isPair = waiting.replicas.length > 1 || best.length < views.length;
    for (const { session } of best) {
      this.#emit(isPair ? { ...session, pair: isAlike ? 'alike' : 'unlike' } : session);
    }
  }

  #leave(waiting: Waiting): void {
    const byReplica = this.#alone.get(waiting.key);
    const { replica } = waiting.session.record;
    const own = byReplica?.get(replica);
    own?.delete(waiting);
    if (own?.size === 0) byReplica?.delete(replica);
    if (byReplica?.size === 0) this.#alone.delete(waiting.key);
  }

  #forgetSums(waiting: Waiting): void {
    const sums = sumsKey(waiting);
    const left = this.#bySums.get(sums)?.filter((other) => other !== waiting) ?? [];
    if (left.length > 0) this.#bySums.set(sums, left);
    else this.#bySums.delete(sums);
  }
}

function endOf({ session }: Waiting): number {
  return session.record.endMs;
}

/** What a pair that heard the same records alike; times differ by what lies between them. */
function sumsKey({ session, key }: Waiting): string {
  const { record } = session;
  const bytes = `${record.receivedBytes} ${record.sentBytes} ${record.peerReceivedBytes} ${record.peerSentBytes}`;
  const packets = `${record.receivedPackets} ${record.sentPackets}`;
  return `${bytes} ${packets} ${record.allocations} ${key}`;
}

function isOtherView(one: Waiting, other: Waiting): boolean {
  const { record: left } = one.session;
  const { record: right } = other.session;
  return (
    left.replica !== right.replica &&
    left.replica !== '' &&
    right.replica !== '' &&
    left.startMs <= right.endMs + SAME_TIME_MS &&
    right.startMs <= left.endMs + SAME_TIME_MS &&
    sharesOne(left.server, right.server) &&
    sharesOne(left.client, right.client)
  );
}

/**
 * The views of the replica that heard most: nobody hears more than there was. Where two heard the
 * same, those of the one whose records are complete, then of the first by name.
 */
function largestView(views: readonly Waiting[]): { best: Waiting[]; isAlike: boolean } {
  const byReplica = new Map<string, Waiting[]>();
  for (const view of views) {
    const { replica } = view.session.record;
    byReplica.set(replica, [...(byReplica.get(replica) ?? []), view]);
  }
  const ranked = [...byReplica].map(([replica, own]) => ({
    replica,
    own,
    bytes: own.reduce((sum, { session }) => sum + billedBytes(session.record), 0),
    isComplete: own.every(({ session }) => session.record.complete),
  }));
  ranked.sort(
    (left, right) =>
      right.bytes - left.bytes ||
      Number(right.isComplete) - Number(left.isComplete) ||
      (left.replica < right.replica ? -1 : 1),
  );
  const [first, ...others] = ranked;
  return { best: first?.own ?? [], isAlike: others.every(({ bytes }) => bytes === first?.bytes) };
}

import { parseStatsKey, type StatsKey } from '../coturn/key.ts';
import { parseStatus } from '../coturn/payload.ts';
import type { Allocation } from './allocation.ts';
import type { AllocationTable } from './allocation-table.ts';
import type { Origin } from './origin.ts';

/** What a scan has led to. */
export interface ScanResult {
  /** Status keys found. */
  readonly found: number;
  /** Allocations that nobody had heard of. */
  readonly adopted: number;
  /** Allocations that are suspect from now on, since their keys are gone. */
  readonly suspected: number;
  /** A server's keys are not where its messages say: the database is not the one that it uses. */
  readonly isWrongDatabase: boolean;
}

/** What a {@link KeyScan} works with. */
export interface KeyScanContext {
  readonly table: AllocationTable;
  readonly origin: Origin;
  readonly nowMs: number;
  /** Whether this replica accounts for the user of a key. */
  readonly isOurs: (key: StatsKey) => boolean;
}

/** One reading of all status keys of an origin, while events go on (design, rules 7 and 8). */
export class KeyScan {
  readonly #table: AllocationTable;
  readonly #origin: Origin;
  readonly #startedMs: number;
  readonly #isOurs: (key: StatsKey) => boolean;
  readonly #number: number;
  /** Servers of which keys were found. */
  readonly #servers = new Set<string>();
  /** What is still to be compared. */
  readonly #living: IterableIterator<Allocation>;
  readonly #missing: Allocation[] = [];
  #found = 0;
  #adopted = 0;

  constructor(context: KeyScanContext) {
    this.#table = context.table;
    this.#origin = context.origin;
    this.#startedMs = context.nowMs;
    this.#isOurs = context.isOurs;
    this.#number = context.origin.keys.beginScan();
    this.#living = context.origin.allocations.values();
  }

  /** Takes a status key with its value: adopts the allocation unless it is known, or has expired. */
  found(key: string, value: string, nowMs: number): void {
    const parsed = parseStatsKey(key);
    if (!parsed.ok) return this.#origin.stats.countRejected(parsed.reason);
    if (parsed.topic !== 'status' || !this.#isOurs(parsed)) return;
    this.#found += 1;
    const known = this.#table.find(this.#origin, parsed);
    if (known !== undefined) {
      known.noteFound(this.#number);
      this.#servers.add(known.account.server);
      known.trust();
      return;
    }
    if (this.#origin.keys.isStale(parsed.allocationKey, this.#number)) return;
    const parsedValue = parseStatus(value);
    if (!parsedValue.ok) return this.#origin.stats.countRejected(parsedValue.reason);
    const { status } = parsedValue;
    if (status.kind === 'deleted') return;
    const adopted = this.#table.adopt({ origin: this.#origin, key: parsed, nowMs }, status);
    adopted.noteFound(this.#number);
    this.#servers.add(adopted.account.server);
    this.#adopted += 1;
  }

  /**
   * All keys were read: looks for what lives without one.
   *
   * @param limit the most allocations to look at, so that very many can be worked off in slices
   * @returns whether there are more
   */
  compare(limit: number): boolean {
    for (let looked = 0; looked < limit; looked += 1) {
      const { value: allocation, done = false } = this.#living.next();
      if (done) return false;
      if (this.#isMissing(allocation)) this.#missing.push(allocation);
    }
    return true;
  }

  /**
   * All keys were read. What lives without a key is suspect, never more than that.
   *
   * @param isPartial some keys are never set, so that only those say something that were found once
   */
  end(isPartial = false): ScanResult {
    const { keys, stats } = this.#origin;
    this.compare(Number.POSITIVE_INFINITY);
    const contradicting = new Set<string>();
    const missing = this.#missing.filter(
      // What was heard of while others were compared is not missing any more.
      (allocation) => this.#isMissing(allocation) && !(isPartial && allocation.foundBy === 0),
    );
    for (const allocation of missing) {
      // Its key was set since the last whole scan began, and should be there.
      const wasSet = allocation.statusAfter >= keys.completed;
      if (wasSet) contradicting.add(allocation.account.server);
    }
    keys.endScan(this.#number);
    keys.judge(this.#servers, contradicting);
    stats.countResync(keys.isWrongDatabase);
    const suspects = missing.filter(({ account }) => keys.isTrusted(account.server));
    for (const allocation of suspects) allocation.suspectGone();
    return {
      found: this.#found,
      adopted: this.#adopted,
      suspected: suspects.length,
      isWrongDatabase: stats.isWrongDatabase,
    };
  }

  /** What was proven since the scan began may have got its key behind the scan's back. */
  #isMissing({ endReason, suspect, foundBy, startedAtMs, lastProofMs }: Allocation): boolean {
    return (
      endReason === undefined &&
      !suspect &&
      foundBy !== this.#number &&
      startedAtMs < this.#startedMs &&
      lastProofMs < this.#startedMs
    );
  }
}

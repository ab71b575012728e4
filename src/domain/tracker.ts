import { parseStatsKey, type StatsKey } from '../coturn/key.ts';
import { parseStatus, readTraffic } from '../coturn/payload.ts';
import type { Allocation } from './allocation.ts';
import {
  AllocationTable,
  type AllocationTableOptions,
  type RestoreOptions,
} from './allocation-table.ts';
import { countEvent, EventRules, reject } from './event-rules.ts';
import { Ledger, MAX_SERVERS, OVERFLOW } from './ledger.ts';
import { Origin } from './origin.ts';
import { type Parked, ParkedTraffic } from './parked-traffic.ts';
import { KeyScan } from './reconcile.ts';
import { type SavedSession, saveSession } from './saved-session.ts';
import type { Session } from './session.ts';
import type { SourceStats } from './source-stats.ts';
import {
  ACCOUNT,
  addNumbers,
  addTrafficAt,
  allocationKeyOf,
  LAST_EVENT,
  PEER,
  REPORTS_PEER,
  SUSPECT,
  sideOf,
  TRAFFIC_LENGTH,
  UNALLOCATED,
} from './traffic.ts';
import { isInShard, type Shard, Users } from './user.ts';

/** What a {@link Tracker} works with. */
export interface TrackerOptions extends AllocationTableOptions {
  /** The most users with series of their own. */
  readonly maxUsers: number;
  /** The most realms with series of their own. */
  readonly maxRealms: number;
  /** The users to account for; absent: all. */
  readonly shard?: Shard;
}

/** coturn before 4.6.2 publishes this every 5 s on each connection. */
const KEEPALIVE_KEY = '__XXX__';

/**
 * All that lives: takes messages, keeps allocations and sessions, and gives out the sessions that
 * have finished. Pure: the time comes with every call, in ms on any scale that never runs back.
 */
export class Tracker {
  readonly ledger: Ledger;
  readonly users: Users;
  readonly #table: AllocationTable;
  readonly #parked: ParkedTraffic;
  readonly #rules: EventRules;
  readonly #origins = new Map<SourceStats, Map<string, Origin>>();
  #originCount = 0;
  /** The numbers of the delta that is being read; kept to make no object for each. */
  readonly #delta = new Float64Array(TRAFFIC_LENGTH);

  readonly #options: TrackerOptions;

  constructor(options: TrackerOptions) {
    this.#options = options;
    this.ledger = new Ledger(options.maxRealms);
    this.users = new Users(options.maxUsers);
    this.#table = new AllocationTable(options, this.ledger, this.users);
    this.#parked = new ParkedTraffic((parked) => this.#countUnallocated(parked));
    this.#rules = new EventRules(this.#table, this.#parked);
  }

  /**
   * The key space of one coturn server or of one Redis; the same pair gives the same origin again.
   * Servers beyond {@link MAX_SERVERS} of one source share one.
   *
   * @param server the `server` label, unless status messages tell a better one
   */
  openOrigin(stats: SourceStats, server: string): Origin {
    const origins = this.#origins.get(stats) ?? new Map<string, Origin>();
    this.#origins.set(stats, origins);
    const name = origins.has(server) || origins.size < MAX_SERVERS ? server : OVERFLOW;
    const known = origins.get(name);
    if (known !== undefined) return known;
    const origin = new Origin(this.#originCount, stats, name);
    this.#originCount += 1;
    origins.set(name, origin);
    return origin;
  }

  /** Takes one message, the name of its channel and its text. Never throws. */
  receive(origin: Origin, key: string, payload: string, nowMs: number): void {
    if (this.receiveDelta(origin, key, payload, nowMs)) return;
    if (key === KEEPALIVE_KEY) return countEvent(origin, 'other', nowMs);
    const parsed = parseStatsKey(key);
    if (!parsed.ok) return reject(origin, parsed.reason);
    if (!this.#isOurs(parsed)) return;
    if (parsed.topic !== 'status') return this.#rules.applyTraffic(origin, parsed, payload, nowMs);
    const status = parseStatus(payload);
    if (!status.ok) return reject(origin, status.reason);
    countEvent(origin, status.status.kind, nowMs);
    this.#rules.applyStatus(origin, parsed, status.status, nowMs);
  }

  /**
   * The hot path of {@link receive}: a traffic delta of an allocation that is known. One look-up, no
   * objects. Keeps no reference to its arguments, so they may be slices of a larger text.
   *
   * @returns false when it was anything else, and nothing has happened
   */
  receiveDelta(origin: Origin, key: string, payload: string, nowMs: number): boolean {
    const side = sideOf(key);
    if (side < 0) return false;
    const { allocations, stats } = origin;
    const position = allocations.find(allocationKeyOf(key, side));
    if (position < 0) return false;
    const delta = this.#delta;
    const refusal = readTraffic(payload, delta);
    if (refusal !== undefined) {
      reject(origin, refusal);
      return true;
    }
    const page = allocations.pageOf(position);
    const offset = allocations.offsetOf(position);
    addNumbers(page, offset + side, delta);
    addNumbers(this.ledger.sumsOf(page[offset + ACCOUNT] ?? 0), side, delta);
    if (side === PEER) {
      page[offset + REPORTS_PEER] = 1;
      stats.events.traffic_peer += 1;
    } else {
      stats.events.traffic += 1;
    }
    stats.lastEventMs = nowMs;
    page[offset + LAST_EVENT] = nowMs;
    if (page[offset + SUSPECT] === 1) this.#clear(allocations.at(position));
    return true;
  }

  /** Begins to read the status keys of an origin. */
  beginScan(origin: Origin, nowMs: number): KeyScan {
    return new KeyScan({
      table: this.#table,
      rules: this.#rules,
      origin,
      nowMs,
      isOurs: (key) => this.#isOurs(key),
    });
  }

  /** Messages of this origin may have been lost: what lives now needs totals to be complete. */
  noteGap(origin: Origin): void {
    origin.gaps += 1;
  }

  /** A coturn of this origin has started anew: all that lives is suspect until heard of (rule 7). */
  suspectAll(origin: Origin, _nowMs: number): void {
    for (const allocation of origin.allocations.values()) this.#table.suspect(allocation);
  }

  /** Status keys of what is held of this origin; undefined for each that ended or is suspect. */
  *statusKeys(origin: Origin): IterableIterator<string | undefined> {
    for (const { key, endReason, suspect } of origin.allocations.values()) {
      yield endReason === undefined && !suspect ? `${key}/status` : undefined;
    }
  }

  /**
   * Lets time pass: ends what has expired, settles what has lingered, gives up parked traffic.
   *
   * @param limit the most allocations to look at
   * @returns whether more are due
   */
  expire(nowMs: number, limit: number = Number.POSITIVE_INFINITY): boolean {
    this.#parked.expire(nowMs);
    return this.#table.expire(nowMs, limit);
  }

  /** Takes out at most `limit` finished sessions. Each wants {@link release} when it is recorded. */
  takeFinished(limit: number = Number.POSITIVE_INFINITY): Session[] {
    return this.#table.sessions.takeFinished(limit);
  }

  /** A finished session is recorded: the series of its user may disappear. */
  release(session: Session): void {
    this.users.leave(session);
  }

  /**
   * The form of a state file for every session that is not recorded yet. Made one by one, so that
   * events may be taken in between; each is whole by itself.
   *
   * @param wallOffsetMs what to add to the tracker's time to get Unix time in ms
   */
  *savedSessions(wallOffsetMs: number): IterableIterator<SavedSession> {
    for (const session of this.users.sessions()) {
      this.#table.sessions.idOf(session);
      yield saveSession(session, wallOffsetMs);
    }
  }

  /** Takes in a session of an earlier process. */
  restore(saved: SavedSession, options: RestoreOptions): void {
    this.#table.restore(saved, options);
  }

  /** The process stops and its sessions go on in another: parked traffic is counted. */
  suspend(): void {
    this.#parked.releaseAll();
  }

  /** The process stops: everything ends, what lives by reason `shutdown`. */
  shutdown(nowMs: number): void {
    this.#parked.releaseAll();
    for (const origins of this.#origins.values()) {
      for (const origin of origins.values()) {
        for (const allocation of [...origin.allocations.values()]) {
          this.#table.end(allocation, 'shutdown', { endedAtMs: nowMs, nowMs });
          this.#table.settle(allocation);
        }
      }
    }
  }

  /** Live and lingering allocations of all origins: what is held, where the ledger has what lives. */
  get allocationCount(): number {
    let count = 0;
    for (const origins of this.#origins.values()) {
      for (const origin of origins.values()) count += origin.allocations.size;
    }
    return count;
  }

  /** How many keys have traffic and no proof. */
  get parkedCount(): number {
    return this.#parked.size;
  }

  #clear(allocation: Allocation | undefined): void {
    if (allocation !== undefined) this.#table.clear(allocation);
  }

  #isOurs({ realm, username }: StatsKey): boolean {
    const { shard, userName } = this.#options;
    return shard === undefined || isInShard(realm, userName(username), shard);
  }

  #countUnallocated({ origin, realm, traffic }: Parked): void {
    const account = this.ledger.server(this.ledger.realm(realm), origin.server);
    addTrafficAt(account.sums, UNALLOCATED, traffic);
  }
}

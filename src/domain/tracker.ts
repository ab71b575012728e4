import { addressOf } from '../coturn/connection.ts';
import { deltaTailOf, PEER_TAIL, readDelta, type WireMessage } from '../coturn/delta.ts';
import { parseStatsKey, type StatsKey } from '../coturn/key.ts';
import { KEEPALIVE_CHANNEL } from '../coturn/patterns.ts';
import { parseEvent } from '../coturn/payload.ts';
import { AllocationTable } from './allocation-table.ts';
import { offsetOf } from './key-table.ts';
import { Ledger, MAX_SERVERS, OVERFLOW } from './ledger.ts';
import { Origin } from './origin.ts';
import { type Parked, ParkedTraffic } from './parked-traffic.ts';
import { KeyScan } from './reconcile.ts';
import { createRelayedRule } from './relayed.ts';
import {
  type RestoreOptions,
  restoreSession,
  type SavedSession,
  saveSession,
} from './saved-session.ts';
import { SessionTable, type SessionTableOptions } from './session-table.ts';
import type { SourceStats } from './source-stats.ts';
import {
  ACCOUNT,
  addDelta,
  addTrafficAt,
  CLIENT,
  isNothing,
  LAST_EVENT,
  LAST_PROOF,
  PEER,
  PEER_SEEN,
  SUSPECT,
  TRAFFIC_LENGTH,
  UNALLOCATED,
} from './traffic.ts';
import { isInShard, type Shard, Users } from './user.ts';

/** What a {@link Tracker} works with. */
export interface TrackerOptions extends SessionTableOptions {
  /** How long an ended allocation waits for late messages, in ms. */
  readonly lingerMs: number;
  /** The most users with series of their own. */
  readonly maxUsers: number;
  /** The most realms with series of their own. */
  readonly maxRealms: number;
  /** The users to account for; absent: all. */
  readonly shard?: Shard;
  /** A number that clients cannot know, so that they cannot choose keys which collide. */
  readonly hashSeed?: number;
  /** Bytes of an allocation from which it relayed; absent: the rule of `relayed.ts`. */
  readonly relayedMinBytes?: number | undefined;
  /** The name of a server, by its `address:port`; absent: the address. */
  readonly serverName?: ((endpoint: string) => string) | undefined;
}

/**
 * All that lives: takes messages, keeps allocations and sessions, and gives out the sessions that
 * have finished. Pure: the time comes with every call, in ms on any scale that never runs back.
 */
export class Tracker {
  readonly ledger: Ledger;
  readonly users: Users;
  readonly sessions: SessionTable;
  /** Traffic of keys that have shown no proof of an allocation. */
  readonly parked: ParkedTraffic;
  readonly #options: TrackerOptions;
  readonly #table: AllocationTable;
  readonly #origins = new Map<SourceStats, Map<string, Origin>>();
  #originCount = 0;
  /** The numbers of the delta that is being read; kept to make no object for each. */
  readonly #delta = new Float64Array(TRAFFIC_LENGTH);

  constructor(options: TrackerOptions) {
    const { maxRealms, maxUsers, lingerMs, relayedMinBytes, hide } = options;
    const { serverName = addressOf } = options;
    this.#options = options;
    this.ledger = new Ledger(maxRealms, createRelayedRule(relayedMinBytes));
    this.users = new Users(maxUsers);
    this.sessions = new SessionTable(options, this.ledger, this.users);
    this.parked = new ParkedTraffic((parked) => this.#countUnallocated(parked));
    const { ledger, sessions, parked } = this;
    this.#table = new AllocationTable({ lingerMs, ledger, sessions, parked, hide, serverName });
  }

  /**
   * The key space of one coturn server or of one Redis; the same pair of source and name gives the
   * same origin again. Those beyond {@link MAX_SERVERS} of one source share one.
   *
   * @param server the `server` label, unless status messages tell a better one
   */
  openOrigin(stats: SourceStats, name: string, server: string = name): Origin {
    const origins = this.#origins.get(stats) ?? new Map<string, Origin>();
    this.#origins.set(stats, origins);
    const known = origins.get(name);
    if (known !== undefined) return known;
    const isOver = origins.size >= MAX_SERVERS && name !== OVERFLOW;
    if (isOver) return this.openOrigin(stats, OVERFLOW);
    const { hashSeed = 0 } = this.#options;
    const origin = new Origin(this.#originCount, stats, name, { server, hashSeed });
    this.#originCount += 1;
    origins.set(name, origin);
    return origin;
  }

  /**
   * Takes one message, the name of its channel and its text. Never throws. Whatever
   * {@link receiveDelta} takes may come this way too, at several times its price.
   */
  receive(origin: Origin, key: string, payload: string, nowMs: number): void {
    const { stats } = origin;
    if (key === KEEPALIVE_CHANNEL) return stats.countEvent('other', nowMs);
    const parsed = parseStatsKey(key);
    if (!parsed.ok) return stats.countRejected(parsed.reason);
    if (!this.#isOurs(parsed))
      return origin.noteForeign(parsed.allocationKey, payload === 'deleted');
    const said = parseEvent(parsed.topic, payload);
    if (!said.ok) return stats.countRejected(said.reason);
    const refusal = this.#table.apply({ origin, key: parsed, nowMs }, said.event);
    if (refusal === undefined) stats.countEvent(said.event.kind, nowMs);
    else stats.countRejected(refusal);
  }

  /**
   * A traffic delta of an allocation that is known and not suspect, which most messages are. One
   * look-up, no objects, no text. Keeps nothing of the message.
   *
   * @returns false when it was anything else, and nothing has happened: {@link receive} takes it
   */
  receiveDelta(origin: Origin, message: WireMessage, nowMs: number): boolean {
    const tail = deltaTailOf(message);
    if (tail === 0) return false;
    const { allocations, stats } = origin;
    if (origin.isForeign(message, tail)) return true;
    const address = allocations.find(message, tail);
    if (address === 0) return false;
    const page = allocations.pageOf(address);
    const offset = offsetOf(address);
    if (page[offset + SUSPECT] === 1) return false;
    const delta = this.#delta;
    const refusal = readDelta(message, delta);
    if (refusal !== undefined) {
      stats.countRejected(refusal);
      return true;
    }
    // As Allocation.report does, by address: an allocation's object is not touched.
    const side = tail === PEER_TAIL ? PEER : CLIENT;
    const { sums, total } = this.ledger.account(page[offset + ACCOUNT] ?? 0);
    if (!addDelta(page, offset + side, sums, side, delta)) {
      stats.countRejected('number_out_of_range');
      return true;
    }
    page[offset + LAST_EVENT] = nowMs;
    total.hear(nowMs);
    if (side !== PEER) {
      stats.countEvent('traffic', nowMs);
      return true;
    }
    stats.countEvent('traffic_peer', nowMs);
    if (!isNothing(delta)) page[offset + LAST_PROOF] = nowMs;
    if (page[offset + PEER_SEEN] !== 2) allocations.at(address)?.notePeer();
    return true;
  }

  /** Begins to read the status keys of an origin. */
  beginScan(origin: Origin, nowMs: number): KeyScan {
    return new KeyScan({
      table: this.#table,
      origin,
      nowMs,
      isOurs: (key) => this.#isOurs(key),
    });
  }

  /**
   * Messages of this origin may have been lost: what lives now needs totals to be complete.
   *
   * @param deaf the time in which none could arrive, in ms; told again with the same beginning, it has
   *   grown
   */
  noteGap(origin: Origin, deaf?: { readonly fromMs: number; readonly toMs: number }): void {
    const isNew = deaf === undefined || origin.noteDeaf(deaf.fromMs, deaf.toMs);
    if (isNew) origin.countGap();
  }

  /** A coturn of this origin has started anew: all that lives is suspect until heard of (rule 7). */
  suspectAll(origin: Origin): void {
    for (const allocation of origin.allocations.values()) allocation.suspectGone();
  }

  /**
   * Nothing of what is suspect here lives any more, since its process is dead.
   *
   * @param lostMs when its connections broke, in ms: until then it may have gone on
   */
  endSuspects(
    origin: Origin,
    { lostMs, nowMs }: { readonly lostMs: number; readonly nowMs: number },
  ): void {
    for (const allocation of origin.allocations.values()) {
      if (!allocation.suspect) continue;
      const endedAtMs = Math.max(allocation.lastEventMs, lostMs);
      this.#table.end(allocation, 'restarted', { endedAtMs, nowMs });
    }
  }

  /** Status keys of what is held of this origin; undefined for each that ended or is suspect. */
  *statusKeys(origin: Origin): IterableIterator<string | undefined> {
    const { hide } = this.#options;
    for (const allocation of origin.allocations.values()) {
      const { endReason, suspect } = allocation;
      const isTold = endReason === undefined && !suspect;
      yield isTold ? `${allocation.shownKey(hide)}/status` : undefined;
    }
  }

  /**
   * Lets time pass: ends what has expired, closes what has lingered, gives up parked traffic.
   *
   * @param limit the most allocations to look at
   * @returns whether more are due
   */
  expire(nowMs: number, limit: number = Number.POSITIVE_INFINITY): boolean {
    this.parked.expire(nowMs);
    return this.#table.expire(nowMs, limit);
  }

  /**
   * The form of a state file for every session that is not recorded yet. Made one by one, so that
   * events may be taken in between; each is whole by itself.
   *
   * @param wallOffsetMs what to add to the tracker's time to get Unix time in ms
   */
  *savedSessions(wallOffsetMs: number): IterableIterator<SavedSession> {
    const { hide } = this.#options;
    for (const session of this.users.sessions()) {
      this.sessions.idOf(session);
      yield saveSession(session, { wallOffsetMs, hide });
    }
  }

  /** Takes in a session of an earlier process. */
  restore(saved: SavedSession, options: RestoreOptions): void {
    const { ledger, users, sessions } = this;
    restoreSession(saved, options, { ledger, users, sessions, table: this.#table });
  }

  /** The process stops: everything ends, what lives by reason `shutdown`. */
  shutdown(nowMs: number): void {
    this.parked.releaseAll();
    for (const origins of this.#origins.values()) {
      for (const origin of origins.values()) {
        for (const allocation of [...origin.allocations.values()]) {
          this.#table.shutDown(allocation, nowMs);
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

  #isOurs({ realm, username }: StatsKey): boolean {
    const { shard, userName } = this.#options;
    if (shard === undefined || shard.total === 1) return true;
    return isInShard(realm, userName(username), shard);
  }

  #countUnallocated({ origin, realm, traffic }: Parked): void {
    const account = this.ledger.server(this.ledger.realm(realm), origin.server);
    addTrafficAt(account.sums, UNALLOCATED, traffic);
  }
}

import { addressOf } from '../coturn/connection.ts';
import type { Connection } from '../coturn/event.ts';
import { detach, KEY_TAIL_LENGTH, type StatsKey } from '../coturn/key.ts';
import { Allocation } from './allocation.ts';
import { Deadlines } from './deadlines.ts';
import type { EndReason, Ledger } from './ledger.ts';
import type { Origin } from './origin.ts';
import type { SavedSession } from './saved-session.ts';
import { SessionTable, type SessionTableOptions } from './session-table.ts';
import type { Traffic } from './traffic.ts';
import { addTrafficAt, CLIENT, PEER } from './traffic.ts';
import type { Users } from './user.ts';

/** What an {@link AllocationTable} works with. */
export interface AllocationTableOptions extends SessionTableOptions {
  /** How long an ended allocation waits for late messages, in ms. */
  readonly lingerMs: number;
}

/** What is known of an allocation when it is created. */
export interface Proof {
  readonly origin: Origin;
  readonly key: StatsKey;
  /** Seconds; absent when the proof was not a status. */
  readonly lifetimeSeconds?: number;
  readonly connection?: Connection | undefined;
  readonly startKnown: boolean;
  readonly contested: boolean;
  readonly nowMs: number;
}

/** How sessions of an earlier process are taken in. */
export interface RestoreOptions {
  readonly originOf: (source: string, server: string) => Origin;
  readonly pastCounted: boolean;
  /** What to add to the tracker's time to get Unix time in ms. */
  readonly wallOffsetMs: number;
  readonly nowMs: number;
}

/** Allocations and sessions: how they begin, end and finish, and the live numbers that follow. */
export class AllocationTable {
  readonly sessions: SessionTable;
  readonly #lingerMs: number;
  readonly #ledger: Ledger;
  readonly #deadlines = new Deadlines<Allocation>();

  constructor(options: AllocationTableOptions, ledger: Ledger, users: Users) {
    this.sessions = new SessionTable(options, ledger, users);
    this.#lingerMs = options.lingerMs;
    this.#ledger = ledger;
  }

  /** Begins an allocation; its key must be free. */
  create(proof: Proof): Allocation {
    const { origin, connection, startKnown, contested, nowMs } = proof;
    const key = ownKey(proof.key);
    origin.keys.forgetGhost(key.allocationKey);
    const session = this.sessions.open({ ...proof, key });
    const realm = session.account;
    const allocation = new Allocation({
      key: key.allocationKey,
      origin,
      session,
      account: this.#ledger.server(realm, serverOf(origin, connection)),
      row: origin.allocations.reserve(key.allocationKey),
      startKnown,
      contested,
      nowMs,
    });
    if (proof.lifetimeSeconds !== undefined) allocation.describe(proof.lifetimeSeconds, connection);
    const ipFamily = connection === undefined ? 'unknown' : connection.ipFamily;
    allocation.account.countCreated(allocation.transport, allocation.tls, ipFamily);
    allocation.account.changeLive(allocation.transport, 1);
    session.join(allocation);
    noteConnection(allocation, connection);
    origin.allocations.add(allocation);
    this.#deadlines.add(allocation, allocation.expiresAtMs);
    return allocation;
  }

  /**
   * Takes in a session of an earlier process. Its allocations are not counted as created again, and
   * what they relayed is not added to counters again.
   *
   * @param options.originOf the origin of an allocation
   * @param options.pastCounted whether the sums are all that the earlier process counted: it was
   *   stopped in order, so what is missing of a total was counted by nobody
   */
  restore(saved: SavedSession, options: RestoreOptions): void {
    const { originOf, pastCounted, wallOffsetMs, nowMs } = options;
    const session = this.sessions.restore(saved, wallOffsetMs);
    for (const one of saved.open) {
      const origin = originOf(one.source, one.origin);
      // Two sessions of one file never share a key; a file made by hand might.
      if (origin.allocations.has(one.key)) continue;
      const allocation = new Allocation({
        key: one.key,
        origin,
        session,
        account: this.#ledger.server(session.account, one.server),
        row: origin.allocations.reserve(one.key),
        startKnown: one.startKnown && pastCounted,
        contested: one.contested,
        nowMs: one.startedAtMs - wallOffsetMs,
      });
      allocation.restore(one, { wallOffsetMs, nowMs });
      session.join(allocation);
      origin.allocations.add(allocation);
      if (allocation.endReason === undefined) {
        allocation.account.changeLive(allocation.transport, 1);
        this.#deadlines.add(allocation, allocation.expiresAtMs);
      } else {
        this.#deadlines.add(allocation, nowMs + this.#lingerMs);
      }
    }
    this.sessions.resume(session);
    // It had finished, and the process that counted it did not come to write its record.
    if (session.open.length === 0) this.sessions.hand(session);
  }

  /** A status told again how an allocation is connected, and for how long it lives. */
  refresh(
    allocation: Allocation,
    lifetimeSeconds: number,
    connection: Connection | undefined,
  ): void {
    const { origin, session } = allocation;
    const server =
      connection === undefined ? allocation.account.server : serverOf(origin, connection);
    const account = this.#ledger.server(session.account, server);
    allocation.account.changeLive(allocation.transport, -1);
    const hadLifetimeMs = allocation.lifetimeMs;
    allocation.describe(lifetimeSeconds, connection);
    allocation.account = account;
    account.changeLive(allocation.transport, 1);
    account.refreshes += 1;
    noteConnection(allocation, connection);
    // A longer lifetime is found out when the old deadline comes; a shorter one would come too late.
    if (allocation.lifetimeMs < hadLifetimeMs) {
      this.#deadlines.remove(allocation);
      this.#deadlines.add(allocation, allocation.expiresAtMs);
    }
  }

  /** Something was heard of an allocation. */
  touch(allocation: Allocation, nowMs: number): void {
    allocation.lastEventMs = nowMs;
    this.clear(allocation);
  }

  /** An allocation is no longer suspect, if it was. */
  clear(allocation: Allocation): void {
    if (!allocation.suspect) return;
    allocation.suspect = false;
    if (allocation.endReason === undefined) {
      allocation.account.changeLive(allocation.transport, 1);
    }
  }

  /** An allocation may be gone: it leaves the live gauges until something is heard of it. */
  suspect(allocation: Allocation): void {
    if (allocation.suspect || allocation.endReason !== undefined) return;
    allocation.suspect = true;
    allocation.account.changeLive(allocation.transport, -1);
  }

  /** Ends a live allocation, which lingers from now on. */
  end(allocation: Allocation, reason: EndReason, when: { endedAtMs: number; nowMs: number }): void {
    if (allocation.endReason !== undefined) return;
    allocation.endReason = reason;
    allocation.endedAtMs = when.endedAtMs;
    allocation.account.closed[reason] += 1;
    if (!allocation.suspect) allocation.account.changeLive(allocation.transport, -1);
    allocation.session.end(allocation);
    this.#deadlines.remove(allocation);
    this.#deadlines.add(allocation, when.nowMs + this.#lingerMs);
  }

  /** Compares an ended allocation with its totals and forgets it; its session may finish by this. */
  settle(allocation: Allocation): void {
    const { origin, session, account } = allocation;
    this.#deadlines.remove(allocation);
    const settlement = allocation.settle();
    addTrafficAt(account.sums, CLIENT, settlement.missedClient);
    addTrafficAt(account.sums, PEER, settlement.missedPeer);
    origin.stats.missedBytes += bytesOf(settlement.missedClient) + bytesOf(settlement.missedPeer);
    session.settle(allocation, settlement);
    // Last, for it takes away the numbers.
    origin.allocations.delete(allocation);
    if (session.open.length === 0) this.sessions.finish(session);
  }

  /**
   * Ends what has expired and settles what has lingered long enough.
   *
   * @param limit the most allocations to look at, so that a burst can be worked off in slices
   * @returns whether more are due
   */
  expire(nowMs: number, limit: number): boolean {
    for (let looked = 0; looked < limit; looked += 1) {
      const allocation = this.#deadlines.takeDue(nowMs);
      if (allocation === undefined) return false;
      if (allocation.endReason !== undefined) {
        this.settle(allocation);
      } else if (allocation.expiresAtMs > nowMs) {
        this.#deadlines.add(allocation, allocation.expiresAtMs);
      } else {
        const endedAtMs = allocation.lastEventMs;
        this.end(allocation, allocation.suspect ? 'vanished' : 'expired', { endedAtMs, nowMs });
        this.settle(allocation);
        allocation.origin.keys.noteGhost(allocation.key);
      }
    }
    return true;
  }
}

/** The key as texts of its own: what came in may be a part of a large buffer. */
function ownKey(key: StatsKey): StatsKey {
  const allocationKey = detach(key.allocationKey);
  const userEnd = allocationKey.length - KEY_TAIL_LENGTH;
  const username = allocationKey.slice(userEnd - key.username.length, userEnd);
  return { ...key, allocationKey, username };
}

function serverOf(origin: Origin, connection: Connection | undefined): string {
  if (origin.stats.serverFrom === 'connection' || connection === undefined) return origin.server;
  return addressOf(connection.local);
}

function noteConnection(
  { session, account, transport, tls }: Allocation,
  connection: Connection | undefined,
): void {
  const client = connection === undefined ? '' : detach(addressOf(connection.remote));
  session.note({ server: account.server, transport, tls, client });
}

function bytesOf(traffic: Traffic): number {
  return traffic.receivedBytes + traffic.sentBytes;
}

import { Allocation } from './allocation.ts';
import { addressOf } from './connection.ts';
import { Deadlines } from './deadlines.ts';
import { detach } from './detach.ts';
import type { Connection } from './event.ts';
import type { EndReason, Ledger } from './ledger.ts';
import type { Origin } from './origin.ts';
import { Session } from './session.ts';
import { KEY_TAIL_LENGTH, type StatsKey } from './stats-key.ts';
import type { Traffic } from './traffic.ts';
import { addTrafficAt, CLIENT, PEER, TrafficRows } from './traffic-rows.ts';
import type { Users } from './user.ts';

/** Which allocations of a user are one session: `--session.group-by`. */
export type GroupBy = 'user' | 'client' | 'allocation';

/** What an {@link AllocationTable} works with. */
export interface AllocationTableOptions {
  readonly groupBy: GroupBy;
  /** How long an ended allocation waits for late messages, in ms. */
  readonly lingerMs: number;
  /** The name of the user behind a username. */
  readonly userName: (username: string) => string;
  /** A new session id: unique, and sortable by the time at which its session began. */
  readonly newSessionId: (startedAtMs: number) => string;
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

/** Allocations and sessions: how they begin, end and finish, and the live numbers that follow. */
export class AllocationTable {
  readonly #options: AllocationTableOptions;
  readonly #ledger: Ledger;
  readonly #users: Users;
  readonly #rows = new TrafficRows();
  readonly #deadlines = new Deadlines<Allocation>();
  /** Sessions with live allocations by group, where the user does not tell the session. */
  readonly #sessions = new Map<string, Session>();
  #finished: Session[] = [];

  constructor(options: AllocationTableOptions, ledger: Ledger, users: Users) {
    this.#options = options;
    this.#ledger = ledger;
    this.#users = users;
  }

  /** Begins an allocation; its key must be free. */
  create(proof: Proof): Allocation {
    const { origin, connection, startKnown, contested, nowMs } = proof;
    const key = ownKey(proof.key);
    const session = this.#sessionFor({ ...proof, key });
    const realm = session.account;
    const allocation = new Allocation({
      key: key.allocationKey,
      origin,
      session,
      account: this.#ledger.server(realm, serverOf(origin, connection)),
      row: this.#rows.take(),
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
    const { session } = allocation;
    session.end(allocation);
    if (session.liveAllocations === 0) this.#detach(session);
    this.#deadlines.remove(allocation);
    this.#deadlines.add(allocation, when.nowMs + this.#options.lingerMs);
  }

  /** Compares an ended allocation with its totals and forgets it; its session may finish by this. */
  settle(allocation: Allocation): void {
    const { origin, session, account } = allocation;
    this.#deadlines.remove(allocation);
    origin.allocations.delete(allocation);
    const settlement = allocation.settle();
    addTrafficAt(account.sums, CLIENT, settlement.missedClient);
    addTrafficAt(account.sums, PEER, settlement.missedPeer);
    origin.stats.missedBytes += bytesOf(settlement.missedClient) + bytesOf(settlement.missedPeer);
    session.settle(allocation, settlement);
    this.#rows.give(allocation.row);
    if (session.open.length === 0) this.#finish(session);
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
      }
    }
    return true;
  }

  /** Takes out at most `limit` sessions that have finished, the oldest first. */
  takeFinished(limit: number): Session[] {
    if (this.#finished.length <= limit) {
      const all = this.#finished;
      this.#finished = [];
      return all;
    }
    return this.#finished.splice(0, limit);
  }

  #sessionFor(proof: Proof): Session {
    const { key, startKnown, nowMs } = proof;
    const userName = this.#options.userName(key.username);
    const account = this.#ledger.realm(key.realm);
    const user = this.#users.open(account.realm, userName);
    // The user's entry goes by its label, which may stand for several long names or realms.
    const isOwnGroup =
      this.#options.groupBy === 'user' && user.name === userName && account.realm === key.realm;
    const group = isOwnGroup ? '' : this.#groupOf(proof, userName);
    const known = isOwnGroup ? user.current : this.#sessions.get(group);
    if (known !== undefined) return known;
    const { username } = key;
    // Where they are the same, the realm's own text serves all its sessions.
    const realm = account.realm === key.realm ? account.realm : detach(key.realm);
    const session = new Session({
      group,
      realm,
      account,
      user,
      userName,
      username,
      startKnown,
      nowMs,
    });
    this.#users.join(session);
    account.liveSessions += 1;
    if (isOwnGroup) user.current = session;
    else this.#sessions.set(group, session);
    return session;
  }

  /** Later allocations of its user or group begin a session of their own. */
  #detach(session: Session): void {
    if (session.group === '') session.user.current = undefined;
    else this.#sessions.delete(session.group);
  }

  #groupOf({ origin, key, connection }: Proof, name: string): string {
    // The realm's length keeps realm and name apart, whatever they hold.
    const user = `${key.realm.length} ${key.realm} ${name}`;
    switch (this.#options.groupBy) {
      case 'user':
        return user;
      case 'client':
        return `${connection === undefined ? '' : addressOf(connection.remote)} ${user}`;
      case 'allocation':
        return `${origin.number} ${key.allocationKey}`;
    }
  }

  #finish(session: Session): void {
    const { account, endReason } = session;
    session.id = this.#options.newSessionId(session.startedAtMs);
    account.liveSessions -= 1;
    const finished = session.relayed ? account.finishedRelayed : account.finishedUnrelayed;
    finished[endReason] += 1;
    this.#finished.push(session);
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

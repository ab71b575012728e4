import type { EndReason } from '../../../src/domain/ledger.ts';
import type { Origin } from '../../../src/domain/origin.ts';
import type { Session } from '../../../src/domain/session.ts';
import type { GroupBy } from '../../../src/domain/session-table.ts';
import { SourceStats } from '../../../src/domain/source-stats.ts';
import { Tracker } from '../../../src/domain/tracker.ts';
import { addTraffic, createTraffic, type Traffic } from '../../../src/domain/traffic.ts';
import { createUserName, type UserNames } from '../../../src/domain/user.ts';
import { wireMessage } from '../../support/wire-message.ts';

/** The linger of every tracker under test, in ms. */
export const LINGER_MS = 5_000;

/** What a tracker under test may have that is not usual. */
export interface TrackedOptions {
  readonly groupBy?: GroupBy;
  readonly maxUsers?: number;
  readonly maxRealms?: number;
  readonly serverFrom?: 'status' | 'connection';
  readonly relayedMinBytes?: number;
  readonly names?: Partial<UserNames>;
}

/** The sides of an account, as sums over everything that matched. */
export interface Counted {
  readonly client: Traffic;
  readonly peer: Traffic;
  readonly unallocated: Traffic;
}

/** A tracker with one source, a clock that only the test moves, and sums to compare. */
export class Tracked {
  readonly tracker: Tracker;
  readonly stats: SourceStats;
  readonly origin: Origin;
  nowMs = 1_000_000;
  #sessions = 0;

  constructor(options: TrackedOptions = {}) {
    this.tracker = new Tracker({
      groupBy: options.groupBy ?? 'user',
      lingerMs: LINGER_MS,
      userName: createUserName({ label: 'userid', restSeparator: ':' }),
      ...options.names,
      newSessionId: () => {
        this.#sessions += 1;
        return String(this.#sessions);
      },
      maxUsers: options.maxUsers ?? 1000,
      maxRealms: options.maxRealms ?? 1000,
      relayedMinBytes: options.relayedMinBytes,
    });
    this.stats = new SourceStats('test', options.serverFrom ?? 'status');
    this.origin = this.tracker.openOrigin(this.stats, 'redis');
  }

  /** Hands over one message as it is. */
  send(key: string, payload: string): this {
    this.tracker.receive(this.origin, key, payload, this.nowMs);
    return this;
  }

  /** Hands over one message as a source does: where it lies first. */
  sendInPlace(key: string, payload: string): this {
    const isTaken = this.tracker.receiveDelta(this.origin, wireMessage(key, payload), this.nowMs);
    return isTaken ? this : this.send(key, payload);
  }

  /** Lets time pass and ends what is due then. */
  pass(ms: number): this {
    this.nowMs += ms;
    this.tracker.expire(this.nowMs);
    return this;
  }

  /** Lets the linger pass. */
  linger(): this {
    return this.pass(LINGER_MS + 100);
  }

  /** Takes out what has finished, and releases it as a written record does. */
  finished(): Session[] {
    const sessions = this.tracker.sessions.takeFinished();
    for (const session of sessions) this.tracker.users.leave(session);
    return sessions;
  }

  /** The sums of all accounts, or of those of one realm. */
  counted(realm?: string): Counted {
    const client = createTraffic();
    const peer = createTraffic();
    const unallocated = createTraffic();
    for (const account of this.tracker.ledger.realms()) {
      if (realm !== undefined && account.realm !== realm) continue;
      for (const server of account.servers.values()) {
        addTraffic(client, server.client);
        addTraffic(peer, server.peer);
        addTraffic(unallocated, server.unallocated);
      }
    }
    return { client, peer, unallocated };
  }

  /** Live allocations by the gauges, with the labels they have. */
  live(): Record<string, number> {
    const live: Record<string, number> = {};
    for (const account of this.tracker.ledger.realms()) {
      for (const server of account.servers.values()) {
        for (const [transport, count] of server.live) {
          if (count !== 0) live[`${account.realm} ${server.server} ${transport}`] = count;
        }
      }
    }
    return live;
  }

  /** Live allocations by the gauges, all together. */
  get liveAllocations(): number {
    return Object.values(this.live()).reduce((sum, count) => sum + count, 0);
  }

  /** Sessions by the servers that they began on. */
  get sessionsOfServers(): number {
    let count = 0;
    for (const { servers } of this.tracker.ledger.realms()) {
      for (const { liveSessions } of servers.values()) count += liveSessions;
    }
    return count;
  }

  /** Sessions by the gauges. */
  get liveSessions(): number {
    let count = 0;
    for (const { liveSessions } of this.tracker.ledger.realms()) count += liveSessions;
    return count;
  }

  /** Allocations that were created or adopted. */
  get created(): number {
    let created = 0;
    for (const account of this.tracker.ledger.realms()) {
      for (const server of account.servers.values()) {
        for (const { count } of server.created) created += count;
      }
    }
    return created;
  }

  /** Closed allocations by reason, without those that are 0. */
  get closed(): Partial<Record<EndReason, number>> {
    const closed: Partial<Record<EndReason, number>> = {};
    for (const account of this.tracker.ledger.realms()) {
      for (const server of account.servers.values()) {
        for (const [reason, count] of Object.entries(server.closed)) {
          const known = reason as EndReason;
          if (count > 0) closed[known] = (closed[known] ?? 0) + count;
        }
      }
    }
    return closed;
  }

  /** Labels of users with series of their own. */
  get users(): string[] {
    return [...this.tracker.users.withSeries()].map(({ label }) => label);
  }
}

import type {
  AllocationEvent,
  AllocationStatus,
  Connection,
  RejectReason,
} from '../coturn/event.ts';
import { copyText, ID_LENGTH, type StatsKey } from '../coturn/key.ts';
import { Allocation } from './allocation.ts';
import { Deadlines } from './deadlines.ts';
import type { EndReason, Ledger } from './ledger.ts';
import type { Origin } from './origin.ts';
import type { ParkedTraffic } from './parked-traffic.ts';
import type { SessionTable } from './session-table.ts';
import { settlementOf } from './settlement.ts';
import {
  addTrafficAt,
  bytesOf,
  CLIENT,
  fits,
  isZero,
  PEER,
  type Side,
  trafficAt,
  UNALLOCATED,
} from './traffic.ts';
import { type Hide, hideUser } from './user.ts';

/** What an {@link AllocationTable} works with. */
export interface AllocationTableOptions {
  /** How long an ended allocation waits for late messages, in ms. */
  readonly lingerMs: number;
  readonly ledger: Ledger;
  readonly sessions: SessionTable;
  readonly parked: ParkedTraffic;
  readonly hide?: Hide | undefined;
  /** The name of the server whose `address:port` a status message tells. */
  readonly serverName: (endpoint: string) => string;
}

/** Where and when a message came. */
export interface Arrival {
  readonly origin: Origin;
  readonly key: StatsKey;
  readonly nowMs: number;
}

/** A status that says that an allocation lives. */
export type AliveStatus = Exclude<AllocationStatus, { kind: 'deleted' }>;

/** What is known of an allocation when it is created. */
interface Beginning {
  /** Absent when the proof was not a status. */
  readonly status: AliveStatus | undefined;
  readonly startKnown: boolean;
  readonly contested: boolean;
}

/** What each message means for allocations, in whatever order they come (design, section 4). */
export class AllocationTable {
  readonly #options: AllocationTableOptions;
  readonly #deadlines = new Deadlines<Allocation>();

  constructor(options: AllocationTableOptions) {
    this.#options = options;
  }

  /**
   * Applies what one message says.
   *
   * @returns why it cannot be taken; undefined when it was
   */
  apply(arrival: Arrival, event: AllocationEvent): RejectReason | undefined {
    const { origin, key, nowMs } = arrival;
    let known = this.find(origin, key);
    if (known?.endReason === 'restarted') {
      // Its process is dead: this is of the next one, which gives out the same ids.
      this.#close(known);
      known = undefined;
    }
    switch (event.kind) {
      case 'new':
        this.#applyNew(arrival, known, event);
        return undefined;
      case 'refreshed':
        this.#applyRefreshed(arrival, known, event);
        return undefined;
      case 'deleted':
        this.#endDeleted(known ?? this.adopt(arrival), nowMs);
        return undefined;
      case 'traffic':
        return this.#applyDelta(arrival, known, { side: CLIENT, numbers: event.numbers });
      case 'traffic_peer':
        return this.#applyDelta(arrival, known, { side: PEER, numbers: event.numbers });
      case 'total_traffic':
      case 'total_traffic_peer': {
        // A total is said once an allocation is over, also when the message `deleted` was lost.
        const allocation = known ?? this.adopt(arrival);
        this.#endDeleted(allocation, nowMs);
        const side = event.kind === 'total_traffic' ? CLIENT : PEER;
        allocation.noteTotal(side, trafficAt(event.numbers, 0));
        return undefined;
      }
    }
  }

  /** The allocation of a key, also where an earlier process has saved it with its user hidden. */
  find(origin: Origin, key: StatsKey): Allocation | undefined {
    const known = origin.allocations.get(key.allocationKey);
    if (known !== undefined || origin.hidden.size === 0) return known;
    const hidden = hideUser(key, this.#options.hide);
    if (!origin.hidden.has(hidden)) return undefined;
    const found = origin.allocations.get(hidden);
    found?.recognise(key.allocationKey);
    return found;
  }

  #applyNew(arrival: Arrival, known: Allocation | undefined, status: AliveStatus): void {
    const { origin, nowMs } = arrival;
    // Its key was read before this message came.
    if (known?.isOnlyFound && known.local === (status.connection?.local ?? '')) {
      known.noteLateStart();
      known.noteStatus();
      return known.prove(nowMs);
    }
    let contested = false;
    if (known !== undefined) {
      // Totals that are still to come would be the old one's.
      contested = known.endReason === undefined || known.clientTotal === undefined;
      if (known.endReason === undefined) this.#supersede(known, status.connection, nowMs);
      this.#close(known);
    }
    const created = this.#create(arrival, { status, startKnown: true, contested });
    if (status.connection !== undefined) {
      origin.keys.noteStart(status.connection.local, created.key.slice(-ID_LENGTH), nowMs);
    }
    created.noteStatus();
    created.account.total.hear(nowMs);
  }

  /** A `new` for a key that lives: its server has restarted, or another one uses the same id. */
  #supersede(known: Allocation, connection: Connection | undefined, nowMs: number): void {
    known.noteContest();
    if (connection !== undefined && known.local !== '') {
      if (known.local === connection.local) known.origin.keys.noteRestart();
      else known.origin.stats.countCollision();
    }
    this.end(known, 'superseded', { endedAtMs: known.lastEventMs, nowMs });
  }

  #applyRefreshed(arrival: Arrival, known: Allocation | undefined, status: AliveStatus): void {
    let allocation = known;
    if (allocation !== undefined && allocation.endReason !== undefined) {
      // Told to live after its end: another server's allocation of the same id, which lives on.
      this.#close(allocation);
      allocation = this.adopt(arrival, status, allocation.contested);
    }
    allocation ??= this.adopt(arrival, status);
    allocation.prove(arrival.nowMs);
    allocation.noteStatus();
    const { origin, session, account } = allocation;
    const { connection } = status;
    const server = connection === undefined ? account.server : this.#serverOf(origin, connection);
    const hadLifetimeMs = allocation.lifetimeMs;
    allocation.redescribe(this.#options.ledger.server(session.account, server), status);
    allocation.account.countRefresh();
    allocation.noteConnection(connection, this.#options.hide);
    // A longer lifetime is found out when the old deadline comes; a shorter one would come too late.
    if (allocation.lifetimeMs < hadLifetimeMs) {
      this.#deadlines.remove(allocation);
      this.#deadlines.add(allocation, allocation.expiresAtMs);
    }
  }

  /**
   * Adds a report where it belongs. Without an allocation there is no peer, so a peer report that is
   * not zero proves that there is one; a client-side one proves nothing: whoever got an id after a
   * restart may claim any name, without ever logging in (design, rules 3 and 7).
   */
  #applyDelta(
    arrival: Arrival,
    known: Allocation | undefined,
    { side, numbers }: { readonly side: Side; readonly numbers: Float64Array },
  ): RejectReason | undefined {
    const traffic = trafficAt(numbers, 0);
    const isProof = side === PEER && !isZero(traffic);
    if (known === undefined && !isProof) {
      if (!isZero(traffic)) this.#options.parked.park(arrival, traffic);
      return undefined;
    }
    if (known?.suspect === true && !isProof) {
      if (side === CLIENT) known.hold(traffic);
      return undefined;
    }
    const allocation = known ?? this.adopt(arrival);
    const { page, offset } = allocation;
    const isExact =
      fits(page, offset + side, numbers) && fits(allocation.account.sums, side, numbers);
    if (!isExact) return 'number_out_of_range';
    if (isProof) allocation.prove(arrival.nowMs);
    allocation.report(side, traffic, arrival.nowMs);
    return undefined;
  }

  #endDeleted(allocation: Allocation, nowMs: number): void {
    allocation.prove(nowMs);
    this.end(allocation, 'deleted', { endedAtMs: nowMs, nowMs });
  }

  /** Takes over an allocation whose start was not seen; its key must be free. */
  adopt(arrival: Arrival, status?: AliveStatus, contested = false): Allocation {
    return this.#create(arrival, { status, startKnown: false, contested });
  }

  #create(arrival: Arrival, beginning: Beginning): Allocation {
    const { origin, nowMs } = arrival;
    const { status, startKnown, contested } = beginning;
    const connection = status?.connection;
    const key = withOwnName(arrival.key);
    origin.keys.forgetStale(key.allocationKey);
    const session = this.#options.sessions.sessionOf({
      origin,
      key,
      connection,
      startKnown,
      nowMs,
    });
    const allocation = new Allocation({
      origin,
      session,
      account: this.#options.ledger.server(session.account, this.#serverOf(origin, connection)),
      address: origin.allocations.insert(key.allocationKey),
      startKnown,
      contested,
      nowMs,
    });
    if (status !== undefined) allocation.describe(status.lifetimeSeconds, connection);
    allocation.account.countCreated(
      allocation.transport,
      allocation.tls,
      connection?.ipFamily ?? 'unknown',
    );
    this.admit(allocation, nowMs);
    if (!startKnown) session.noteAdopted();
    allocation.noteConnection(connection, this.#options.hide);
    const parked = this.#options.parked.take(origin, key.allocationKey);
    if (parked !== undefined) allocation.report(CLIENT, parked.traffic);
    return allocation;
  }

  /** Takes in an allocation that is made; it waits for its end, or for the end of its linger. */
  admit(allocation: Allocation, nowMs: number): void {
    allocation.enter();
    allocation.origin.allocations.add(allocation);
    const { endReason, expiresAtMs } = allocation;
    const atMs = endReason === undefined ? expiresAtMs : nowMs + this.#options.lingerMs;
    this.#deadlines.add(allocation, atMs);
  }

  /** Ends a live allocation, which lingers from now on. */
  end(
    allocation: Allocation,
    reason: EndReason,
    { endedAtMs, nowMs }: { readonly endedAtMs: number; readonly nowMs: number },
  ): void {
    if (allocation.endReason !== undefined) return;
    allocation.end(reason, endedAtMs);
    this.#deadlines.remove(allocation);
    // A process that is dead says no more.
    const lingerMs = reason === 'restarted' ? 0 : this.#options.lingerMs;
    this.#deadlines.add(allocation, nowMs + lingerMs);
  }

  /** Compares an ended allocation with its totals and forgets it; its session may finish by this. */
  #close(allocation: Allocation): void {
    const { origin, session, account } = allocation;
    this.#deadlines.remove(allocation);
    const settlement = settlementOf(allocation);
    const { missedClient, missedPeer } = settlement;
    const held = allocation.takeHeld();
    if (held !== undefined) addTrafficAt(account.sums, UNALLOCATED, held);
    addTrafficAt(account.sums, CLIENT, missedClient);
    addTrafficAt(account.sums, PEER, missedPeer);
    origin.stats.countMissed(bytesOf(missedClient) + bytesOf(missedPeer));
    session.close(allocation, settlement);
    if (origin.hidden.size > 0) origin.hidden.delete(allocation.key);
    // Last, for it takes away the key and the numbers.
    origin.allocations.delete(allocation);
    if (session.open.length === 0) this.#options.sessions.finish(session);
  }

  /** The process stops: it ends now, and has no time to linger. */
  shutDown(allocation: Allocation, nowMs: number): void {
    if (allocation.endReason === undefined) allocation.end('shutdown', nowMs);
    this.#close(allocation);
  }

  /**
   * Ends what has expired and closes what has lingered long enough.
   *
   * @param limit the most allocations to look at, so that a burst can be worked off in slices
   * @returns whether more are due
   */
  expire(nowMs: number, limit: number): boolean {
    for (let looked = 0; looked < limit; looked += 1) {
      const allocation = this.#deadlines.takeDue(nowMs);
      if (allocation === undefined) return false;
      const { endReason, expiresAtMs, lastEventMs, suspect } = allocation;
      if (endReason === undefined && expiresAtMs > nowMs) {
        this.#deadlines.add(allocation, expiresAtMs);
        continue;
      }
      if (endReason === undefined) {
        const reason = suspect ? 'vanished' : 'expired';
        this.end(allocation, reason, { endedAtMs: lastEventMs, nowMs });
        allocation.origin.keys.noteStale(allocation.key);
      }
      this.#close(allocation);
    }
    return true;
  }

  #serverOf({ stats, server }: Origin, connection: Connection | undefined): string {
    if (stats.serverFrom === 'connection' || connection === undefined) return server;
    return this.#options.serverName(connection.local);
  }
}

/** The user name is kept, and as a part of the key it would keep all of the key. */
function withOwnName(key: StatsKey): StatsKey {
  return { ...key, username: copyText(key.username) };
}

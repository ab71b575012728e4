import type { AllocationStatus, Connection, EventKind, RejectReason } from '../coturn/event.ts';
import type { StatsKey } from '../coturn/key.ts';
import { readTraffic } from '../coturn/payload.ts';
import type { Allocation } from './allocation.ts';
import type { AllocationTable, Proof } from './allocation-table.ts';
import type { Origin } from './origin.ts';
import type { ParkedTraffic } from './parked-traffic.ts';
import {
  addTrafficAt,
  CLIENT,
  isZero,
  PEER,
  TRAFFIC_LENGTH,
  type Traffic,
  trafficAt,
} from './traffic.ts';

/** A status that says that an allocation lives. */
export type AliveStatus = Exclude<AllocationStatus, { kind: 'deleted' }>;

/** What each message means for allocations, in whatever order messages come (design, section 4). */
export class EventRules {
  readonly #table: AllocationTable;
  readonly #parked: ParkedTraffic;

  constructor(table: AllocationTable, parked: ParkedTraffic) {
    this.#table = table;
    this.#parked = parked;
  }

  /** Takes a traffic message of a key without an allocation, or a total of any key. */
  applyTraffic(origin: Origin, key: StatsKey, payload: string, nowMs: number): void {
    const numbers = new Float64Array(TRAFFIC_LENGTH);
    const refusal = readTraffic(payload, numbers);
    if (refusal !== undefined) return reject(origin, refusal);
    const traffic = trafficAt(numbers, 0);
    switch (key.topic) {
      case 'traffic':
        countEvent(origin, 'traffic', nowMs);
        if (!isZero(traffic)) this.#parked.park({ origin, key, nowMs }, traffic);
        return;
      case 'traffic/peer':
        countEvent(origin, 'traffic_peer', nowMs);
        // Without an allocation there is no peer: anything but zero proves that there is one.
        if (!isZero(traffic)) addDelta(this.adopt(origin, key, nowMs), 'peer', traffic);
        return;
      case 'total_traffic':
        countEvent(origin, 'total_traffic', nowMs);
        this.#endByTotal(origin, key, nowMs).clientTotal = traffic;
        return;
      case 'total_traffic/peer':
        countEvent(origin, 'total_traffic_peer', nowMs);
        this.#endByTotal(origin, key, nowMs).peerTotal = traffic;
        return;
      case 'status':
        return;
    }
  }

  /** A total is said once an allocation is over, also when the message `deleted` was lost. */
  #endByTotal(origin: Origin, key: StatsKey, nowMs: number): Allocation {
    const allocation = origin.allocations.get(key.allocationKey) ?? this.adopt(origin, key, nowMs);
    this.#table.touch(allocation, nowMs);
    this.#table.end(allocation, 'deleted', { endedAtMs: nowMs, nowMs });
    if (key.topic === 'total_traffic/peer') allocation.reportsPeer = true;
    return allocation;
  }

  /** Takes a status message. */
  applyStatus(origin: Origin, key: StatsKey, status: AllocationStatus, nowMs: number): void {
    switch (status.kind) {
      case 'new':
        this.#begin(origin, key, status, nowMs);
        return;
      case 'refreshed':
        this.#refresh(origin, key, status, nowMs);
        return;
      case 'deleted': {
        const known = origin.allocations.get(key.allocationKey);
        const allocation = known ?? this.adopt(origin, key, nowMs);
        this.#table.touch(allocation, nowMs);
        this.#table.end(allocation, 'deleted', { endedAtMs: nowMs, nowMs });
      }
    }
  }

  #begin(origin: Origin, key: StatsKey, status: AliveStatus, nowMs: number): void {
    const known = origin.allocations.get(key.allocationKey);
    // Its key was read before this message came.
    if (known?.isOnlyFound && known.local === (status.connection?.local ?? '')) {
      known.beginLate();
      known.statusAfter = origin.keys.scans;
      return this.#table.touch(known, nowMs);
    }
    let contested = false;
    if (known !== undefined) {
      // Totals that are still to come would be the old one's.
      contested = known.endReason === undefined || known.clientTotal === undefined;
      if (known.endReason === undefined) this.#supersede(known, status.connection, nowMs);
      this.#table.settle(known);
    }
    const allocation = this.#create({ origin, key, ...status, startKnown: true, contested, nowMs });
    allocation.statusAfter = origin.keys.scans;
  }

  /** A `new` for a key that lives: its server has restarted, or another one uses the same id. */
  #supersede(known: Allocation, connection: Connection | undefined, nowMs: number): void {
    known.contested = true;
    if (connection !== undefined && known.local !== '' && known.local !== connection.local) {
      known.origin.stats.collisions += 1;
    }
    this.#table.end(known, 'superseded', { endedAtMs: known.lastEventMs, nowMs });
  }

  #refresh(origin: Origin, key: StatsKey, status: AliveStatus, nowMs: number): void {
    let allocation = origin.allocations.get(key.allocationKey);
    if (allocation !== undefined && allocation.endReason !== undefined) {
      // Told to live after its end: another server's allocation of the same id, which lives on.
      const { contested } = allocation;
      this.#table.settle(allocation);
      allocation = this.adopt(origin, key, nowMs, status, contested);
    }
    allocation ??= this.adopt(origin, key, nowMs, status);
    this.#table.touch(allocation, nowMs);
    allocation.statusAfter = origin.keys.scans;
    this.#table.refresh(allocation, status.lifetimeSeconds, status.connection);
  }

  /** Takes over an allocation whose start was not seen; its key must be free. */
  adopt(
    origin: Origin,
    key: StatsKey,
    nowMs: number,
    status?: AliveStatus,
    contested = false,
  ): Allocation {
    return this.#create({ origin, key, ...status, startKnown: false, contested, nowMs });
  }

  #create(proof: Proof): Allocation {
    const allocation = this.#table.create(proof);
    const parked = this.#parked.take(proof.origin, allocation.key);
    if (parked !== undefined) addDelta(allocation, 'client', parked.traffic);
    return allocation;
  }
}

/** Adds a report to an allocation and to the counters. */
function addDelta(allocation: Allocation, side: 'client' | 'peer', delta: Traffic): void {
  const at = side === 'peer' ? PEER : CLIENT;
  addTrafficAt(allocation.row.page, allocation.row.offset + at, delta);
  addTrafficAt(allocation.account.sums, at, delta);
  if (side === 'peer') allocation.reportsPeer = true;
}

/** Counts a message that was understood. */
export function countEvent(origin: Origin, kind: EventKind, nowMs: number): void {
  origin.stats.events[kind] += 1;
  origin.stats.lastEventMs = nowMs;
}

/** Counts a message that could not be read. */
export function reject(origin: Origin, reason: RejectReason): void {
  origin.stats.rejected[reason] += 1;
}

import type { Allocation } from './allocation.ts';
import type { EndReason, RealmAccount } from './ledger.ts';
import { type SavedSession, savedTraffic } from './saved-session.ts';
import type { Settlement } from './settlement.ts';
import { CLIENT, NOTHING, sumTraffic, type Traffic } from './traffic.ts';
import type { User } from './user.ts';

/** The allocations of one user that overlap in time (design, section 2). */
export class Session {
  /** Unique, and sortable by time of start; empty until `SessionTable` gives it one. */
  id = '';
  /** What allocations share to be of one session; empty when the user tells it. */
  readonly group: string;
  /** As published. */
  readonly realm: string;
  readonly account: RealmAccount;
  readonly user: User;
  /** The mapped name of the user, in full. */
  readonly userName: string;
  /** The raw user name of its first allocation. */
  readonly username: string;
  readonly startedAtMs: number;
  /** The start of its first allocation was seen. */
  startKnown: boolean;
  /** When its latest allocation ended, in ms. */
  endedAtMs = 0;
  /** Why its latest allocation ended. */
  endReason: EndReason = 'deleted';

  /** Its place in `user.sessions`. */
  slot = 0;
  /** Allocations that live or linger, in no order. */
  open: Allocation[] = NONE;
  liveAllocations = 0;
  /** How many there were in all. */
  allocationCount = 0;

  /** Sums of the allocations that are settled. */
  client: Traffic = NOTHING;
  peer: Traffic = NOTHING;
  missedBytes = 0;
  complete = true;
  reportsPeer = false;

  /** Each distinct value in order of appearance, joined by `,`. */
  servers = '';
  transports = '';
  tlsVersions = '';
  clients = '';

  constructor(init: SessionInit) {
    this.group = init.group;
    this.realm = init.realm;
    this.account = init.account;
    this.user = init.user;
    this.userName = init.userName;
    this.username = init.username;
    this.startedAtMs = init.startedAtMs;
    this.startKnown = init.startKnown;
  }

  /** Takes over what an earlier process knew of it, but for its allocations. */
  restore(saved: SavedSession, wallOffsetMs: number): void {
    this.id = saved.id;
    this.endedAtMs = saved.endedAtMs === 0 ? 0 : saved.endedAtMs - wallOffsetMs;
    this.endReason = saved.endReason;
    this.allocationCount = saved.allocationCount - saved.open.length;
    this.client = savedTraffic(saved.client);
    this.peer = savedTraffic(saved.peer);
    this.missedBytes = saved.missedBytes;
    this.complete = saved.complete;
    this.reportsPeer = saved.reportsPeer;
    this.servers = saved.servers;
    this.transports = saved.transports;
    this.tlsVersions = saved.tlsVersions;
    this.clients = saved.clients;
  }

  /** Counts an allocation that has just begun. */
  join(allocation: Allocation): void {
    if (this.open.length === 0) {
      // Pushing to an empty array makes room for 17; most sessions have few allocations.
      this.open = [allocation];
      allocation.slot = 0;
    } else {
      allocation.slot = this.open.push(allocation) - 1;
    }
    if (allocation.endReason === undefined) this.liveAllocations += 1;
    this.allocationCount += 1;
  }

  /** Notes how an allocation is connected; addresses come without port. */
  note(connection: { server: string; transport: string; tls: string; client: string }): void {
    this.servers = noteOnce(this.servers, connection.server);
    this.transports = noteOnce(this.transports, connection.transport);
    this.tlsVersions = noteOnce(this.tlsVersions, connection.tls);
    this.clients = noteOnce(this.clients, connection.client);
  }

  /** An allocation has ended and lingers from now on. */
  end(allocation: Allocation): void {
    this.liveAllocations -= 1;
    if (allocation.endReason !== undefined && allocation.endedAtMs >= this.endedAtMs) {
      this.endedAtMs = allocation.endedAtMs;
      this.endReason = allocation.endReason;
    }
  }

  /** Takes over the sums of an allocation that will hear no more. */
  settle(allocation: Allocation, settlement: Settlement): void {
    removeAt(this.open, allocation.slot);
    this.client = sumTraffic(this.client, settlement.client);
    this.peer = sumTraffic(this.peer, settlement.peer);
    this.missedBytes +=
      settlement.missedClient.receivedBytes +
      settlement.missedClient.sentBytes +
      settlement.missedPeer.receivedBytes +
      settlement.missedPeer.sentBytes;
    if (!settlement.complete) this.complete = false;
    if (allocation.reportsPeer) this.reportsPeer = true;
  }

  /**
   * Whether the relay was needed: peer-side bytes flowed, or client-side ones where this coturn
   * reports no peer side (before 4.5.1.2). Call it when all allocations are settled.
   */
  get relayed(): boolean {
    const { receivedBytes, sentBytes } = this.reportsPeer ? this.peer : this.client;
    return receivedBytes + sentBytes > 0;
  }

  /** Client-side bytes so far, of settled and open allocations together. */
  clientBytes(): { received: number; sent: number } {
    let received = this.client.receivedBytes;
    let sent = this.client.sentBytes;
    for (const { row } of this.open) {
      received += row.page[row.offset + CLIENT + 1] ?? 0;
      sent += row.page[row.offset + CLIENT + 3] ?? 0;
    }
    return { received, sent };
  }
}

/** What a session starts with. */
export interface SessionInit {
  readonly group: string;
  readonly realm: string;
  readonly account: RealmAccount;
  readonly user: User;
  readonly userName: string;
  readonly username: string;
  readonly startKnown: boolean;
  readonly startedAtMs: number;
}

/**
 * Takes the element at `slot` out of an unordered list in constant time: thousands may share one
 * static user name, and so one session.
 */
export function removeAt<T extends { slot: number }>(list: T[], slot: number): void {
  const last = list.pop();
  if (last === undefined || last.slot === slot) return;
  list[slot] = last;
  last.slot = slot;
}

/** The most distinct values of one kind that a session keeps: a roaming client has no limit. */
const MAX_NOTED = 32;
const NONE: Allocation[] = [];

function noteOnce(values: string, value: string): string {
  if (value === '' || value === values) return values;
  if (values === '') return value;
  const known = values.split(',');
  return known.includes(value) || known.length >= MAX_NOTED ? values : `${values},${value}`;
}

import type { Allocation, Settlement } from './allocation.ts';
import type { EndReason, RealmAccount } from './ledger.ts';
import type { Relayed } from './relayed.ts';
import type { SavedSession } from './saved-session.ts';
import { own } from './source-stats.ts';
import {
  addWhole,
  bytesOf,
  CLIENT,
  NOTHING,
  sumTraffic,
  type Traffic,
  trafficOf,
} from './traffic.ts';
import type { Attributes, User } from './user.ts';

/** What a session starts with. */
export interface SessionInit {
  /** What allocations share to be of one session; empty when the user tells it. */
  readonly group: string;
  /** As published. */
  readonly realm: string;
  readonly account: RealmAccount;
  readonly user: User;
  /** The mapped name of the user, in full; like the others of these, as it may be seen outside. */
  readonly userName: string;
  /** The user name of its first allocation, not mapped. */
  readonly username: string;
  /** What else that tells; absent: nothing. */
  readonly attributes?: Attributes | undefined;
  /** The start of its first allocation was seen. */
  readonly startKnown: boolean;
  readonly startedAtMs: number;
}

/** What allocations had moved that were live at the stop. */
interface CutOff {
  readonly allocations: number;
  readonly client: Traffic;
  readonly peer: Traffic;
}

/** The most distinct values of one kind that a session keeps: a roaming client has no limit. */
const MAX_NOTED = 32;

/** The allocations of one user that overlap in time (design, section 2). */
export class Session implements SessionInit {
  /** Its place in `user.sessions`, to which this belongs. */
  slot = 0;

  /** Unique, and sortable by time of start; empty until it is asked for. */
  readonly id: string = '';
  readonly group: string;
  readonly realm: string;
  readonly account: RealmAccount;
  readonly user: User;
  readonly userName: string;
  readonly username: string;
  readonly attributes: Attributes | undefined;
  readonly startedAtMs: number;
  readonly startKnown: boolean;
  #open: Allocation[] = [];
  /** When its latest allocation ended, in ms. */
  readonly endedAtMs: number = 0;
  /** Why the one of its allocations ended that carried most of it. */
  readonly endReason: EndReason = 'deleted';
  /** What that one carried, client-side bytes of both directions. */
  readonly mostBytes: number = 0;

  /** Those that live, suspects among them. */
  readonly liveAllocations: number = 0;
  /** Those that live and are not suspect. */
  readonly trustedAllocations: number = 0;
  /**
   * It is in the live gauges: not since all its live allocations were suspect, nor once it is
   * recorded (design, rules 7 and 13).
   */
  readonly isShown: boolean = false;
  /** How many there were in all. */
  readonly allocationCount: number = 0;

  /** How many of them had begun before anybody listened. */
  readonly adoptedAllocations: number = 0;
  /** Of those that were live when the exporter stopped; the next one may find them. */
  readonly cutOff: CutOff | undefined;

  /** Sums of the allocations that are closed. */
  readonly client: Traffic = NOTHING;
  readonly peer: Traffic = NOTHING;
  readonly missedBytes: number = 0;
  /** For how long no message could arrive while it lived, in ms, by the source that was deaf longest. */
  readonly gapMs: number = 0;
  /** The part of it that an earlier process knew. */
  #earlierGapMs = 0;
  readonly complete: boolean = true;
  readonly reportsPeer: boolean = false;
  /** Whether the relay was needed, as far as it is known; see {@link relayed} for the last word. */
  readonly relayedSoFar: Relayed = 'unknown';

  /** Each distinct value in order of appearance, joined by `,`. */
  readonly servers: string = '';
  readonly transports: string = '';
  readonly tlsVersions: string = '';
  readonly clients: string = '';

  constructor(init: SessionInit) {
    this.group = init.group;
    this.realm = init.realm;
    this.account = init.account;
    this.user = init.user;
    this.userName = init.userName;
    this.username = init.username;
    this.attributes = init.attributes;
    this.startedAtMs = init.startedAtMs;
    this.startKnown = init.startKnown;
  }

  /** Takes over what an earlier process knew of it, but for the allocations that are open. */
  restore(known: SavedSession, endedAtMs: number): void {
    const self = own(this);
    self.id = known.id;
    self.endedAtMs = endedAtMs;
    self.endReason = known.endReason;
    self.allocationCount = known.allocationCount - known.open.length;
    self.adoptedAllocations = known.adoptedAllocations;
    self.missedBytes = known.missedBytes;
    self.mostBytes = known.mostBytes;
    self.gapMs = known.gapMs;
    this.#earlierGapMs = known.gapMs;
    self.complete = known.complete;
    self.reportsPeer = known.reportsPeer;
    self.client = trafficOf(known.client);
    self.peer = trafficOf(known.peer);
    self.servers = known.servers;
    self.transports = known.transports;
    self.tlsVersions = known.tlsVersions;
    self.clients = known.clients;
    self.relayedSoFar = known.relayedSoFar;
    // A file of an older version does not tell.
    if (bytesOf(this.peer) > 0) this.notePeer(this.account.isRelayed(this.peer, 'peer'));
  }

  /** It is in the live gauges again, also where nothing of it lives: until its record is written. */
  resume(): void {
    if (this.liveAllocations === 0) this.#show();
  }

  /** Allocations that live or linger, in no order. */
  get open(): readonly Allocation[] {
    return this.#open;
  }

  /** Its id, made by `create` when someone asks for it first. */
  nameBy(create: (startedAtMs: number) => string): void {
    if (this.id === '') own(this).id = create(this.startedAtMs);
  }

  /** Counts an allocation that has just begun. */
  join(allocation: Allocation): void {
    this.#open = addTo(this.#open, allocation);
    own(this).allocationCount += 1;
    if (allocation.endReason !== undefined) return;
    own(this).liveAllocations += 1;
    if (!allocation.suspect) this.noteTrusted();
  }

  /** One of its live allocations became suspect. */
  noteSuspect(): void {
    own(this).trustedAllocations -= 1;
    if (this.trustedAllocations === 0) this.hide();
  }

  /** One of its live allocations is not suspect, or not any more. */
  noteTrusted(): void {
    own(this).trustedAllocations += 1;
    this.#show();
  }

  /** Leaves the live gauges. */
  hide(): void {
    if (!this.isShown) return;
    own(this).isShown = false;
    this.account.changeLive(this.relayedSoFar, -1);
    this.user.changeLive(-1);
  }

  #show(): void {
    if (this.isShown) return;
    own(this).isShown = true;
    this.account.changeLive(this.relayedSoFar, 1);
    this.user.changeLive(1);
  }

  /** Bytes of peers were seen, on an allocation that relayed by them or did not. */
  notePeer(relayed: boolean): void {
    const known = relayed || this.relayedSoFar === 'true' ? 'true' : 'false';
    if (known === this.relayedSoFar) return;
    if (this.isShown) {
      this.account.changeLive(this.relayedSoFar, -1);
      this.account.changeLive(known, 1);
    }
    own(this).relayedSoFar = known;
  }

  /** The allocation that has just joined had begun before anybody listened. */
  noteAdopted(): void {
    own(this).adoptedAllocations += 1;
  }

  /** An allocation was found by a scan before its start was heard, and nothing of it was missed. */
  noteLateStart(): void {
    // One of an earlier process is not counted as adopted.
    if (this.adoptedAllocations > 0) own(this).adoptedAllocations -= 1;
    if (this.allocationCount === 1) own(this).startKnown = true;
  }

  /** Notes how an allocation is connected; addresses come without port. */
  note(connection: { server: string; transport: string; tls: string; client: string }): void {
    own(this).servers = noteOnce(this.servers, connection.server);
    own(this).transports = noteKnown(this.transports, connection.transport);
    own(this).tlsVersions = noteKnown(this.tlsVersions, connection.tls);
    own(this).clients = noteOnce(this.clients, connection.client);
  }

  /** An allocation has ended and lingers from now on. */
  noteEnd({ endedAtMs, suspect }: Allocation): void {
    own(this).liveAllocations -= 1;
    if (!suspect) own(this).trustedAllocations -= 1;
    if (this.liveAllocations > 0 && this.trustedAllocations === 0) this.hide();
    if (endedAtMs > this.endedAtMs) own(this).endedAtMs = endedAtMs;
  }

  /** Takes in for how long the source of one of its allocations was deaf, until that ended if it has. */
  noteGaps({ origin, endReason, endedAtMs }: Allocation): void {
    const untilMs = endReason === undefined ? Number.POSITIVE_INFINITY : endedAtMs;
    const deafMs = origin.deafMs(this.startedAtMs, untilMs);
    own(this).gapMs = Math.max(this.gapMs, this.#earlierGapMs + Math.round(deafMs));
  }

  /** Takes over the sums of an allocation that will hear no more. */
  close(allocation: Allocation, settlement: Settlement): void {
    const { client, peer, missedClient, missedPeer } = settlement;
    this.noteGaps(allocation);
    removeAt(this.#open, allocation.slot);
    own(this).client = sumTraffic(this.client, client);
    own(this).peer = sumTraffic(this.peer, peer);
    const missed = bytesOf(missedClient) + bytesOf(missedPeer);
    own(this).missedBytes = addWhole(this.missedBytes, missed);
    if (allocation.endReason === 'shutdown') this.#noteCutOff(settlement);
    if (!settlement.complete) own(this).complete = false;
    const { reportsPeer, expectsPeer, endReason } = allocation;
    if (reportsPeer) own(this).reportsPeer = true;
    const { isRelayed } = this.account;
    if (bytesOf(peer) > 0) this.notePeer(isRelayed(peer, 'peer'));
    else if (!(reportsPeer || expectsPeer) && isRelayed(client, 'client')) this.notePeer(true);
    const bytes = bytesOf(client);
    if (endReason === undefined || bytes < this.mostBytes) return;
    own(this).mostBytes = bytes;
    own(this).endReason = endReason;
  }

  #noteCutOff({ client, peer }: Settlement): void {
    const {
      allocations = 0,
      client: before = NOTHING,
      peer: peerBefore = NOTHING,
    } = this.cutOff ?? {};
    own(this).cutOff = {
      allocations: allocations + 1,
      client: sumTraffic(before, client),
      peer: sumTraffic(peerBefore, peer),
    };
  }

  /** Whether the relay was needed (design, rule 9). Call it when all allocations are closed. */
  get relayed(): Relayed {
    if (this.relayedSoFar === 'true') return 'true';
    return bytesOf(this.peer) > 0 || this.complete ? 'false' : 'unknown';
  }

  /** Client-side bytes so far, of closed and open allocations together. */
  clientBytes(): { received: number; sent: number } {
    let received = this.client.receivedBytes;
    let sent = this.client.sentBytes;
    for (const { page, offset } of this.open) {
      received += page[offset + CLIENT + 1] ?? 0;
      sent += page[offset + CLIENT + 3] ?? 0;
    }
    return { received, sent };
  }
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

/** Puts an element into an unordered list that may have none yet. */
export function addTo<T extends { slot: number }>(list: T[], entry: T): T[] {
  entry.slot = list.length;
  // Pushing to an empty array makes room for 17; most lists stay short.
  if (list.length === 0) return [entry];
  list.push(entry);
  return list;
}

function noteOnce(values: string, value: string): string {
  if (value === '' || value === values) return values;
  if (values === '') return value;
  const known = values.split(',');
  return known.includes(value) || known.length >= MAX_NOTED ? values : `${values},${value}`;
}

/** The same, but `unknown` gives way as soon as something is known. */
function noteKnown(values: string, value: string): string {
  if (values === 'unknown') return value;
  return value === 'unknown' && values !== '' ? values : noteOnce(values, value);
}

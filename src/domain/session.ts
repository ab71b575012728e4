import type { Allocation } from './allocation.ts';
import { addTo, type Few, listOf, removeFrom } from './few.ts';
import type { EndReason, RealmAccount, ServerAccount } from './ledger.ts';
import type { Relayed } from './relayed.ts';
import type { SavedSession } from './saved-session.ts';
import type { Settlement } from './settlement.ts';
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

/** What a session has of those of its allocations that ended, or of an earlier process. */
interface Past {
  endedAtMs: number;
  endReason: EndReason;
  mostBytes: number;
  adoptedAllocations: number;
  cutOff: CutOff | undefined;
  client: Traffic;
  peer: Traffic;
  missedBytes: number;
  gapMs: number;
  /** The part of it that an earlier process knew. */
  earlierGapMs: number;
  complete: boolean;
  reportsPeer: boolean;
}

/** Most sessions live, and have no past yet: they share this one. */
const NO_PAST: Readonly<Past> = {
  endedAtMs: 0,
  endReason: 'deleted',
  mostBytes: 0,
  adoptedAllocations: 0,
  cutOff: undefined,
  client: NOTHING,
  peer: NOTHING,
  missedBytes: 0,
  gapMs: 0,
  earlierGapMs: 0,
  complete: true,
  reportsPeer: false,
};

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
  #open: Few<Allocation> = undefined;

  /** Those that live, suspects among them. */
  readonly liveAllocations: number = 0;
  /** Those that live and are not suspect. */
  readonly trustedAllocations: number = 0;
  /**
   * The server that it counts for while it is in the live gauges: where its first allocation was, or
   * `none` where nothing of it lives. Undefined since all its live allocations were suspect, and once
   * it is recorded (design, rules 7 and 13).
   */
  readonly shownOn: ServerAccount | 'none' | undefined = undefined;
  /** How many there were in all. */
  readonly allocationCount: number = 0;

  /** Whether the relay was needed, as far as it is known; see {@link relayed} for the last word. */
  readonly relayedSoFar: Relayed = 'unknown';

  /** Each distinct value in order of appearance, joined by `,`. */
  readonly servers: string = '';
  readonly transports: string = '';
  readonly tlsVersions: string = '';
  readonly clients: string = '';

  #past: Past = NO_PAST;

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
    self.allocationCount = known.allocationCount - known.open.length;
    this.#past = {
      endedAtMs,
      endReason: known.endReason,
      mostBytes: known.mostBytes,
      adoptedAllocations: known.adoptedAllocations,
      cutOff: undefined,
      client: trafficOf(known.client),
      peer: trafficOf(known.peer),
      missedBytes: known.missedBytes,
      gapMs: known.gapMs,
      earlierGapMs: known.gapMs,
      complete: known.complete,
      reportsPeer: known.reportsPeer,
    };
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
    if (this.liveAllocations === 0) this.#show('none');
  }

  /** Allocations that live or linger, in no order. */
  get open(): readonly Allocation[] {
    return listOf(this.#open);
  }

  /** When its latest allocation ended, in ms. */
  get endedAtMs(): number {
    return this.#past.endedAtMs;
  }

  /** Why the one of its allocations ended that carried most of it. */
  get endReason(): EndReason {
    return this.#past.endReason;
  }

  /** What that one carried, client-side bytes of both directions. */
  get mostBytes(): number {
    return this.#past.mostBytes;
  }

  /** How many of its allocations had begun before anybody listened. */
  get adoptedAllocations(): number {
    return this.#past.adoptedAllocations;
  }

  /** Of those that were live when the exporter stopped; the next one may find them. */
  get cutOff(): CutOff | undefined {
    return this.#past.cutOff;
  }

  /** Sum of the client side of the allocations that are closed. */
  get client(): Traffic {
    return this.#past.client;
  }

  /** The same of the peer side. */
  get peer(): Traffic {
    return this.#past.peer;
  }

  /** The part of both that no report told. */
  get missedBytes(): number {
    return this.#past.missedBytes;
  }

  /** For how long no message could arrive while it lived, in ms, by the source that was deaf longest. */
  get gapMs(): number {
    return this.#past.gapMs;
  }

  /** Every byte of the allocations that are closed is accounted for. */
  get complete(): boolean {
    return this.#past.complete;
  }

  /** One of them told of its peers. */
  get reportsPeer(): boolean {
    return this.#past.reportsPeer;
  }

  /** Its past, to be changed. */
  #ownPast(): Past {
    if (this.#past === NO_PAST) this.#past = { ...NO_PAST };
    return this.#past;
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
    if (!allocation.suspect) this.noteTrusted(allocation.account);
  }

  /** One of its live allocations became suspect. */
  noteSuspect(): void {
    own(this).trustedAllocations -= 1;
    if (this.trustedAllocations === 0) this.hide();
  }

  /** One of its live allocations is not suspect, or not any more. */
  noteTrusted(account: ServerAccount): void {
    own(this).trustedAllocations += 1;
    this.#show(account);
  }

  /** A status message told that an allocation is on another server than it was thought to be. */
  noteMove(from: ServerAccount, to: ServerAccount): void {
    if (this.shownOn !== from) return;
    from.changeSessions(-1);
    to.changeSessions(1);
    own(this).shownOn = to;
  }

  /** It is in the live gauges. */
  get isShown(): boolean {
    return this.shownOn !== undefined;
  }

  /** Leaves the live gauges. */
  hide(): void {
    const { shownOn } = this;
    if (shownOn === undefined) return;
    own(this).shownOn = undefined;
    if (shownOn !== 'none') shownOn.changeSessions(-1);
    this.account.changeLive(this.relayedSoFar, -1);
    this.user.changeLive(-1);
  }

  #show(on: ServerAccount | 'none'): void {
    if (this.isShown) return;
    own(this).shownOn = on;
    if (on !== 'none') on.changeSessions(1);
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
    this.#ownPast().adoptedAllocations += 1;
  }

  /** An allocation was found by a scan before its start was heard, and nothing of it was missed. */
  noteLateStart(): void {
    // One of an earlier process is not counted as adopted.
    if (this.adoptedAllocations > 0) this.#ownPast().adoptedAllocations -= 1;
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
    if (endedAtMs > this.endedAtMs) this.#ownPast().endedAtMs = endedAtMs;
  }

  /** Takes in for how long the source of one of its allocations was deaf, until that ended if it has. */
  noteGaps({ origin, endReason, endedAtMs }: Allocation): void {
    const untilMs = endReason === undefined ? Number.POSITIVE_INFINITY : endedAtMs;
    const deafMs = Math.round(origin.deafMs(this.startedAtMs, untilMs));
    const gapMs = this.#past.earlierGapMs + deafMs;
    if (gapMs > this.gapMs) this.#ownPast().gapMs = gapMs;
  }

  /** Takes over the sums of an allocation that will hear no more. */
  close(allocation: Allocation, settlement: Settlement): void {
    const { client, peer, missedClient, missedPeer } = settlement;
    this.noteGaps(allocation);
    this.#open = removeFrom(this.#open, allocation);
    const past = this.#ownPast();
    past.client = sumTraffic(past.client, client);
    past.peer = sumTraffic(past.peer, peer);
    past.missedBytes = addWhole(past.missedBytes, bytesOf(missedClient) + bytesOf(missedPeer));
    if (allocation.endReason === 'shutdown') past.cutOff = addCutOff(past.cutOff, settlement);
    if (!settlement.complete) past.complete = false;
    const { reportsPeer, expectsPeer, endReason } = allocation;
    if (reportsPeer) past.reportsPeer = true;
    const { isRelayed } = this.account;
    if (bytesOf(peer) > 0) this.notePeer(isRelayed(peer, 'peer'));
    else if (!(reportsPeer || expectsPeer) && isRelayed(client, 'client')) this.notePeer(true);
    const bytes = bytesOf(client);
    if (endReason === undefined || bytes < past.mostBytes) return;
    past.mostBytes = bytes;
    past.endReason = endReason;
  }

  /** Whether the relay was needed (design, rule 9). Call it when all allocations are closed. */
  get relayed(): Relayed {
    if (this.relayedSoFar === 'true') return 'true';
    return bytesOf(this.peer) > 0 || this.complete ? 'false' : 'unknown';
  }

  /** Client-side bytes so far, of closed and open allocations together. */
  clientBytes(): { received: number; sent: number } {
    const { received, sent } = this.openBytes(0, this.open.length);
    return { received: received + this.client.receivedBytes, sent: sent + this.client.sentBytes };
  }

  /** The same of open allocations only, those from one place in {@link open} up to another. */
  openBytes(from: number, to: number): { received: number; sent: number } {
    let received = 0;
    let sent = 0;
    const open = listOf(this.#open);
    for (let at = from; at < Math.min(to, open.length); at += 1) {
      const { page, offset } = open[at] as Allocation;
      received += page[offset + CLIENT + 1] ?? 0;
      sent += page[offset + CLIENT + 3] ?? 0;
    }
    return { received, sent };
  }
}

function addCutOff(before: CutOff | undefined, { client, peer }: Settlement): CutOff {
  return {
    allocations: (before?.allocations ?? 0) + 1,
    client: sumTraffic(before?.client ?? NOTHING, client),
    peer: sumTraffic(before?.peer ?? NOTHING, peer),
  };
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

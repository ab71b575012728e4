import { addressOf } from '../coturn/connection.ts';
import type { Connection, TlsVersion, Transport } from '../coturn/event.ts';
import { copyText, parseStatsKey } from '../coturn/key.ts';
import type { Waiting } from './deadlines.ts';
import { offsetOf } from './key-table.ts';
import { type EndReason, type Link, NO_LINK, type ServerAccount } from './ledger.ts';
import type { Origin } from './origin.ts';
import type { SavedAllocation } from './saved-session.ts';
import type { Session } from './session.ts';
import { own } from './source-stats.ts';
import {
  ACCOUNT,
  addTrafficAt,
  bytesOf,
  CLIENT,
  LAST_EVENT,
  LAST_PROOF,
  NOTHING,
  PEER,
  PEER_SEEN,
  type Side,
  SUSPECT,
  sumTraffic,
  type Traffic,
  type TrafficNumbers,
  trafficAt,
  trafficOf,
} from './traffic.ts';
import { type Hide, hideUser } from './user.ts';

/** The lifetime of an allocation whose status was never seen, in ms (RFC 8656 §3.2: 10 minutes). */
export const DEFAULT_LIFETIME_MS = 600_000;

/**
 * How long after its lifetime an allocation still counts as live, in ms. coturn ends a session by a
 * timer of 60 s at the latest (seen with mobility: `deleted` 48 s after `lifetime=0`).
 */
export const EXPIRY_GRACE_MS = 75_000;

/** What an allocation starts with. */
export interface AllocationInit {
  readonly origin: Origin;
  readonly session: Session;
  readonly account: ServerAccount;
  /** Of its key among the allocations of its origin. */
  readonly address: number;
  /** Its `new` was seen, so its reports are known from the first. */
  readonly startKnown: boolean;
  readonly contested: boolean;
  readonly nowMs: number;
}

/** What an allocation has only once it has ended, is suspect, or was restored. */
interface Rest {
  endReason: EndReason | undefined;
  endedAtMs: number;
  contested: boolean;
  /** Since when it would have been heard, in ms: nobody listened before. */
  watchedSinceMs: number;
  clientTotal: Traffic | undefined;
  peerTotal: Traffic | undefined;
  held: Traffic | undefined;
  /** Its key where names are hidden, once it was asked for. */
  hiddenKey: string;
}

/** Most have none of it, and share this one: a field costs eight bytes of each. */
const NO_REST: Readonly<Rest> = {
  endReason: undefined,
  endedAtMs: 0,
  contested: false,
  watchedSinceMs: 0,
  clientTotal: undefined,
  peerTotal: undefined,
  held: undefined,
  hiddenKey: '',
};

/** One relayed transport address of one client, from its proof to the end of its linger. */
export class Allocation implements Waiting {
  // These belong to the deadlines it waits in, and to its session.
  previous: Waiting | undefined = undefined;
  next: Waiting | undefined = undefined;
  slot = 0;

  readonly origin: Origin;
  readonly session: Session;
  /** Where its traffic is counted; changes when a status message tells the server. */
  readonly account: ServerAccount;
  #link: Link = NO_LINK;

  readonly startedAtMs: number;
  readonly lifetimeMs: number = DEFAULT_LIFETIME_MS;
  readonly startKnown: boolean;
  /** Number of the last scan that found its status key. */
  readonly foundBy: number = 0;
  /** How many scans had begun when its last status message came; -1 when none came yet. */
  readonly statusAfter: number = -1;
  /** How many gaps its origin had when it began; -1 when it came from an earlier process. */
  readonly gapsAtStart: number;
  /** What reports change stands here, at {@link offset}; not its own any more once it is closed. */
  readonly page: Float64Array;
  readonly address: number;
  #rest: Rest = NO_REST;

  constructor(init: AllocationInit) {
    this.origin = init.origin;
    this.session = init.session;
    this.account = init.account;
    this.address = init.address;
    this.page = init.origin.allocations.pageOf(init.address);
    this.page[this.offset + ACCOUNT] = init.account.number;
    this.startKnown = init.startKnown;
    if (init.contested) this.#ownRest().contested = true;
    this.startedAtMs = init.nowMs;
    this.page[this.offset + LAST_EVENT] = init.nowMs;
    this.page[this.offset + LAST_PROOF] = init.nowMs;
    this.gapsAtStart = init.origin.gaps;
  }

  /**
   * Takes over what an earlier process knew of it. Events were lost meanwhile, so only totals can
   * make it complete.
   *
   * @param when on the tracker's scale, in ms
   */
  restore(
    known: SavedAllocation,
    when: { readonly lastEventMs: number; readonly endedAtMs: number; readonly nowMs: number },
  ): void {
    const self = own(this);
    this.#link = this.account.linkOf(known);
    self.lifetimeMs = known.lifetimeMs;
    self.gapsAtStart = -1;
    Object.assign(this.#ownRest(), {
      endReason: known.endReason ?? undefined,
      endedAtMs: when.endedAtMs,
      watchedSinceMs: when.nowMs,
      clientTotal: totalOf(known.clientTotal),
      peerTotal: totalOf(known.peerTotal),
      held: totalOf(known.held),
    });
    const { page, offset } = this;
    page.set(known.client, offset + CLIENT);
    page.set(known.peer, offset + PEER);
    page[offset + LAST_EVENT] = when.lastEventMs;
    page[offset + LAST_PROOF] = when.lastEventMs;
    page[offset + PEER_SEEN] = known.reportsPeer ? 1 : 0;
    page[offset + SUSPECT] = known.suspect ? 1 : 0;
  }

  /** Its key without the topic. */
  get key(): string {
    return this.origin.allocations.keyOf(this.address);
  }

  get offset(): number {
    return offsetOf(this.address);
  }

  get transport(): Transport {
    return this.#link.transport;
  }

  get tls(): TlsVersion {
    return this.#link.tls;
  }

  /** `address:port` of the server as of the last status; empty before coturn 4.6.0. */
  get local(): string {
    return this.#link.local;
  }

  /** coturn 4.6.0 and later tell the connection, and always report the peer side. */
  get expectsPeer(): boolean {
    return this.#link.expectsPeer;
  }

  /** Set once: it lives while this is undefined, and lingers after. */
  get endReason(): EndReason | undefined {
    return this.#rest.endReason;
  }

  get endedAtMs(): number {
    return this.#rest.endedAtMs;
  }

  /** Another `new` took its key while it lived, or it took another's: totals may be of the other. */
  get contested(): boolean {
    return this.#rest.contested;
  }

  /** What coturn said of all its client-side traffic. */
  get clientTotal(): Traffic | undefined {
    return this.#rest.clientTotal;
  }

  /** The same of the peer side, modulo 2^32. */
  get peerTotal(): Traffic | undefined {
    return this.#rest.peerTotal;
  }

  /** Client-side reports since it became suspect, which may be of somebody else (design, rule 7). */
  get held(): Traffic | undefined {
    return this.#rest.held;
  }

  /** What it has that most have not, to be changed. */
  #ownRest(): Rest {
    if (this.#rest === NO_REST) this.#rest = { ...NO_REST };
    return this.#rest;
  }

  /** It may be gone, and nothing has proven that it lives (design, rule 7). */
  get suspect(): boolean {
    return this.page[this.offset + SUSPECT] === 1;
  }

  /** A peer report or total was seen, so zero on the peer side means that nothing was relayed. */
  get reportsPeer(): boolean {
    return (this.page[this.offset + PEER_SEEN] ?? 0) > 0;
  }

  /** When it was last proven to live, in ms: by a status, a total, or traffic of a peer. */
  get lastProofMs(): number {
    return this.page[this.offset + LAST_PROOF] ?? 0;
  }

  /** When it was last heard of, in ms. */
  get lastEventMs(): number {
    return this.page[this.offset + LAST_EVENT] ?? 0;
  }

  /** Sum of its client-side reports. */
  get client(): Traffic {
    return trafficAt(this.page, this.offset + CLIENT);
  }

  /** Sum of its peer-side reports. */
  get peer(): Traffic {
    return trafficAt(this.page, this.offset + PEER);
  }

  /** When it expires unless something is heard of it, in ms. */
  get expiresAtMs(): number {
    return (
      Math.max(this.lastEventMs, this.#rest.watchedSinceMs) + this.lifetimeMs + EXPIRY_GRACE_MS
    );
  }

  /** A scan found its key, and no message has spoken of it yet. */
  get isOnlyFound(): boolean {
    return (
      this.endReason === undefined &&
      !this.startKnown &&
      this.foundBy > 0 &&
      this.statusAfter < 0 &&
      this.lastEventMs === this.startedAtMs
    );
  }

  /** It is proven to live, whatever a scan or a start of its server said. */
  prove(nowMs: number): void {
    this.page[this.offset + LAST_EVENT] = nowMs;
    this.page[this.offset + LAST_PROOF] = nowMs;
    this.account.total.hear(nowMs);
    this.trust();
  }

  /**
   * It may be gone: it leaves the live gauges until there is proof. What comes under its key and
   * proves nothing is kept apart, since its server may have given the id to somebody who claims its
   * user's name.
   */
  suspectGone(): void {
    if (this.suspect || this.endReason !== undefined) return;
    this.page[this.offset + SUSPECT] = 1;
    this.account.changeLive(this.transport, -1);
    this.session.noteSuspect();
  }

  /** It is not suspect any more, if it was: what was held was its own. */
  trust(): void {
    if (!this.suspect) return;
    this.page[this.offset + SUSPECT] = 0;
    if (this.endReason === undefined) {
      this.account.changeLive(this.transport, 1);
      this.session.noteTrusted(this.account);
    }
    const held = this.takeHeld();
    if (held !== undefined) this.report(CLIENT, held);
  }

  /** Keeps a client-side report apart while it is suspect. */
  hold(traffic: Traffic): void {
    this.#ownRest().held = sumTraffic(this.held ?? NOTHING, traffic);
  }

  /** Gives out what was kept apart. */
  takeHeld(): Traffic | undefined {
    const { held } = this;
    if (held !== undefined) this.#ownRest().held = undefined;
    return held;
  }

  /** Its status key was found by this scan. */
  noteFound(scan: number): void {
    own(this).foundBy = scan;
  }

  /** A status message came for it. */
  noteStatus(): void {
    own(this).statusAfter = this.origin.keys.scans;
  }

  /** Its `new` came after a scan had found its key: nothing of it was missed. */
  noteLateStart(): void {
    own(this).startKnown = true;
    this.session.noteLateStart();
  }

  /** Another allocation takes its key. */
  noteContest(): void {
    this.#ownRest().contested = true;
  }

  /** Takes over what a status message tells, before it is counted as live. */
  describe(lifetimeSeconds: number, connection: Connection | undefined): void {
    own(this).lifetimeMs = lifetimeSeconds * 1000;
    if (connection === undefined) return;
    this.#link = this.account.linkOf({ ...connection, expectsPeer: true });
  }

  /** Moves to another account, with what a status message tells of it now. */
  redescribe(
    account: ServerAccount,
    status: { readonly lifetimeSeconds: number; readonly connection?: Connection },
  ): void {
    const before = this.account;
    before.changeLive(this.transport, -1);
    own(this).account = account;
    this.page[this.offset + ACCOUNT] = account.number;
    this.describe(status.lifetimeSeconds, status.connection);
    account.changeLive(this.transport, 1);
    this.session.noteMove(before, account);
  }

  /** Joins its session, and counts as live unless it has ended. */
  enter(): void {
    if (this.endReason === undefined && !this.suspect) this.account.changeLive(this.transport, 1);
    this.session.join(this);
    if (bytesOf(this.peer) > 0) this.notePeer();
  }

  /** Tells its session how it is connected. */
  noteConnection(connection: Connection | undefined, hide?: Hide): void {
    const { session, account, transport, tls } = this;
    const address = connection === undefined ? '' : copyText(addressOf(connection.remote));
    const client = address === '' || hide === undefined ? address : hide(address);
    session.note({ server: account.server, transport, tls, client });
  }

  /** Its key as it is outside of this process. */
  shownKey(hide: Hide | undefined): string {
    if (hide === undefined) return this.key;
    if (this.#rest.hiddenKey === '') {
      const key = parseStatsKey(`${this.key}/status`);
      if (key.ok) this.#ownRest().hiddenKey = hideUser(key, hide);
    }
    return this.#rest.hiddenKey;
  }

  /** An earlier process saved it under a key that hides its user. */
  noteHidden(): void {
    this.#ownRest().hiddenKey = this.key;
    this.origin.hidden.add(this.key);
  }

  /** Its key is known again, of which only the hidden one was. */
  recognise(key: string): void {
    const { hidden, allocations } = this.origin;
    hidden.delete(this.key);
    own(this).address = allocations.rename(this, key);
    own(this).page = allocations.pageOf(this.address);
    allocations.add(this);
  }

  /** Adds a report to its sums and to the counters. */
  report(side: Side, traffic: Traffic, nowMs: number = this.lastEventMs): void {
    const { page, offset } = this;
    addTrafficAt(page, offset + side, traffic);
    addTrafficAt(this.account.sums, side, traffic);
    page[offset + LAST_EVENT] = nowMs;
    if (side === PEER) this.notePeer();
  }

  /** Peers were reported: it may be known now that the relay is needed. */
  notePeer(): void {
    const { page, offset } = this;
    const { peer } = this;
    const relayed = this.session.account.isRelayed(peer, 'peer');
    page[offset + PEER_SEEN] = relayed ? 2 : 1;
    if (bytesOf(peer) > 0) this.session.notePeer(relayed);
  }

  /** Keeps what coturn says of all its traffic, to be compared when it is closed. */
  noteTotal(side: Side, total: Traffic): void {
    if (side === CLIENT) {
      this.#ownRest().clientTotal = total;
      return;
    }
    this.#ownRest().peerTotal = total;
    if (!this.reportsPeer) this.page[this.offset + PEER_SEEN] = 1;
  }

  /** Ends it, if it lives: it leaves the gauges, and lingers from now on. */
  end(reason: EndReason, endedAtMs: number): void {
    Object.assign(this.#ownRest(), { endReason: reason, endedAtMs });
    this.account.countClosed(reason);
    if (!this.suspect) this.account.changeLive(this.transport, -1);
    this.session.noteEnd(this);
  }
}

/** Null in a state file is none. */
function totalOf(saved: TrafficNumbers | null): Traffic | undefined {
  return saved === null ? undefined : trafficOf(saved);
}

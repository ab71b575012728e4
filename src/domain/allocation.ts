import type { Connection, TlsVersion, Transport } from '../coturn/event.ts';
import type { IndexRow } from './allocation-index.ts';
import type { Waiting } from './deadlines.ts';
import type { EndReason, ServerAccount } from './ledger.ts';
import type { Origin } from './origin.ts';
import { type SavedAllocation, savedTraffic } from './saved-session.ts';
import type { Session } from './session.ts';
import { type Settlement, settle } from './settlement.ts';
import type { Traffic } from './traffic.ts';
import { ACCOUNT, CLIENT, LAST_EVENT, PEER, REPORTS_PEER, SUSPECT, trafficAt } from './traffic.ts';

/** The lifetime of an allocation whose status was never seen, in ms (RFC 8656 §3.2: 10 minutes). */
export const DEFAULT_LIFETIME_MS = 600_000;

/**
 * How long after its lifetime an allocation still counts as live, in ms. coturn ends a session by a
 * timer of 60 s at the latest (seen with mobility: `deleted` 48 s after `lifetime=0`).
 */
export const EXPIRY_GRACE_MS = 75_000;

/** One relayed transport address of one client, from its proof to the end of its linger. */
export class Allocation implements Waiting {
  previous: Waiting | undefined = undefined;
  next: Waiting | undefined = undefined;

  /** Its key without the topic. */
  readonly key: string;
  readonly origin: Origin;
  readonly session: Session;
  /** Its place in `session.open`. */
  slot = 0;
  #account: ServerAccount;
  transport: Transport = 'unknown';
  tls: TlsVersion = 'unknown';
  /** `address:port` of the server as of the last status; empty before coturn 4.6.0. */
  local = '';

  readonly startedAtMs: number;
  lifetimeMs: number = DEFAULT_LIFETIME_MS;
  /** Set once: it lives while this is undefined, and lingers after. */
  endReason: EndReason | undefined = undefined;
  endedAtMs = 0;

  /** Its `new` was seen, so its reports are known from the first. */
  startKnown: boolean;
  /** Another `new` took its key while it lived, or it took another's: totals may be of the other. */
  contested: boolean;
  /** Number of the last scan that found its status key. */
  foundBy = 0;
  /** How many scans had begun when its last status message came; -1 when none came yet. */
  statusAfter = -1;
  /** coturn 4.6.0 and later tell the connection, and always report the peer side. */
  expectsPeer = false;
  #gapsAtStart: number;
  /** Since when it would have been heard, in ms: nobody listened before. */
  #watchedSinceMs = 0;

  /** What reports change; not its own any more once it is settled. */
  readonly row: IndexRow;
  clientTotal: Traffic | undefined = undefined;
  /** Modulo 2^32. */
  peerTotal: Traffic | undefined = undefined;

  constructor(init: AllocationInit) {
    this.key = init.key;
    this.origin = init.origin;
    this.session = init.session;
    this.row = init.row;
    this.#account = init.account;
    this.row.page[this.row.offset + ACCOUNT] = init.account.number;
    this.startKnown = init.startKnown;
    this.contested = init.contested;
    this.startedAtMs = init.nowMs;
    this.lastEventMs = init.nowMs;
    this.#gapsAtStart = init.origin.gaps;
  }

  /**
   * Takes over what an earlier process knew of it. Events were lost meanwhile, so only totals can
   * make it complete.
   */
  restore(
    saved: SavedAllocation,
    { wallOffsetMs, nowMs }: { readonly wallOffsetMs: number; readonly nowMs: number },
  ): void {
    this.#watchedSinceMs = nowMs;
    this.transport = saved.transport;
    this.tls = saved.tls;
    this.local = saved.local;
    this.lifetimeMs = saved.lifetimeMs;
    this.endReason = saved.endReason ?? undefined;
    this.endedAtMs = saved.endReason === null ? 0 : saved.endedAtMs - wallOffsetMs;
    this.expectsPeer = saved.expectsPeer;
    this.reportsPeer = saved.reportsPeer;
    this.clientTotal = saved.clientTotal === null ? undefined : savedTraffic(saved.clientTotal);
    this.peerTotal = saved.peerTotal === null ? undefined : savedTraffic(saved.peerTotal);
    this.lastEventMs = saved.lastEventMs - wallOffsetMs;
    this.row.page.set([...saved.client, ...saved.peer], this.row.offset);
    this.#gapsAtStart = -1;
  }

  /** Where its traffic is counted; changes when a status message tells the server. */
  get account(): ServerAccount {
    return this.#account;
  }

  set account(account: ServerAccount) {
    this.#account = account;
    this.row.page[this.row.offset + ACCOUNT] = account.number;
  }

  /** Its status key was missing, and nothing was heard since (design, rule 7). */
  get suspect(): boolean {
    return this.row.page[this.row.offset + SUSPECT] === 1;
  }

  set suspect(isSuspect: boolean) {
    this.row.page[this.row.offset + SUSPECT] = isSuspect ? 1 : 0;
  }

  /** A peer report or total was seen, so zero on the peer side means that nothing was relayed. */
  get reportsPeer(): boolean {
    return this.row.page[this.row.offset + REPORTS_PEER] === 1;
  }

  set reportsPeer(isReported: boolean) {
    this.row.page[this.row.offset + REPORTS_PEER] = isReported ? 1 : 0;
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

  /** Its `new` came after a scan had found its key: nothing of it was missed. */
  beginLate(): void {
    this.startKnown = true;
    if (this.session.allocationCount === 1) this.session.startKnown = true;
  }

  /** When it was last heard of, in ms. */
  get lastEventMs(): number {
    return this.row.page[this.row.offset + LAST_EVENT] ?? 0;
  }

  set lastEventMs(nowMs: number) {
    this.row.page[this.row.offset + LAST_EVENT] = nowMs;
  }

  /** Sum of its client-side reports. */
  get client(): Traffic {
    return trafficAt(this.row.page, this.row.offset + CLIENT);
  }

  /** Sum of its peer-side reports. */
  get peer(): Traffic {
    return trafficAt(this.row.page, this.row.offset + PEER);
  }

  /** When it expires unless something is heard of it, in ms. */
  get expiresAtMs(): number {
    return Math.max(this.lastEventMs, this.#watchedSinceMs) + this.lifetimeMs + EXPIRY_GRACE_MS;
  }

  /** Takes over what a status message tells. */
  describe(lifetimeSeconds: number, connection: Connection | undefined): void {
    this.lifetimeMs = lifetimeSeconds * 1000;
    if (connection === undefined) return;
    this.transport = connection.transport;
    this.tls = connection.tls;
    this.local = this.account.endpoint(connection.local);
    this.expectsPeer = true;
  }

  /** Its reports were heard from the first to the last, as far as anybody can tell. */
  get isUnbroken(): boolean {
    return this.startKnown && this.#gapsAtStart === this.origin.gaps;
  }

  /** Compares reports and totals at the end of the linger (design, rules 1, 2 and 6). */
  settle(): Settlement {
    return settle(this);
  }
}

/** What an allocation starts with. */
export interface AllocationInit {
  readonly key: string;
  readonly origin: Origin;
  readonly session: Session;
  readonly account: ServerAccount;
  readonly row: IndexRow;
  readonly startKnown: boolean;
  readonly contested: boolean;
  readonly nowMs: number;
}

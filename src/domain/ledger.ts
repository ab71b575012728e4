import type { IpFamily, TlsVersion, Transport } from '../coturn/event.ts';
import { copyText } from '../coturn/key.ts';
import { LiveCounts } from './live-counts.ts';
import { createRelayedRule, type Relayed, type RelayedRule } from './relayed.ts';
import { own } from './source-stats.ts';
import type { Traffic } from './traffic.ts';
import { CLIENT, PEER, TRAFFIC_LENGTH, trafficAt, UNALLOCATED } from './traffic.ts';
import { labelOf } from './user.ts';

/** How an allocation ended; the `reason` label (design, rule 5). */
export const END_REASONS = [
  'deleted',
  'expired',
  'vanished',
  'superseded',
  'restarted',
  'shutdown',
] as const;
export type EndReason = (typeof END_REASONS)[number];

/** The label of realms and servers beyond their cap. */
export const OVERFLOW = '~other';

/**
 * The most `server` labels. Servers are the operator's and few; the cap only keeps a publisher that
 * invents addresses from making series without end.
 */
export const MAX_SERVERS = 1000;

/**
 * The most pairs of a realm and a server. Each makes two dozen series, and a thousand servers that
 * serve all realms would make more than Prometheus wants of one target.
 */
export const MAX_PAIRS = 10_000;

/** How many allocations of one kind were created. */
export interface CreatedCount {
  readonly transport: Transport;
  readonly tls: TlsVersion;
  readonly ipFamily: IpFamily;
  count: number;
}

/** How an allocation's client is connected to its server. */
export interface Link {
  readonly transport: Transport;
  readonly tls: TlsVersion;
  /** `address:port` of the server; empty before coturn 4.6.0. */
  readonly local: string;
  /** The server reports the peer side as well: all that tell the connection do. */
  readonly expectsPeer: boolean;
}

/** Nothing is known of it yet. */
export const NO_LINK: Link = {
  transport: 'unknown',
  tls: 'unknown',
  local: '',
  expectsPeer: false,
};

/** The most ways of being connected that an account shares among allocations. */
const MAX_LINKS = 64;

/** What all realms have on one server together: kept, since a thousand servers have many pairs. */
export class ServerTotal {
  readonly server: string;
  /** Live allocations of all transports. */
  readonly liveAllocations: number = 0;
  /** When its newest message of an allocation came, in ms; 0 before the first. */
  readonly lastEventMs: number = 0;

  constructor(server: string) {
    this.server = server;
  }

  /** Moves the number of live allocations by one. */
  changeLive(by: 1 | -1): void {
    own(this).liveAllocations += by;
  }

  /** A message of an allocation came. */
  hear(nowMs: number): void {
    own(this).lastEventMs = nowMs;
  }
}

/** What is counted for one realm on one server. Numbers grow only, but for `live`. */
export class ServerAccount {
  /** Its place in {@link Ledger.account}. */
  readonly number: number;
  readonly realm: string;
  readonly total: ServerTotal;
  /** Client side, peer side and unallocated, each in the order of `Traffic`. */
  readonly sums: Float64Array = new Float64Array(3 * TRAFFIC_LENGTH);
  readonly created: CreatedCount[] = [];
  readonly closed: Record<EndReason, number> = zeroReasons();
  readonly refreshes: number = 0;
  /** Live sessions that began here. */
  readonly liveSessions: number = 0;
  readonly #live: LiveCounts;
  readonly #links: Link[] = [];

  constructor(
    number: number,
    realm: string,
    { total, live }: { readonly total: ServerTotal; readonly live: LiveCounts },
  ) {
    this.number = number;
    this.realm = realm;
    this.total = total;
    this.#live = live;
  }

  /** The `server` label. */
  get server(): string {
    return this.total.server;
  }

  /** Live allocations by transport, of every transport that was ever seen here. */
  get live(): [transport: Transport, count: number][] {
    return this.#live.of(this.number);
  }

  /** Counts an allocation that has ended. */
  countClosed(reason: EndReason): void {
    this.closed[reason] += 1;
  }

  /** Between clients and coturn, of allocations. */
  get client(): Traffic {
    return trafficAt(this.sums, CLIENT);
  }

  /** Between peers and coturn, of allocations. */
  get peer(): Traffic {
    return trafficAt(this.sums, PEER);
  }

  /** Of clients that never held an allocation. */
  get unallocated(): Traffic {
    return trafficAt(this.sums, UNALLOCATED);
  }

  /**
   * How allocations are connected: one object for all that are so in the same way. Not where many
   * servers are one: to look for it among their endpoints took longer than all else of an allocation.
   */
  linkOf({ transport, tls, local, expectsPeer }: Link): Link {
    if (this.server === OVERFLOW) return { transport, tls, local: copyText(local), expectsPeer };
    const known = this.#links.find(
      (link) =>
        link.transport === transport &&
        link.tls === tls &&
        link.local === local &&
        link.expectsPeer === expectsPeer,
    );
    if (known !== undefined) return known;
    const link = { transport, tls, local: copyText(local), expectsPeer };
    // A server has few endpoints; who invents others gets no more of our time.
    if (this.#links.length < MAX_LINKS) this.#links.push(link);
    return link;
  }

  /** Moves the number of live sessions by one. */
  changeSessions(by: 1 | -1): void {
    own(this).liveSessions += by;
  }

  /** Moves the number of live allocations of `transport` by one. */
  changeLive(transport: Transport, by: 1 | -1): void {
    this.#live.change(this.number, transport, by);
    this.total.changeLive(by);
  }

  /** Counts a refresh of an allocation. */
  countRefresh(): void {
    own(this).refreshes += 1;
  }

  /** Counts an allocation that was created or adopted. */
  countCreated(transport: Transport, tls: TlsVersion, ipFamily: IpFamily): void {
    const known = this.created.find(
      (entry) => entry.transport === transport && entry.tls === tls && entry.ipFamily === ipFamily,
    );
    if (known) known.count += 1;
    else this.created.push({ transport, tls, ipFamily, count: 1 });
  }
}

/** What is counted for one realm, over all servers. */
export class RealmAccount {
  readonly realm: string;
  /** Live sessions, by what is known now of their need of the relay. */
  readonly live: Record<Relayed, number> = { true: 0, false: 0, unknown: 0 };
  /** Finished sessions by whether they relayed, and by reason. */
  readonly finished: Readonly<Record<Relayed, Record<EndReason, number>>> = {
    true: zeroReasons(),
    false: zeroReasons(),
    unknown: zeroReasons(),
  };
  readonly servers: Map<string, ServerAccount> = new Map();
  /** Tells whether its allocations relayed. */
  readonly isRelayed: RelayedRule;

  constructor(realm: string, isRelayed: RelayedRule) {
    this.realm = realm;
    this.isRelayed = isRelayed;
  }

  /** Live sessions: those that are not recorded yet and not all suspect. */
  get liveSessions(): number {
    return this.live.true + this.live.false + this.live.unknown;
  }

  /** Moves the number of live sessions by one. */
  changeLive(relayed: Relayed, by: 1 | -1): void {
    this.live[relayed] += by;
  }

  /** Counts a session that has finished. */
  countFinished(relayed: Relayed, reason: EndReason): void {
    this.finished[relayed][reason] += 1;
  }
}

/** Every counter that has a realm or a server, within caps on both. */
export class Ledger {
  readonly #realms = new Map<string, RealmAccount>();
  readonly #accounts: ServerAccount[] = [];
  readonly #live = new LiveCounts();
  readonly #servers = new Map<string, ServerTotal>();
  /** Of all servers and pairs that have no label of their own. */
  readonly #otherServers = new ServerTotal(OVERFLOW);
  readonly #maxRealms: number;
  readonly #isRelayed: RelayedRule;

  /** @param maxRealms the most realm labels; all further realms share {@link OVERFLOW} */
  constructor(maxRealms: number, isRelayed: RelayedRule = createRelayedRule()) {
    this.#maxRealms = maxRealms;
    this.#isRelayed = isRelayed;
  }

  /** All realms seen so far. */
  realms(): IterableIterator<RealmAccount> {
    return this.#realms.values();
  }

  /** All servers seen so far that have a label of their own, by that. */
  get servers(): ReadonlyMap<string, ServerTotal> {
    return this.#servers;
  }

  /** The account of this number. */
  account(number: number): ServerAccount {
    // Numbers come from accounts, which are never taken out.
    return this.#accounts[number] as ServerAccount;
  }

  /** How many allocations live now. */
  countLive(): number {
    let count = this.#otherServers.liveAllocations;
    for (const { liveAllocations } of this.#servers.values()) count += liveAllocations;
    return count;
  }

  /** The live allocations of each account, by its number, as they are at this moment. */
  copyLive(): LiveCounts {
    return this.#live.copy();
  }

  /** The account of a realm as published; new ones beyond the cap share one. */
  realm(realm: string): RealmAccount {
    let label = labelOf(realm);
    if (!this.#realms.has(label) && this.#realms.size >= this.#maxRealms) label = OVERFLOW;
    let account = this.#realms.get(label);
    if (account === undefined) {
      account = new RealmAccount(label, this.#isRelayed);
      this.#realms.set(label, account);
    }
    return account;
  }

  /** The account of a realm on a server; new pairs beyond the cap share one in each realm. */
  server(realm: RealmAccount, server: string): ServerAccount {
    let total = this.#totalOf(server);
    const isOver = !realm.servers.has(total.server) && this.#accounts.length >= MAX_PAIRS;
    if (isOver) total = this.#otherServers;
    let account = realm.servers.get(total.server);
    if (account === undefined) {
      const number = this.#accounts.length;
      account = new ServerAccount(number, realm.realm, { total, live: this.#live });
      this.#accounts.push(account);
      realm.servers.set(total.server, account);
    }
    return account;
  }

  #totalOf(server: string): ServerTotal {
    const label = labelOf(server);
    if (label === OVERFLOW) return this.#otherServers;
    const known = this.#servers.get(label);
    if (known !== undefined) return known;
    if (this.#servers.size >= MAX_SERVERS) return this.#otherServers;
    const total = new ServerTotal(label);
    this.#servers.set(label, total);
    return total;
  }
}

function zeroReasons(): Record<EndReason, number> {
  return { deleted: 0, expired: 0, vanished: 0, superseded: 0, restarted: 0, shutdown: 0 };
}

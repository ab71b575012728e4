import { EVENT_KINDS, type EventKind } from '../coturn/event.ts';
import { addTraffic, createTraffic, isZero, type MutableTraffic, type Traffic } from './traffic.ts';

/** What happened for one realm, one server, or one realm on one server. */
export interface Tally {
  /** Published deltas of allocations, client side. */
  readonly client: MutableTraffic;
  /** Published deltas of allocations, peer side. */
  readonly peer: MutableTraffic;
  /** Published deltas of clients that never held an allocation. */
  readonly unallocated: MutableTraffic;
  /** Relayed but never published, client side: a server stopped before it told. */
  readonly lostClient: MutableTraffic;
  /** Relayed but never published, peer side. */
  readonly lostPeer: MutableTraffic;
  /** Allocations announced with `new`. */
  allocations: number;
  /** Allocations whose end was never published. */
  lostAllocations: number;
  refreshes: number;
}

/** One realm on one server. */
interface AccountTruth extends Tally {
  readonly realm: string;
  readonly server: string;
}

/** One realm over all servers. */
export interface RealmTruth extends Tally {
  readonly realm: string;
  /** Calls of which at least one allocation existed and none is left. */
  readonly sessions: number;
}

/** One server over all realms. */
interface ServerTruth extends Tally {
  /** Its address, also where its connections come from. */
  readonly server: string;
  readonly flavour: string;
  readonly crashes: number;
}

/** One finished call as a session record should tell it: what was published of its allocations. */
export interface SessionTruth {
  readonly realm: string;
  /** The user id inside the REST usernames of both ends. */
  readonly user: string;
  /** Simulated ms of the first `new` and of the last end. */
  readonly startMs: number;
  readonly endMs: number;
  readonly allocations: number;
  /** Some of its allocations were lost in a crash. */
  readonly crashed: boolean;
  readonly client: Traffic;
  readonly peer: Traffic;
}

/** All that a simulated fleet has published, to compare with what somebody else made of it. */
export interface Truth {
  readonly seed: number;
  readonly simulatedSeconds: number;
  /** Messages published, by meaning. */
  readonly events: Readonly<Record<EventKind, number>>;
  readonly calls: CallCounts;
  readonly realms: readonly RealmTruth[];
  readonly servers: readonly ServerTruth[];
  readonly accounts: readonly AccountTruth[];
}

/** What became of the calls that arrived. */
export interface CallCounts {
  started: number;
  /** No user was free, or no server was up. */
  refused: number;
  /** Of those started: media go through the relay. */
  relayed: number;
  /** Of those started: over, with at least one allocation. */
  finished: number;
}

/** A tally of nothing. */
export function createTally(): Tally {
  return {
    client: createTraffic(),
    peer: createTraffic(),
    unallocated: createTraffic(),
    lostClient: createTraffic(),
    lostPeer: createTraffic(),
    allocations: 0,
    lostAllocations: 0,
    refreshes: 0,
  };
}

/** The sum of `tallies`, as a new one. */
export function sumTallies(tallies: Iterable<Tally>): Tally {
  const sum = createTally();
  for (const tally of tallies) {
    addTraffic(sum.client, tally.client);
    addTraffic(sum.peer, tally.peer);
    addTraffic(sum.unallocated, tally.unallocated);
    addTraffic(sum.lostClient, tally.lostClient);
    addTraffic(sum.lostPeer, tally.lostPeer);
    sum.allocations += tally.allocations;
    sum.lostAllocations += tally.lostAllocations;
    sum.refreshes += tally.refreshes;
  }
  return sum;
}

/** Counts published messages by meaning. */
export class EventCounter {
  readonly byKind: Record<EventKind, number>;
  /** All of them together. */
  total = 0;

  constructor() {
    this.byKind = Object.fromEntries(EVENT_KINDS.map((kind) => [kind, 0])) as Record<
      EventKind,
      number
    >;
  }

  count(kind: EventKind): void {
    this.byKind[kind] += 1;
    this.total += 1;
  }
}

/** All events of a truth together. */
export function countEvents(events: Readonly<Record<EventKind, number>>): number {
  return EVENT_KINDS.reduce((sum, kind) => sum + events[kind], 0);
}

/** The truth as a text for people; ends in a line break. */
export function renderTruth(truth: Truth): string {
  const { calls, events } = truth;
  const kinds = Object.entries(events).map(([kind, count]) => `${kind} ${count}`);
  return [
    `${countEvents(events)} events in ${truth.simulatedSeconds.toFixed(1)} simulated seconds, seed ${truth.seed}`,
    `  ${kinds.join(', ')}`,
    `  calls: ${calls.started} started, ${calls.relayed} of them relayed, ${calls.finished} finished, ${calls.refused} refused`,
    ...truth.realms.flatMap((realm) => [
      `realm ${realm.realm}: ${realm.sessions} sessions, ${allocationsText(realm)}`,
      ...tallyLines(realm),
    ]),
    ...truth.servers.flatMap((server) => [
      `server ${server.server} (${server.flavour}): ${server.crashes} crashes, ${allocationsText(server)}`,
      ...tallyLines(server),
    ]),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

function allocationsText({ allocations, lostAllocations, refreshes }: Tally): string {
  return `${allocations} allocations (${lostAllocations} lost), ${refreshes} refreshes`;
}

function tallyLines(tally: Tally): string[] {
  return [
    trafficLine('client side', tally.client),
    trafficLine('peer side', tally.peer),
    trafficLine('unallocated', tally.unallocated),
    ...(isZero(tally.lostClient) && isZero(tally.lostPeer)
      ? []
      : [
          trafficLine('never told, client side', tally.lostClient),
          trafficLine('never told, peer side', tally.lostPeer),
        ]),
  ];
}

function trafficLine(title: string, traffic: Traffic): string {
  const received = `received ${traffic.receivedBytes} bytes in ${traffic.receivedPackets} packets`;
  const sent = `sent ${traffic.sentBytes} bytes in ${traffic.sentPackets} packets`;
  return `  ${title}: ${received}, ${sent}`;
}

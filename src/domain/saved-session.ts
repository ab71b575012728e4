import type { TlsVersion, Transport } from '../coturn/event.ts';
import type { Allocation } from './allocation.ts';
import type { EndReason } from './ledger.ts';
import type { Session } from './session.ts';
import type { Traffic } from './traffic.ts';

/** Packets and bytes received, packets and bytes sent. */
export type SavedTraffic = readonly [number, number, number, number];

/**
 * A session as a state file keeps it: all that its record will need, in plain JSON. Times are Unix
 * times in ms, as the clock showed them when it was saved.
 */
export interface SavedSession {
  readonly id: string;
  readonly group: string;
  readonly realm: string;
  readonly userName: string;
  readonly username: string;
  readonly startedAtMs: number;
  readonly startKnown: boolean;
  readonly endedAtMs: number;
  readonly endReason: EndReason;
  readonly allocationCount: number;
  readonly client: SavedTraffic;
  readonly peer: SavedTraffic;
  readonly missedBytes: number;
  readonly complete: boolean;
  readonly reportsPeer: boolean;
  readonly servers: string;
  readonly transports: string;
  readonly tlsVersions: string;
  readonly clients: string;
  /** Those that live or linger; empty when it has finished and its record was not written yet. */
  readonly open: readonly SavedAllocation[];
}

/** An allocation of a {@link SavedSession}. */
export interface SavedAllocation {
  readonly key: string;
  /** The source's name, and the server that names the origin there. */
  readonly source: string;
  readonly origin: string;
  /** The server its traffic is counted for. */
  readonly server: string;
  readonly transport: Transport;
  readonly tls: TlsVersion;
  readonly local: string;
  readonly startedAtMs: number;
  readonly lastEventMs: number;
  readonly lifetimeMs: number;
  readonly endReason: EndReason | null;
  readonly endedAtMs: number;
  readonly startKnown: boolean;
  readonly contested: boolean;
  readonly expectsPeer: boolean;
  readonly reportsPeer: boolean;
  readonly client: SavedTraffic;
  readonly peer: SavedTraffic;
  readonly clientTotal: SavedTraffic | null;
  readonly peerTotal: SavedTraffic | null;
}

/**
 * A session in the form of a state file.
 *
 * @param wallOffsetMs what to add to the tracker's time to get Unix time in ms
 */
export function saveSession(session: Session, wallOffsetMs: number): SavedSession {
  return {
    id: session.id,
    group: session.group,
    realm: session.realm,
    userName: session.userName,
    username: session.username,
    startedAtMs: session.startedAtMs + wallOffsetMs,
    startKnown: session.startKnown,
    endedAtMs: session.endedAtMs === 0 ? 0 : session.endedAtMs + wallOffsetMs,
    endReason: session.endReason,
    allocationCount: session.allocationCount,
    client: numbersOf(session.client),
    peer: numbersOf(session.peer),
    missedBytes: session.missedBytes,
    complete: session.complete,
    reportsPeer: session.reportsPeer,
    servers: session.servers,
    transports: session.transports,
    tlsVersions: session.tlsVersions,
    clients: session.clients,
    open: session.open.map((allocation) => saveAllocation(allocation, wallOffsetMs)),
  };
}

function saveAllocation(allocation: Allocation, wallOffsetMs: number): SavedAllocation {
  const { origin, clientTotal, peerTotal, endReason } = allocation;
  return {
    key: allocation.key,
    source: origin.stats.name,
    origin: origin.server,
    server: allocation.account.server,
    transport: allocation.transport,
    tls: allocation.tls,
    local: allocation.local,
    startedAtMs: allocation.startedAtMs + wallOffsetMs,
    lastEventMs: allocation.lastEventMs + wallOffsetMs,
    lifetimeMs: allocation.lifetimeMs,
    endReason: endReason ?? null,
    endedAtMs: endReason === undefined ? 0 : allocation.endedAtMs + wallOffsetMs,
    startKnown: allocation.startKnown,
    contested: allocation.contested,
    expectsPeer: allocation.expectsPeer,
    reportsPeer: allocation.reportsPeer,
    client: numbersOf(allocation.client),
    peer: numbersOf(allocation.peer),
    clientTotal: clientTotal === undefined ? null : numbersOf(clientTotal),
    peerTotal: peerTotal === undefined ? null : numbersOf(peerTotal),
  };
}

function numbersOf(traffic: Traffic): SavedTraffic {
  return [traffic.receivedPackets, traffic.receivedBytes, traffic.sentPackets, traffic.sentBytes];
}

/** Saved numbers as traffic. */
export function savedTraffic(numbers: SavedTraffic): Traffic {
  const [receivedPackets, receivedBytes, sentPackets, sentBytes] = numbers;
  return { receivedPackets, receivedBytes, sentPackets, sentBytes };
}

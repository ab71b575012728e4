import type { EndReason } from './ledger.ts';
import type { Session } from './session.ts';

/** The version of {@link SessionRecord}; grows when a field changes its meaning or goes. */
export const RECORD_SCHEMA = 1;

/**
 * One finished session, as its JSON line tells it (design, section 7). Bytes and packets are
 * coturn's point of view: received from and sent to clients, and the same for peers.
 */
export interface SessionRecord {
  readonly event: 'session_finished';
  readonly schema: typeof RECORD_SCHEMA;
  readonly session_id: string;
  readonly realm: string;
  /** The mapped name of the user. */
  readonly user: string;
  /** The raw user name of the first allocation. */
  readonly username: string;
  /** Several joined by `,`, as in `transport`, `tls` and `client`. */
  readonly server: string;
  /** RFC 3339 with ms, UTC. */
  readonly start: string;
  readonly end: string;
  readonly duration_seconds: number;
  readonly reason: EndReason;
  /** Bytes flowed to or from peers. */
  readonly relayed: boolean;
  /** Every byte is accounted for by coturn's totals or an unbroken series of reports. */
  readonly complete: boolean;
  readonly start_known: boolean;
  /** How many allocations it had in all. */
  readonly allocations: number;
  readonly transport: string;
  readonly tls: string;
  /** Addresses without ports; empty before coturn 4.6.0. */
  readonly client: string;
  readonly received_bytes: number;
  readonly sent_bytes: number;
  readonly received_packets: number;
  readonly sent_packets: number;
  readonly peer_received_bytes: number;
  readonly peer_sent_bytes: number;
  readonly peer_received_packets: number;
  readonly peer_sent_packets: number;
  /** Bytes that only totals told, both sides together. */
  readonly missed_bytes: number;
}

/**
 * The record of a finished session.
 *
 * @param wallOffsetMs what to add to the tracker's time to get Unix time in ms
 */
export function createSessionRecord(session: Session, wallOffsetMs: number): SessionRecord {
  const { client, peer, startedAtMs, endedAtMs } = session;
  return {
    event: 'session_finished',
    schema: RECORD_SCHEMA,
    session_id: session.id,
    realm: session.realm,
    user: session.userName,
    username: session.username,
    server: session.servers,
    start: rfc3339(startedAtMs + wallOffsetMs),
    end: rfc3339(endedAtMs + wallOffsetMs),
    duration_seconds: durationSeconds(session),
    reason: session.endReason,
    relayed: session.relayed,
    complete: session.complete,
    start_known: session.startKnown,
    allocations: session.allocationCount,
    transport: session.transports,
    tls: session.tlsVersions,
    client: session.clients,
    received_bytes: client.receivedBytes,
    sent_bytes: client.sentBytes,
    received_packets: client.receivedPackets,
    sent_packets: client.sentPackets,
    peer_received_bytes: peer.receivedBytes,
    peer_sent_bytes: peer.sentBytes,
    peer_received_packets: peer.receivedPackets,
    peer_sent_packets: peer.sentPackets,
    missed_bytes: session.missedBytes,
  };
}

/** How long a finished session lasted, in seconds with whole milliseconds. */
export function durationSeconds(session: Session): number {
  return Math.max(0, Math.round(session.endedAtMs - session.startedAtMs)) / 1000;
}

function rfc3339(unixMs: number): string {
  return new Date(unixMs).toISOString();
}

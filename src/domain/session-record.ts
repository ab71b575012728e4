import { showText } from '../coturn/text.ts';
import type { EndReason } from './ledger.ts';
import type { Session } from './session.ts';

/** The version of {@link SessionRecord}; grows when a field changes its meaning or goes. */
export const RECORD_SCHEMA = 1;

/**
 * Every field of a record (design, section 7): what it means, as the README tells it, and its value
 * of a finished session. Bytes and packets are coturn's point of view: received from and sent to
 * clients, and the same for peers.
 *
 * @param wallOffsetMs what to add to the tracker's time to get Unix time in ms
 */
export const RECORD_FIELDS = {
  event: {
    meaning: 'always `session_finished`',
    of: (): 'session_finished' => 'session_finished',
  },
  schema: {
    meaning: 'version of this table: 1',
    of: (): typeof RECORD_SCHEMA => RECORD_SCHEMA,
  },
  session_id: {
    meaning: 'unique; sorts by the time at which the session began',
    of: (session: Session): string => session.id,
  },
  realm: {
    meaning: 'as coturn published it, bytes that are not UTF-8 as `%FF`; may be empty',
    of: (session: Session): string => showText(session.realm),
  },
  user: {
    meaning: 'the user behind the username (`--user.label`, `--user.pattern`)',
    of: (session: Session): string => showText(session.userName),
  },
  username: {
    meaning:
      'raw name of the first allocation, chosen by the client; its hash with `--user.label=hash`',
    of: (session: Session): string => showText(session.username),
  },
  server: {
    meaning: 'coturn servers; several joined by `,`, like `transport`, `tls` and `client`',
    of: (session: Session): string => session.servers,
  },
  start: {
    meaning: 'when the first allocation began',
    of: (session: Session, wallOffsetMs: number): string =>
      rfc3339(session.startedAtMs + wallOffsetMs),
  },
  end: {
    meaning: 'when the last allocation ended',
    of: (session: Session, wallOffsetMs: number): string =>
      rfc3339(session.endedAtMs + wallOffsetMs),
  },
  duration_seconds: {
    meaning: 'from `start` to `end`',
    of: (session: Session): number => durationSeconds(session),
  },
  reason: {
    meaning:
      'how the allocation ended that carried most of it: `deleted`, `expired`, `vanished`, `superseded`, `restarted`, `shutdown`',
    of: (session: Session): EndReason => session.endReason,
  },
  relayed: {
    meaning:
      'more than connectivity checks went through the relay; `false`: the call went peer to peer; `null`: unknown, since no bytes of peers were seen and the record is not complete',
    of: ({ relayed }: Session): boolean | null =>
      relayed === 'unknown' ? null : relayed === 'true',
  },
  complete: {
    meaning: "every byte is accounted for by coturn's totals or an unbroken series of reports",
    of: (session: Session): boolean => session.complete,
  },
  start_known: {
    meaning: 'the start was seen; `false`: it was adopted, and `start` is when it was noticed',
    of: (session: Session): boolean => session.startKnown,
  },
  allocations: {
    meaning: 'how many allocations it had in all',
    of: (session: Session): number => session.allocationCount,
  },
  transport: {
    meaning:
      'how the client was connected: `udp`, `tcp`, `tls`, `dtls`, `sctp`, `tls_sctp`, `unknown`',
    of: (session: Session): string => session.transports,
  },
  tls: {
    meaning: '`none`, or the version of TLS or DTLS',
    of: (session: Session): string => session.tlsVersions,
  },
  client: {
    meaning:
      'addresses of the client, without ports; empty before coturn 4.6, hashes with `--user.label=hash`, missing with `--records.client=none`',
    of: (session: Session): string => session.clients,
  },
  received_bytes: {
    meaning: 'from the client',
    of: ({ client }: Session): number => client.receivedBytes,
  },
  sent_bytes: {
    meaning: 'to the client',
    of: ({ client }: Session): number => client.sentBytes,
  },
  received_packets: {
    meaning: 'from the client',
    of: ({ client }: Session): number => client.receivedPackets,
  },
  sent_packets: {
    meaning: 'to the client',
    of: ({ client }: Session): number => client.sentPackets,
  },
  peer_received_bytes: {
    meaning: 'from peers',
    of: ({ peer }: Session): number => peer.receivedBytes,
  },
  peer_sent_bytes: { meaning: 'to peers', of: ({ peer }: Session): number => peer.sentBytes },
  peer_received_packets: {
    meaning: 'from peers',
    of: ({ peer }: Session): number => peer.receivedPackets,
  },
  peer_sent_packets: { meaning: 'to peers', of: ({ peer }: Session): number => peer.sentPackets },
  missed_bytes: {
    meaning: "bytes that no report told and coturn's totals repaired; part of the sums above",
    of: (session: Session): number => session.missedBytes,
  },
  gap_seconds: {
    meaning:
      'for how long events could not arrive while it lived; allocations that lived only then are in no record',
    of: (session: Session): number => session.gapMs / 1000,
  },
  adopted_allocations: {
    meaning: 'how many of the allocations had begun before the exporter; missing for none',
    of: (session: Session): number | undefined => session.adoptedAllocations || undefined,
  },
  open_allocations: {
    meaning:
      'how many were live when the exporter stopped without a state file; missing for none, like what follows',
    of: ({ cutOff }: Session): number | undefined => cutOff?.allocations,
  },
  open_received_bytes: {
    meaning: 'the part of `received_bytes` that is theirs',
    of: ({ cutOff }: Session): number | undefined => cutOff?.client.receivedBytes,
  },
  open_sent_bytes: {
    meaning: 'the part of `sent_bytes`',
    of: ({ cutOff }: Session): number | undefined => cutOff?.client.sentBytes,
  },
  open_peer_received_bytes: {
    meaning: 'the part of `peer_received_bytes`',
    of: ({ cutOff }: Session): number | undefined => cutOff?.peer.receivedBytes,
  },
  open_peer_sent_bytes: {
    meaning: 'the part of `peer_sent_bytes`',
    of: ({ cutOff }: Session): number | undefined => cutOff?.peer.sentBytes,
  },
};

/** One finished session, as its JSON line tells it. */
export type SessionRecord = {
  readonly [Name in keyof typeof RECORD_FIELDS]: ReturnType<(typeof RECORD_FIELDS)[Name]['of']>;
};

const FIELD_NAMES = Object.keys(RECORD_FIELDS) as readonly (keyof typeof RECORD_FIELDS)[];
/** Every field in its place: adding them one by one to each record would be slow. */
const EMPTY_RECORD: Readonly<Record<string, unknown>> = Object.fromEntries(
  FIELD_NAMES.map((name) => [name, null]),
);

/**
 * The record of a finished session.
 *
 * @param wallOffsetMs what to add to the tracker's time to get Unix time in ms
 */
export function createSessionRecord(session: Session, wallOffsetMs: number): SessionRecord {
  const record: Record<string, unknown> = { ...EMPTY_RECORD };
  for (const name of FIELD_NAMES) record[name] = RECORD_FIELDS[name].of(session, wallOffsetMs);
  if (session.attributes !== undefined) {
    for (const [name, value] of Object.entries(session.attributes)) {
      record[`attr_${name}`] = showText(value);
    }
  }
  // Each field by its own function, of which the type is made.
  return record as SessionRecord;
}

/** How long a finished session lasted, in seconds with whole milliseconds. */
export function durationSeconds(session: Session): number {
  return Math.max(0, Math.round(session.endedAtMs - session.startedAtMs)) / 1000;
}

function rfc3339(unixMs: number): string {
  return new Date(unixMs).toISOString();
}

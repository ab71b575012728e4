import { type BillRecord, parseRecordLine } from '../../../src/report/bill-record.ts';
import type { BilledSession } from '../../../src/report/whole-session.ts';

const BEGIN_MS = Date.parse('2026-10-05T09:00:00.000Z');
const MINUTE_MS = 60_000;

/** Fields of a record as its line has them; `at` and `until` in minutes after 9 o'clock. */
export interface RecordFields {
  readonly [field: string]: unknown;
  readonly at?: number;
  readonly until?: number;
}

let ids = 0;

/** The line of a record of alice: five minutes from 9:00, 1000 bytes each way, all well. */
export function recordLine({ at = 0, until = at + 5, ...fields }: RecordFields = {}): string {
  ids += 1;
  const end = BEGIN_MS + until * MINUTE_MS;
  return JSON.stringify({
    level: 'info',
    time: new Date(end + 5_000).toISOString(),
    event: 'session_finished',
    schema: 1,
    session_id: `0199b2c4-0000-7000-8000-${ids.toString(16).padStart(12, '0')}`,
    realm: 'example.org',
    user: 'alice',
    username: '1795306257:alice',
    server: '192.0.2.1',
    start: new Date(BEGIN_MS + at * MINUTE_MS).toISOString(),
    end: new Date(end).toISOString(),
    duration_seconds: (until - at) * 60,
    reason: 'deleted',
    relayed: true,
    complete: true,
    start_known: true,
    allocations: 1,
    transport: 'udp',
    tls: 'none',
    client: '203.0.113.7',
    ...bytes(1000),
    missed_bytes: 0,
    ...fields,
  });
}

/** All four sums alike, and a packet for every 100 bytes. */
export function bytes(count: number, prefix = ''): Record<string, number> {
  return {
    [`${prefix}received_bytes`]: count,
    [`${prefix}sent_bytes`]: count,
    [`${prefix}peer_received_bytes`]: count,
    [`${prefix}peer_sent_bytes`]: count,
    ...(prefix === ''
      ? {
          received_packets: Math.ceil(count / 100),
          sent_packets: Math.ceil(count / 100),
          peer_received_packets: Math.ceil(count / 100),
          peer_sent_packets: Math.ceil(count / 100),
        }
      : {}),
  };
}

/** The same as a record. */
export function record(fields: RecordFields = {}): BillRecord {
  const parsed = parseRecordLine(recordLine(fields));
  if (parsed.kind !== 'record') throw new Error(`Not a record: ${JSON.stringify(parsed)}`);
  return parsed.record;
}

/** The same as a session that one record makes. */
export function session(fields: RecordFields = {}): BilledSession {
  return { record: record(fields), parts: 1, uncertainBytes: 0 };
}

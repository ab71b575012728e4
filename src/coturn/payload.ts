import { ipFamilyOf, parseTlsVersion, parseTransport } from './connection.ts';
import type {
  AllocationEvent,
  AllocationStatus,
  Connection,
  Rejection,
  RejectReason,
} from './event.ts';
import type { Topic } from './key.ts';

/** A status payload that could be read. */
export interface ParsedStatus {
  readonly ok: true;
  readonly status: AllocationStatus;
}

/** A payload of any topic that could be read. */
export interface ParsedEvent {
  readonly ok: true;
  readonly event: AllocationEvent;
}

const TRAFFIC_KINDS = {
  traffic: 'traffic',
  'traffic/peer': 'traffic_peer',
  total_traffic: 'total_traffic',
  'total_traffic/peer': 'total_traffic_peer',
} as const;

const ZERO = 48;
const NINE = 57;
const LIFETIME = ' lifetime=';

/** Reads the payload of a message of this topic. Never throws. */
export function parseEvent(topic: Topic, payload: string): ParsedEvent | Rejection {
  if (topic === 'status') {
    const parsed = parseStatus(payload);
    return parsed.ok ? { ok: true, event: parsed.status } : parsed;
  }
  const numbers = new Float64Array(4);
  const reason = readTraffic(payload, numbers);
  if (reason !== undefined) return { ok: false, reason };
  return { ok: true, event: { kind: TRAFFIC_KINDS[topic], numbers } };
}

const TRAFFIC = /^rcvp=([0-9]+), rcvb=([0-9]+), sentp=([0-9]+), sentb=([0-9]+)$/;

/**
 * Reads the four numbers of a traffic payload into `target`, in the order of `Traffic`; after a
 * refusal `target` is not to be used. `readDelta` does the same for the many.
 *
 *     rcvp=2048, rcvb=354304, sentp=2048, sentb=356352
 *
 * @returns why it cannot be read, or undefined when it could
 */
export function readTraffic(payload: string, target: Float64Array): RejectReason | undefined {
  const [, ...numbers] = TRAFFIC.exec(payload) ?? [];
  if (numbers.length === 0) return 'malformed_traffic';
  target.set(numbers.map(Number));
  // Beyond 2^53 a number is inexact, but stays beyond it.
  return target.every((number) => number <= Number.MAX_SAFE_INTEGER)
    ? undefined
    : 'number_out_of_range';
}

/**
 * Reads a status payload: the short form of coturn before 4.6.0 and the long one since. Fields that
 * a later coturn may append are passed over. Never throws.
 *
 *     deleted
 *     new lifetime=600
 *     refreshed lifetime=600, type=TLS/TCP, local=[::1]:5349, remote=[::1]:40000, ssl=TLSv1.2, cipher=NONE
 */
export function parseStatus(payload: string): ParsedStatus | Rejection {
  if (payload === 'deleted') return { ok: true, status: { kind: 'deleted' } };
  const kind = payload.startsWith('new') ? 'new' : 'refreshed';
  const start = kind.length + LIFETIME.length;
  if (!payload.startsWith(kind) || !payload.startsWith(LIFETIME, kind.length)) return MALFORMED;
  const end = digitsEnd(payload, start);
  const told = numberBetween(payload, start, end);
  if (told < 0) return MALFORMED;
  if (told > Number.MAX_SAFE_INTEGER) return { ok: false, reason: 'number_out_of_range' };
  const lifetimeSeconds = Math.min(told, MAX_LIFETIME_SECONDS);
  if (end === payload.length) return { ok: true, status: { kind, lifetimeSeconds } };
  const connection = parseConnection(payload, end);
  if (connection === undefined) return MALFORMED;
  return { ok: true, status: { kind, lifetimeSeconds, connection } };
}

/** LIFETIME of RFC 8656 §18.3 has 32 bits; more would only keep an allocation for ever. */
const MAX_LIFETIME_SECONDS = 2 ** 32 - 1;

const MALFORMED: Rejection = { ok: false, reason: 'malformed_status' };

/** Characters of an address with its port. coturn writes at most 64 (ns_turn_ioaddr.h). */
const MAX_ADDRESS_LENGTH = 128;

function parseConnection(payload: string, from: number): Connection | undefined {
  if (!payload.startsWith(', ', from)) return undefined;
  const fields = new Map<string, string>();
  for (const field of payload.slice(from + 2).split(', ')) {
    const equals = field.indexOf('=');
    if (equals < 1) return undefined;
    fields.set(field.slice(0, equals), field.slice(equals + 1));
  }
  const type = fields.get('type');
  const local = fields.get('local');
  const remote = fields.get('remote');
  const ssl = fields.get('ssl');
  // The cipher is last: without it the payload was cut, and what stands before it is in doubt.
  if (!(type && local && remote && ssl && fields.has('cipher'))) return undefined;
  // Both are kept as long as the allocation lives.
  if (Math.max(local.length, remote.length) > MAX_ADDRESS_LENGTH) return undefined;
  return {
    transport: parseTransport(type),
    tls: parseTlsVersion(ssl),
    ipFamily: ipFamilyOf(remote),
    local,
    remote,
  };
}

function digitsEnd(text: string, start: number): number {
  let at = start;
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < ZERO || code > NINE) break;
  }
  return at;
}

/** -1 when there is no digit; sums beyond 2^53 are inexact but stay beyond it, which is refused. */
function numberBetween(text: string, start: number, end: number): number {
  if (start >= end) return -1;
  let value = 0;
  for (let at = start; at < end; at += 1) value = value * 10 + (text.charCodeAt(at) - ZERO);
  return value;
}

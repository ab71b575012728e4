import { ipFamilyOf, parseTlsVersion, parseTransport } from './connection.ts';
import type { AllocationStatus, Connection, Rejection, RejectReason } from './event.ts';
import type { MutableTraffic } from './traffic.ts';

/** A status payload that could be read. */
export interface ParsedStatus {
  readonly ok: true;
  readonly status: AllocationStatus;
}

const ZERO = 48;
const NINE = 57;
const LIFETIME = ' lifetime=';

/**
 * Reads the numbers of a traffic payload into `target`; on a refusal `target` is not to be used.
 * Written without objects, slices or regular expressions, since every delta passes here.
 *
 *     rcvp=2048, rcvb=354304, sentp=2048, sentb=356352
 *
 * @returns why it cannot be read, or undefined when it could
 */
export function readTraffic(payload: string, target: MutableTraffic): RejectReason | undefined {
  const length = payload.length;
  if (!payload.startsWith('rcvp=')) return 'malformed_traffic';
  let end = digitsEnd(payload, 5);
  target.receivedPackets = numberBetween(payload, 5, end);
  if (!payload.startsWith(', rcvb=', end)) return 'malformed_traffic';
  let start = end + 7;
  end = digitsEnd(payload, start);
  target.receivedBytes = numberBetween(payload, start, end);
  if (!payload.startsWith(', sentp=', end)) return 'malformed_traffic';
  start = end + 8;
  end = digitsEnd(payload, start);
  target.sentPackets = numberBetween(payload, start, end);
  if (!payload.startsWith(', sentb=', end)) return 'malformed_traffic';
  start = end + 8;
  end = digitsEnd(payload, start);
  target.sentBytes = numberBetween(payload, start, end);
  if (end !== length) return 'malformed_traffic';
  return refusal(target);
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
  const lifetimeSeconds = numberBetween(payload, start, end);
  if (lifetimeSeconds < 0) return MALFORMED;
  if (lifetimeSeconds > Number.MAX_SAFE_INTEGER)
    return { ok: false, reason: 'number_out_of_range' };
  if (end === payload.length) return { ok: true, status: { kind, lifetimeSeconds } };
  const connection = parseConnection(payload, end);
  if (connection === undefined) return MALFORMED;
  return { ok: true, status: { kind, lifetimeSeconds, connection } };
}

const MALFORMED: Rejection = { ok: false, reason: 'malformed_status' };

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

function refusal(traffic: MutableTraffic): RejectReason | undefined {
  const { receivedPackets, receivedBytes, sentPackets, sentBytes } = traffic;
  if (receivedPackets < 0 || receivedBytes < 0 || sentPackets < 0 || sentBytes < 0) {
    return 'malformed_traffic';
  }
  const greatest = Number.MAX_SAFE_INTEGER;
  const inRange =
    receivedPackets <= greatest &&
    receivedBytes <= greatest &&
    sentPackets <= greatest &&
    sentBytes <= greatest;
  return inRange ? undefined : 'number_out_of_range';
}

import { type IpFamily, TLS_VERSIONS, type TlsVersion, type Transport } from './event.ts';

const TRANSPORT_BY_TYPE: ReadonlyMap<string, Transport> = new Map([
  ['UDP', 'udp'],
  ['TCP', 'tcp'],
  ['TLS/TCP', 'tls'],
  ['DTLS', 'dtls'],
  ['SCTP', 'sctp'],
  ['TLS/SCTP', 'tls_sctp'],
]);

/**
 * How the client is connected, from `type=` of a status payload; `unknown` for anything new.
 * Source: coturn 4.6.1, ns_turn_ioalib.h, `socket_type_name()`.
 */
export function parseTransport(type: string): Transport {
  return TRANSPORT_BY_TYPE.get(type) ?? 'unknown';
}

/**
 * The TLS version from `ssl=` of a status payload (OpenSSL's own name, `NONE` without TLS); `other`
 * for a name outside the closed set.
 */
export function parseTlsVersion(ssl: string): TlsVersion {
  if (ssl === 'NONE') return 'none';
  return TLS_VERSIONS.find((version) => version === ssl) ?? 'other';
}

/** The address family of `address:port`. coturn writes IPv6 in brackets: `[::1]:34860`. */
export function ipFamilyOf(endpoint: string): IpFamily {
  if (endpoint.startsWith('[')) return addressOf(endpoint).includes(':') ? 'ipv6' : 'ipv4';
  return endpoint.includes('.') ? 'ipv4' : 'unknown';
}

/**
 * The address of `address:port` without port and brackets; IPv4 that is mapped into IPv6 is shown
 * as IPv4.
 *
 *     203.0.113.7:49152
 *     [2001:db8::7]:49152
 */
export function addressOf(endpoint: string): string {
  const bracket = endpoint.startsWith('[') ? endpoint.lastIndexOf(']') : -1;
  if (bracket > 0) return unmapIpv4(endpoint.slice(1, bracket));
  const colon = endpoint.lastIndexOf(':');
  return colon > 0 ? endpoint.slice(0, colon) : endpoint;
}

/** Whether a peer of this address is a coturn on this machine: Linux connects to 127.0.0.0/8 from 127.0.0.1. */
export function isLoopback(address: string): boolean {
  return address === '127.0.0.1' || address === '::1';
}

/** `::ffff:192.0.2.1` as `192.0.2.1`; every other address as it is. */
export function unmapIpv4(address: string): string {
  return isMappedIpv4(address) ? address.slice('::ffff:'.length) : address;
}

function isMappedIpv4(address: string): boolean {
  return address.toLowerCase().startsWith('::ffff:') && address.includes('.');
}

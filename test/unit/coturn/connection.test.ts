import { describe, expect, it } from 'vitest';
import {
  addressOf,
  ipFamilyOf,
  parseTlsVersion,
  parseTransport,
  unmapIpv4,
} from '../../../src/coturn/connection.ts';

describe('parseTransport', () => {
  it.each([
    ['UDP', 'udp'],
    ['TCP', 'tcp'],
    ['TLS/TCP', 'tls'],
    ['DTLS', 'dtls'],
    ['SCTP', 'sctp'],
    ['TLS/SCTP', 'tls_sctp'],
  ])('reads %s as %s', (type, transport) => {
    expect(parseTransport(type)).toBe(transport);
  });

  it.each(['', 'udp', 'QUIC', ' UDP', 'TLS', 'DTLS/UDP', 'UNKNOWN', '__proto__', 'constructor'])(
    'reads "%s" as unknown',
    (type) => {
      expect(parseTransport(type)).toBe('unknown');
    },
  );
});

describe('parseTlsVersion', () => {
  it.each([
    ['NONE', 'none'],
    ['TLSv1', 'TLSv1'],
    ['TLSv1.1', 'TLSv1.1'],
    ['TLSv1.2', 'TLSv1.2'],
    ['TLSv1.3', 'TLSv1.3'],
    ['DTLSv1', 'DTLSv1'],
    ['DTLSv1.2', 'DTLSv1.2'],
    ['DTLSv1.3', 'DTLSv1.3'],
  ])('reads %s as %s', (ssl, version) => {
    expect(parseTlsVersion(ssl)).toBe(version);
  });

  it.each(['', 'SSLv3', 'tlsv1.2', 'TLSv1.4', 'TLS', ' NONE', 'toString'])(
    'reads "%s" as other',
    (ssl) => {
      expect(parseTlsVersion(ssl)).toBe('other');
    },
  );
});

describe('ipFamilyOf', () => {
  it.each([
    ['127.0.0.1:34780', 'ipv4'],
    ['203.0.113.7:0', 'ipv4'],
    ['[::1]:34860', 'ipv6'],
    ['[2001:db8::7]:49152', 'ipv6'],
    ['[::ffff:192.0.2.1]:49152', 'ipv4'],
    ['[::FFFF:192.0.2.1]:49152', 'ipv4'],
    ['[::ffff:1]:49152', 'ipv6'],
    ['', 'unknown'],
    ['somewhere', 'unknown'],
    [':3478', 'unknown'],
  ])('tells of %s that it is %s', (endpoint, family) => {
    expect(ipFamilyOf(endpoint)).toBe(family);
  });
});

describe('addressOf', () => {
  it.each([
    ['203.0.113.7:49152', '203.0.113.7'],
    ['[2001:db8::7]:49152', '2001:db8::7'],
    ['[::1]:1', '::1'],
    ['[::ffff:192.0.2.1]:49152', '192.0.2.1'],
    ['203.0.113.7', '203.0.113.7'],
    ['[2001:db8::7]', '2001:db8::7'],
    ['', ''],
    [':49152', ':49152'],
    ['[', '['],
    ['[]:1', ''],
    ['[::1', '[:'],
    ['a:b:c', 'a:b'],
  ])('reads %s as %s', (endpoint, address) => {
    expect(addressOf(endpoint)).toBe(address);
  });
});

describe('unmapIpv4', () => {
  it.each([
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '::ffff:c000:201'],
    ['::1', '::1'],
    ['192.0.2.1', '192.0.2.1'],
    ['', ''],
  ])('shows %s as %s', (address, shown) => {
    expect(unmapIpv4(address)).toBe(shown);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/config/config-error.ts';
import { parseWebConfig } from '../../../src/config/web-config.ts';
import { webConfigCases } from '../../support/web-config-cases.ts';

const HASH = `$2y$10$${'a'.repeat(53)}`;
const TLS = 'tls_server_config:\n  cert_file: a.pem\n  key_file: a.key\n';

function faultOf(text: string): string {
  try {
    parseWebConfig(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'taken';
}

describe('parseWebConfig', () => {
  it('has no lock where there is nothing', () => {
    expect(parseWebConfig('')).toEqual({ http2: true, headers: {}, users: new Map() });
  });

  it('reads every key', () => {
    const text = `${TLS}  client_auth_type: RequireAndVerifyClientCert
  client_ca: |
    -----BEGIN CERTIFICATE-----
  client_allowed_sans: [a.example, 192.0.2.1]
  min_version: TLS13
  cipher_suites:
    - TLS_AES_128_GCM_SHA256
  curve_preferences: [X25519]
  prefer_server_cipher_suites: off
http_server_config:
  http2: no
  headers:
    X-Frame-Options: deny
    Content-Security-Policy: ''
basic_auth_users:
  alice: ${HASH}
  12: ${HASH}
  __proto__: ${HASH}
rate_limit:
  interval: 1m0.5s
  burst: 20
`;
    expect(parseWebConfig(text)).toEqual({
      tls: {
        cert: { kind: 'file', path: 'a.pem' },
        key: { kind: 'file', path: 'a.key' },
        clientCa: { kind: 'text', text: '-----BEGIN CERTIFICATE-----\n' },
        clientAuth: 'RequireAndVerifyClientCert',
        allowedSans: ['a.example', '192.0.2.1'],
        ciphers: ['TLS_AES_128_GCM_SHA256'],
        curves: ['X25519'],
        minVersion: 'TLS13',
        maxVersion: 'TLS13',
        prefersServerCiphers: false,
      },
      http2: false,
      headers: { 'x-frame-options': 'deny' },
      users: new Map([
        ['alice', HASH],
        ['12', HASH],
        ['__proto__', HASH],
      ]),
      rateLimit: { intervalMs: 60_500, burst: 20 },
    });
  });

  it.each([
    ['tls_server:\n', 'line 1: unknown key "tls_server": did you mean tls_server_config?'],
    [`${TLS}  cert_fil: b\n`, 'line 4: unknown key "cert_fil": did you mean cert_file?'],
    ['rate_limit:\n  rate: 1\n', 'line 2: unknown key "rate": expected interval, burst'],
    [`${TLS}  cert_file: b\n`, 'line 4: not YAML (duplicate key)'],
    ['a: [\n\n', 'line 3: not YAML (bad indent)'],
    ['--- 1\n--- 2\n', 'line 2: not YAML (multiple docs)'],
    ['hello', 'line 1: expected keys and values in the file'],
    ['tls_server_config:\n  cert_file: a\n', 'line 2: expected key_file or key'],
    ['tls_server_config:\n  client_auth_type: x\n', 'line 2: expected cert_file or cert'],
    [
      `${TLS}  client_auth_type: x\n`,
      /^line 4: unknown client_auth_type "x": expected NoClientCert, /,
    ],
    [`${TLS}  client_ca_file: x\n`, /^line 2: expected a client_auth_type with client_ca_file/],
    [`${TLS}  min_version: TLS14\n`, 'line 4: unknown min_version "TLS14": did you mean TLS10?'],
    [`${TLS}  max_version: TLS11\n`, 'line 4: expected min_version to be at most max_version'],
    [
      `${TLS}  curve_preferences:\n  - P256\n`,
      'line 5: unknown curve "P256": expected CurveP256, CurveP384, CurveP521, X25519',
    ],
    ['http_server_config:\n  http2: maybe\n', 'line 2: expected true or false'],
    [
      'http_server_config:\n  headers:\n    X-Frame-Options: allow\n',
      'line 3: expected X-Frame-Options to be deny or sameorigin',
    ],
    [
      'http_server_config:\n  headers:\n    Content-Security-Policy: "a\\r\\nb: c"\n',
      'line 3: expected Content-Security-Policy on one line, without control characters',
    ],
    ['basic_auth_users:\n  alice: hush\n', 'line 2: expected a bcrypt hash for "alice"'],
    ['basic_auth_users:\n  &a alice: 1\n  *a : 2\n', /^line \d: /],
    ['rate_limit:\n  interval: 1\n', 'line 2: expected an interval such as 500ms, 1s or 1m30s'],
    ['rate_limit:\n  interval: 1s\n', 'line 2: expected a burst of 1 or more requests'],
    ['rate_limit:\n  burst: many\n', 'line 2: expected a burst of 1 or more requests'],
    [' '.repeat(1024 * 1024 + 1), 'expected at most 1 MiB'],
  ])('says of %j what is wrong, and where', (text, message) => {
    expect(faultOf(text)).toMatch(message);
  });

  it('repeats no password and no key', () => {
    for (const text of [
      'basic_auth_users:\n  alice: hush-hush\n',
      'basic_auth_users: hush-hush\n',
      'tls_server_config:\n  key: [hush-hush]\n',
      'tls_server_config:\n  key: "hush-hush\n',
    ]) {
      expect(faultOf(text)).not.toBe('taken');
      expect(faultOf(text)).not.toContain('hush-hush');
    }
  });

  it('takes any text, or refuses it in one line', () => {
    const texts = webConfigCases(HASH).map(({ text }) => text);
    const pieces = fc.constantFrom(...texts.flatMap((text) => text.split(/(?<=[\n:,[\]{} ])/)));
    const mixed = fc.array(pieces, { maxLength: 30 }).map((parts) => parts.join(''));
    const broken = fc
      .tuple(fc.constantFrom(...texts), fc.nat(), fc.string({ maxLength: 5 }))
      .map(([text, at, put]) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + put + text.slice(place + put.length);
      });
    fc.assert(
      fc.property(fc.oneof(fc.string(), mixed, broken), (text) => {
        const fault = faultOf(text);
        expect(fault).not.toMatch(/[\n\r]/);
        expect(fault.length).toBeLessThan(1_000);
      }),
      { numRuns: 2_000 },
    );
  });
});

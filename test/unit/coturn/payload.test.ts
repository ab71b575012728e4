import { describe, expect, it } from 'vitest';
import type { Connection } from '../../../src/coturn/event.ts';
import { parseStatus, readTraffic } from '../../../src/coturn/payload.ts';
import { TRAFFIC_LENGTH, trafficAt } from '../../../src/domain/traffic.ts';
import { traffic } from '../../support/coturn-message.ts';

const CONNECTION: Connection = {
  transport: 'udp',
  tls: 'none',
  ipFamily: 'ipv4',
  local: '127.0.0.1:34810',
  remote: '127.0.0.1:53378',
};
const LONG =
  'new lifetime=777, type=UDP, local=127.0.0.1:34810, remote=127.0.0.1:53378, ssl=NONE, cipher=NONE';

describe('readTraffic', () => {
  it.each([
    ['rcvp=2048, rcvb=354304, sentp=2048, sentb=356352', traffic(2048, 354_304, 2048, 356_352)],
    ['rcvp=1, rcvb=20, sentp=1, sentb=80', traffic(1, 20, 1, 80)],
    ['rcvp=0, rcvb=0, sentp=0, sentb=0', traffic(0, 0, 0, 0)],
    ['rcvp=1466, rcvb=1325047, sentp=582, sentb=29696', traffic(1466, 1_325_047, 582, 29_696)],
    ['rcvp=1, rcvb=4681920000, sentp=2, sentb=3', traffic(1, 4_681_920_000, 2, 3)],
    [
      'rcvp=1, rcvb=9007199254740991, sentp=2, sentb=9007199254740991',
      traffic(1, 9_007_199_254_740_991, 2, 9_007_199_254_740_991),
    ],
    ['rcvp=007, rcvb=0008, sentp=09, sentb=00', traffic(7, 8, 9, 0)],
  ])('reads %s', (payload, numbers) => {
    const target = new Float64Array(TRAFFIC_LENGTH);
    expect(readTraffic(payload, target)).toBeUndefined();
    expect(trafficAt(target, 0)).toEqual(numbers);
  });

  it.each([
    ['nothing', ''],
    ['a status', 'deleted'],
    ['the keepalive', '__YYY__'],
    ['the format itself', 'rcvp=%lu, rcvb=%lu, sentp=%lu, sentb=%lu'],
    ['no number first', 'rcvp=, rcvb=2, sentp=3, sentb=4'],
    ['no number second', 'rcvp=1, rcvb=, sentp=3, sentb=4'],
    ['no number third', 'rcvp=1, rcvb=2, sentp=, sentb=4'],
    ['no number last', 'rcvp=1, rcvb=2, sentp=3, sentb='],
    ['a negative number', 'rcvp=-1, rcvb=2, sentp=3, sentb=4'],
    ['a negative number last', 'rcvp=1, rcvb=2, sentp=3, sentb=-4'],
    ['a plus sign', 'rcvp=1, rcvb=+2, sentp=3, sentb=4'],
    ['a fraction', 'rcvp=1, rcvb=2.5, sentp=3, sentb=4'],
    ['an exponent', 'rcvp=1, rcvb=2e3, sentp=3, sentb=4'],
    ['a hexadecimal number', 'rcvp=0x10, rcvb=2, sentp=3, sentb=4'],
    ['infinity', 'rcvp=Infinity, rcvb=2, sentp=3, sentb=4'],
    ['not a number', 'rcvp=NaN, rcvb=2, sentp=3, sentb=4'],
    ['a grouped number', 'rcvp=1_000, rcvb=2, sentp=3, sentb=4'],
    ['full-width digits', 'rcvp=\uFF11, rcvb=2, sentp=3, sentb=4'],
    ['a space before a number', 'rcvp= 1, rcvb=2, sentp=3, sentb=4'],
    ['a space after a number', 'rcvp=1 , rcvb=2, sentp=3, sentb=4'],
    ['a leading space', ' rcvp=1, rcvb=2, sentp=3, sentb=4'],
    ['a trailing space', 'rcvp=1, rcvb=2, sentp=3, sentb=4 '],
    ['a trailing newline', 'rcvp=1, rcvb=2, sentp=3, sentb=4\n'],
    ['a trailing NUL', 'rcvp=1, rcvb=2, sentp=3, sentb=4\u0000'],
    ['no space after a comma', 'rcvp=1,rcvb=2,sentp=3,sentb=4'],
    ['two spaces after a comma', 'rcvp=1,  rcvb=2, sentp=3, sentb=4'],
    ['another order', 'rcvb=1, rcvp=2, sentp=3, sentb=4'],
    ['a field twice', 'rcvp=1, rcvp=2, sentp=3, sentb=4'],
    ['upper case', 'RCVP=1, RCVB=2, SENTP=3, SENTB=4'],
    ['a field more', 'rcvp=1, rcvb=2, sentp=3, sentb=4, x=5'],
    ['a field less', 'rcvp=1, rcvb=2, sentp=3'],
    [
      'a negative number next to one out of range',
      'rcvp=, rcvb=9007199254740992, sentp=1, sentb=1',
    ],
  ])('refuses %s', (_what, payload) => {
    expect(readTraffic(payload, new Float64Array(TRAFFIC_LENGTH))).toBe('malformed_traffic');
  });

  it.each([
    'rcvp=9007199254740992, rcvb=2, sentp=3, sentb=4',
    'rcvp=1, rcvb=9007199254740992, sentp=3, sentb=4',
    'rcvp=1, rcvb=2, sentp=9007199254740992, sentb=4',
    'rcvp=1, rcvb=2, sentp=3, sentb=9007199254740992',
    'rcvp=1, rcvb=2, sentp=3, sentb=9007199254740993',
    'rcvp=1, rcvb=18446744073709551615, sentp=3, sentb=4',
    `rcvp=1, rcvb=${'9'.repeat(5000)}, sentp=3, sentb=4`,
  ])('refuses a number beyond 2^53-1', (payload) => {
    expect(readTraffic(payload, new Float64Array(TRAFFIC_LENGTH))).toBe('number_out_of_range');
  });

  it('refuses a payload that is cut anywhere, or reads a shorter last number', () => {
    const payload = 'rcvp=2048, rcvb=354304, sentp=2048, sentb=356352';
    const lastNumber = payload.lastIndexOf('=') + 1;
    for (let length = 0; length < payload.length; length += 1) {
      const target = new Float64Array(TRAFFIC_LENGTH);
      const refusal = readTraffic(payload.slice(0, length), target);
      if (length <= lastNumber) {
        expect(refusal).toBe('malformed_traffic');
      } else {
        expect(refusal).toBeUndefined();
        const sentBytes = Number(payload.slice(lastNumber, length));
        expect(trafficAt(target, 0)).toEqual(traffic(2048, 354_304, 2048, sentBytes));
      }
    }
  });

  it('overwrites what the target held', () => {
    const target = new Float64Array([9, 9, 9, 9]);
    readTraffic('rcvp=1, rcvb=2, sentp=3, sentb=0', target);
    expect(trafficAt(target, 0)).toEqual(traffic(1, 2, 3, 0));
  });
});

describe('parseStatus', () => {
  it.each([
    ['deleted', { kind: 'deleted' }],
    ['new lifetime=600', { kind: 'new', lifetimeSeconds: 600 }],
    ['refreshed lifetime=777', { kind: 'refreshed', lifetimeSeconds: 777 }],
    ['refreshed lifetime=0', { kind: 'refreshed', lifetimeSeconds: 0 }],
    ['new lifetime=4294967295', { kind: 'new', lifetimeSeconds: 4_294_967_295 }],
    ['new lifetime=4294967296', { kind: 'new', lifetimeSeconds: 4_294_967_295 }],
    ['new lifetime=9007199254740991', { kind: 'new', lifetimeSeconds: 4_294_967_295 }],
    [LONG, { kind: 'new', lifetimeSeconds: 777, connection: CONNECTION }],
    [
      'refreshed lifetime=0, type=UDP, local=127.0.0.1:34810, remote=127.0.0.1:53378, ssl=NONE, cipher=NONE',
      { kind: 'refreshed', lifetimeSeconds: 0, connection: CONNECTION },
    ],
    [
      'new lifetime=600, type=TLS/TCP, local=[::1]:5349, remote=[::1]:40000, ssl=TLSv1.2, cipher=ECDHE-RSA-AES256-GCM-SHA384',
      {
        kind: 'new',
        lifetimeSeconds: 600,
        connection: {
          transport: 'tls',
          tls: 'TLSv1.2',
          ipFamily: 'ipv6',
          local: '[::1]:5349',
          remote: '[::1]:40000',
        },
      },
    ],
    [
      'new lifetime=600, type=DTLS, local=1.2.3.4:5349, remote=5.6.7.8:9, ssl=DTLSv1.2, cipher=X',
      {
        kind: 'new',
        lifetimeSeconds: 600,
        connection: {
          transport: 'dtls',
          tls: 'DTLSv1.2',
          ipFamily: 'ipv4',
          local: '1.2.3.4:5349',
          remote: '5.6.7.8:9',
        },
      },
    ],
  ])('reads %s', (payload, status) => {
    expect(parseStatus(payload)).toEqual({ ok: true, status });
  });

  it('passes over fields that a later coturn appends', () => {
    expect(parseStatus(`${LONG}, relay=10.0.0.1:50000, note=a=b`)).toEqual(parseStatus(LONG));
  });

  it('gives names outside the closed sets a place in them', () => {
    const parsed = parseStatus(
      'new lifetime=1, type=QUIC, local=h:1, remote=somewhere:2, ssl=TLSv9, cipher=X',
    );
    expect(parsed).toMatchObject({
      ok: true,
      status: { connection: { transport: 'unknown', tls: 'other', ipFamily: 'unknown' } },
    });
  });

  it.each([
    ['nothing', ''],
    ['the format of coturn 4.5 itself', '%s lifetime=%lu'],
    ['a traffic payload', 'rcvp=1, rcvb=20, sentp=1, sentb=80'],
    ['the keepalive', '__YYY__'],
    ['another word', 'created lifetime=600'],
    ['upper case', 'NEW lifetime=600'],
    ['a leading space', ' new lifetime=600'],
    ['a trailing space', 'new lifetime=600 '],
    ['a trailing newline', 'new lifetime=600\n'],
    ['deleted with a tail', 'deleted lifetime=0'],
    ['deleted with a newline', 'deleted\n'],
    ['deleted that is cut', 'delete'],
    ['new alone', 'new'],
    ['no number', 'new lifetime='],
    ['a negative number', 'new lifetime=-1'],
    ['a plus sign', 'new lifetime=+1'],
    ['a hexadecimal number', 'new lifetime=0x10'],
    ['a fraction', 'new lifetime=1.5'],
    ['a space in front of the number', 'new lifetime= 600'],
    ['two spaces', 'new  lifetime=600'],
    ['no space', 'newlifetime=600'],
    ['a word that begins like one', 'newer lifetime=600'],
    ['a comma only', 'new lifetime=600,'],
    ['a comma and a space only', 'new lifetime=600, '],
    ['a field without a name', 'new lifetime=600, =UDP'],
    ['a field without a value', 'new lifetime=600, type'],
    ['an empty type', LONG.replace('type=UDP', 'type=')],
    ['an empty local address', LONG.replace('local=127.0.0.1:34810', 'local=')],
    ['an empty remote address', LONG.replace('remote=127.0.0.1:53378', 'remote=')],
    ['an empty TLS version', LONG.replace('ssl=NONE', 'ssl=')],
    ['no type', LONG.replace('type=UDP, ', '')],
    ['no local address', LONG.replace('local=127.0.0.1:34810, ', '')],
    ['no remote address', LONG.replace('remote=127.0.0.1:53378, ', '')],
    ['no TLS version', LONG.replace('ssl=NONE, ', '')],
    ['no cipher', LONG.replace(', cipher=NONE', '')],
    ['a local address of 129 characters', LONG.replace('127.0.0.1:34810', '1'.repeat(129))],
    ['a remote address of 129 characters', LONG.replace('127.0.0.1:53378', '1'.repeat(129))],
    ['fields named like object properties', 'new lifetime=1, __proto__=x, constructor=y'],
  ])('refuses %s', (_what, payload) => {
    expect(parseStatus(payload)).toEqual({ ok: false, reason: 'malformed_status' });
  });

  it.each(['9007199254740992', '18446744073709551615', '9'.repeat(400)])(
    'refuses a lifetime of %s s',
    (lifetime) => {
      const refusal = { ok: false, reason: 'number_out_of_range' };
      expect(parseStatus(`new lifetime=${lifetime}`)).toEqual(refusal);
      expect(parseStatus(LONG.replace('777', lifetime))).toEqual(refusal);
    },
  );

  it('refuses a long status that is cut anywhere, or reads a legal shorter one', () => {
    const lifetimeAt = LONG.indexOf('=') + 1;
    const lifetimeEnd = LONG.indexOf(',');
    const cipherAt = LONG.lastIndexOf('=') + 1;
    for (let length = 0; length < LONG.length; length += 1) {
      const parsed = parseStatus(LONG.slice(0, length));
      if (length > lifetimeAt && length <= lifetimeEnd) {
        const lifetimeSeconds = Number(LONG.slice(lifetimeAt, length));
        expect(parsed).toEqual({ ok: true, status: { kind: 'new', lifetimeSeconds } });
      } else if (length >= cipherAt) {
        // Nothing is read of the cipher, so nothing is wrong.
        expect(parsed).toEqual(parseStatus(LONG));
      } else {
        expect(parsed).toEqual({ ok: false, reason: 'malformed_status' });
      }
    }
  });
});

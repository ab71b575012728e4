import { describe, expect, it } from 'vitest';
import {
  addTraffic,
  createTraffic,
  isZero,
  missingOfPeerTotal,
  missingOfTotal,
  missingTraffic,
  PEER_TOTAL_MODULUS,
  unwrapPeerTotal,
} from '../../../src/domain/traffic.ts';
import { traffic } from '../../support/coturn-message.ts';

const WRAP = PEER_TOTAL_MODULUS;

describe('addTraffic', () => {
  it('adds field by field, in place', () => {
    const sum = createTraffic();
    addTraffic(sum, traffic(1, 2, 3, 4));
    addTraffic(sum, traffic(10, 20, 30, 40));
    expect(sum).toEqual(traffic(11, 22, 33, 44));
  });
});

describe('isZero', () => {
  it.each([
    [traffic(0, 0, 0, 0), true],
    [traffic(1, 0, 0, 0), false],
    [traffic(0, 1, 0, 0), false],
    [traffic(0, 0, 1, 0), false],
    [traffic(0, 0, 0, 1), false],
  ])('tells of %o that it is %s', (numbers, zero) => {
    expect(isZero(numbers)).toBe(zero);
  });
});

describe('missingOfTotal', () => {
  it.each([
    [0, 0, 0],
    [0, 10, 10],
    [4, 10, 6],
    [10, 10, 0],
    [11, 10, 0],
    // The client side does not wrap (seen at 4.93e9 bytes).
    [0, 4_930_000_000, 4_930_000_000],
    [4_681_920_000, 386_952_704, 0],
    [0, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  ])('of %d reported and %d in all is %d', (reported, total, missing) => {
    expect(missingOfTotal(reported, total)).toBe(missing);
  });
});

describe('missingOfPeerTotal', () => {
  it.each([
    [0, 0, 0],
    [0, 10, 10],
    [4, 10, 6],
    [10, 10, 0],
    // Reports that are ahead of the total lack nothing.
    [11, 10, 0],
    [10, 0, 0],
    [WRAP / 2, 0, 0],
    [WRAP / 2 + 1, 0, WRAP / 2 - 1],
    // The greatest distance that still counts as missing, and the least that does not.
    [0, WRAP / 2 - 1, WRAP / 2 - 1],
    [0, WRAP / 2, 0],
    [0, WRAP - 1, 0],
    [WRAP - 1, 0, 1],
    [WRAP, 5, 5],
    [WRAP + 5, 5, 0],
    [4_681_920_000, 386_952_704, 0],
    [4_681_919_000, 386_952_704, 1000],
    [4_681_921_000, 386_952_704, 0],
    [10 * WRAP + 100, 300, 200],
    // A total that is not wrapped, as a server with wider counters would send it.
    [0, WRAP + 7, 7],
  ])('of %d reported and %d in all is %d', (reported, total, missing) => {
    expect(missingOfPeerTotal(reported, total) === missing).toBe(true);
  });

  it('is never a negative zero', () => {
    expect(missingOfPeerTotal(4_681_920_000, 386_952_704)).toBe(0);
  });
});

describe('missingTraffic', () => {
  it('compares field by field', () => {
    expect(missingTraffic(traffic(1, 2, 3, 4), traffic(5, 2, 1, 14), missingOfTotal)).toEqual(
      traffic(4, 0, 0, 10),
    );
  });

  it('compares peer totals modulo 2^32', () => {
    const reported = traffic(1, 4_681_920_000, 3, 4_681_919_000);
    const total = traffic(2, 386_952_704, 3, 386_952_704);
    const missing = missingTraffic(reported, total, missingOfPeerTotal);
    expect(missing.receivedPackets).toBe(1);
    expect(missing.receivedBytes + 0).toBe(0);
    expect(missing.sentBytes).toBe(1000);
  });
});

describe('unwrapPeerTotal', () => {
  it.each([
    // reported, total, twin, true value
    [0, 0, 0, 0],
    [0, 425_000, 440_000, 425_000],
    [425_000, 425_000, 440_000, 425_000],
    [100_000, 425_000, 0, 425_000],
    [0, 386_952_704, 4_790_000_000, 4_681_920_000],
    [4_681_920_000, 386_952_704, 4_790_000_000, 4_681_920_000],
    [4_000_000_000, 386_952_704, 0, 4_681_920_000],
    [0, 5, 3 * WRAP + 10, 3 * WRAP + 5],
    // Never below what was reported, whatever the other side tells.
    [5 * WRAP, 0, 0, 5 * WRAP],
    [WRAP - 1, 0, 0, WRAP],
    // A few per cent of overhead do not make a turn of the counter.
    [0, 4_000_000_000, 4_200_000_000, 4_000_000_000],
    [0, WRAP - 1, WRAP, WRAP - 1],
  ])('of %d reported, %d wrapped, beside %d gives %d', (reported, total, twin, value) => {
    expect(unwrapPeerTotal(reported, total, twin)).toBe(value);
  });

  it('wraps to the total again or is what was reported, and is never below it', () => {
    for (const reported of [0, 1, WRAP - 1, WRAP, 3 * WRAP + 17]) {
      for (const total of [0, 1, 386_952_704, WRAP - 1]) {
        for (const twin of [0, WRAP, 2.5 * WRAP, 7 * WRAP]) {
          const value = unwrapPeerTotal(reported, total, twin);
          expect([total, reported % WRAP]).toContain(value % WRAP);
          expect(value).toBeGreaterThanOrEqual(reported);
        }
      }
    }
  });
});

import { describe, expect, it } from 'vitest';
import { parseStatsKey, type StatsKey } from '../../../src/coturn/key.ts';
import { Origin } from '../../../src/domain/origin.ts';
import {
  MAX_PARKED,
  PARK_MS,
  type Parked,
  ParkedTraffic,
} from '../../../src/domain/parked-traffic.ts';
import { SourceStats } from '../../../src/domain/source-stats.ts';
import { allocationKey, traffic } from '../../support/coturn-message.ts';

const ORIGIN = new Origin(0, new SourceStats('one', 'status'), 'one');
const OTHER_ORIGIN = new Origin(1, new SourceStats('two', 'status'), 'two');

function keyOf(id: number, realm = 'r'): StatsKey {
  const key = parseStatsKey(`${allocationKey('mallory', id, realm)}/traffic`);
  if (!key.ok) throw new TypeError(key.reason);
  return key;
}

function parkedTraffic(): { parked: ParkedTraffic; released: Parked[] } {
  const released: Parked[] = [];
  return { parked: new ParkedTraffic((entry) => released.push(entry)), released };
}

describe('ParkedTraffic', () => {
  it('sums the deltas of a key until proof takes them', () => {
    const { parked, released } = parkedTraffic();
    const key = keyOf(1);
    parked.park({ origin: ORIGIN, key, nowMs: 0 }, traffic(1, 2, 3, 4));
    parked.park({ origin: ORIGIN, key, nowMs: 10 }, traffic(1, 2, 3, 4));
    expect(parked.size).toBe(1);
    expect(parked.take(ORIGIN, key.allocationKey)).toMatchObject({
      realm: 'r',
      traffic: traffic(2, 4, 6, 8),
    });
    expect(parked.size).toBe(0);
    expect(parked.take(ORIGIN, key.allocationKey)).toBeUndefined();
    parked.expire(PARK_MS * 2);
    expect(released).toEqual([]);
  });

  it('takes nothing for a key that does not wait', () => {
    const { parked } = parkedTraffic();
    expect(parked.take(ORIGIN, keyOf(1).allocationKey)).toBeUndefined();
    parked.park({ origin: ORIGIN, key: keyOf(1), nowMs: 0 }, traffic(1, 1, 1, 1));
    expect(parked.take(ORIGIN, keyOf(2).allocationKey)).toBeUndefined();
    expect(parked.size).toBe(1);
  });

  it('keeps the same key of two origins apart', () => {
    const { parked } = parkedTraffic();
    const key = keyOf(1);
    parked.park({ origin: ORIGIN, key, nowMs: 0 }, traffic(1, 1, 1, 1));
    parked.park({ origin: OTHER_ORIGIN, key, nowMs: 0 }, traffic(2, 2, 2, 2));
    expect(parked.take(OTHER_ORIGIN, key.allocationKey)?.traffic).toEqual(traffic(2, 2, 2, 2));
    expect(parked.take(ORIGIN, key.allocationKey)?.traffic).toEqual(traffic(1, 1, 1, 1));
  });

  it('releases what has waited long enough, counted from its first delta', () => {
    const { parked, released } = parkedTraffic();
    parked.park({ origin: ORIGIN, key: keyOf(1), nowMs: 0 }, traffic(1, 1, 1, 1));
    parked.park({ origin: ORIGIN, key: keyOf(2), nowMs: 1 }, traffic(2, 2, 2, 2));
    parked.park({ origin: ORIGIN, key: keyOf(1), nowMs: PARK_MS - 1 }, traffic(4, 4, 4, 4));
    parked.expire(PARK_MS - 1);
    expect(released).toEqual([]);
    parked.expire(PARK_MS);
    expect(released.map((entry) => entry.traffic)).toEqual([traffic(5, 5, 5, 5)]);
    parked.expire(PARK_MS);
    expect(released.length).toBe(1);
    parked.expire(PARK_MS + 1);
    expect(released.length).toBe(2);
    expect(parked.size).toBe(0);
  });

  it('lets a key wait anew after it was released', () => {
    const { parked, released } = parkedTraffic();
    parked.park({ origin: ORIGIN, key: keyOf(1), nowMs: 0 }, traffic(1, 1, 1, 1));
    parked.expire(PARK_MS);
    parked.park({ origin: ORIGIN, key: keyOf(1), nowMs: PARK_MS }, traffic(2, 2, 2, 2));
    parked.expire(2 * PARK_MS - 1);
    expect(released.length).toBe(1);
    parked.expire(2 * PARK_MS);
    expect(released.length).toBe(2);
  });

  it('releases the oldest rather than grow beyond its bound', () => {
    const { parked, released } = parkedTraffic();
    for (let id = 0; id < MAX_PARKED; id += 1) {
      parked.park({ origin: ORIGIN, key: keyOf(id, `r${id}`), nowMs: id }, traffic(1, 1, 1, 1));
    }
    expect(released).toEqual([]);
    parked.park({ origin: ORIGIN, key: keyOf(5, 'r5'), nowMs: MAX_PARKED }, traffic(1, 1, 1, 1));
    expect(released).toEqual([]);
    for (let id = MAX_PARKED; id < MAX_PARKED + 3; id += 1) {
      parked.park({ origin: ORIGIN, key: keyOf(id), nowMs: id }, traffic(1, 1, 1, 1));
      expect(parked.size).toBe(MAX_PARKED);
    }
    expect(released.map(({ realm }) => realm)).toEqual(['r0', 'r1', 'r2']);
  });

  it('releases everything at the end of the process', () => {
    const { parked, released } = parkedTraffic();
    for (let id = 0; id < 10; id += 1) {
      parked.park({ origin: ORIGIN, key: keyOf(id), nowMs: 0 }, traffic(1, 1, 1, 1));
    }
    parked.releaseAll();
    expect(released.length).toBe(10);
    expect(parked.size).toBe(0);
    parked.releaseAll();
    expect(released.length).toBe(10);
  });
});

import { describe, expect, it } from 'vitest';
import type { ScanResult } from '../../src/domain/reconcile.ts';
import { allocationKey, connection, payloadOf, traffic } from '../support/coturn-message.ts';
import { Tracked } from '../unit/domain/tracked.ts';

/** In real time this takes a lifetime and 75 s, so here time is passed in. */
const LIFETIME_S = 600;
const UNTIL_EXPIRED_MS = (LIFETIME_S + 75) * 1000 + 1000;
const KEY = `${allocationKey('alice', 1)}/status`;
const STATUS = `refreshed lifetime=${LIFETIME_S}${connection()}`;

function scan(tracked: Tracked, entries: Readonly<Record<string, string>>): ScanResult {
  const reading = tracked.tracker.beginScan(tracked.origin, tracked.nowMs);
  for (const [key, value] of Object.entries(entries)) reading.found(key, value, tracked.nowMs);
  return reading.end();
}

describe('a key that a crashed coturn left behind', () => {
  it('is not adopted again once its allocation has expired, however often it is found', () => {
    const tracked = new Tracked();
    tracked.send(KEY, `new lifetime=${LIFETIME_S}${connection()}`);
    tracked.send(`${allocationKey('alice', 1)}/traffic`, payloadOf(traffic(1, 100, 2, 200)));
    tracked.pass(UNTIL_EXPIRED_MS);
    const [record, ...others] = tracked.finished();
    expect(others).toEqual([]);
    expect(record).toMatchObject({ endReason: 'expired', complete: false });
    expect(record?.client).toEqual(traffic(1, 100, 2, 200));
    for (let hour = 0; hour < 24; hour += 1) {
      tracked.pass(3_600_000);
      expect(scan(tracked, { [KEY]: STATUS })).toMatchObject({ found: 1, adopted: 0 });
    }
    expect(tracked.created).toBe(1);
    expect(tracked.finished()).toEqual([]);
    expect(tracked.closed).toEqual({ expired: 1 });
  });

  it('is adopted once by an exporter that starts later, for one lifetime', () => {
    const tracked = new Tracked();
    expect(scan(tracked, { [KEY]: STATUS })).toMatchObject({ adopted: 1 });
    tracked.pass(UNTIL_EXPIRED_MS);
    expect(tracked.finished()).toMatchObject([{ endReason: 'expired', startKnown: false }]);
    expect(scan(tracked, { [KEY]: STATUS })).toMatchObject({ adopted: 0 });
    expect(tracked.liveAllocations).toBe(0);
  });

  it('is an allocation again as soon as a message says so', () => {
    const tracked = new Tracked();
    scan(tracked, { [KEY]: STATUS });
    tracked.pass(UNTIL_EXPIRED_MS).finished();
    tracked.send(KEY, `new lifetime=${LIFETIME_S}${connection()}`);
    expect(tracked.liveAllocations).toBe(1);
    tracked.send(KEY, 'deleted').linger();
    expect(tracked.finished()).toMatchObject([{ endReason: 'deleted', startKnown: true }]);
  });
});

describe('an allocation whose key is gone and that nobody speaks of', () => {
  it('leaves the live gauges at once, and is recorded as vanished when its lifetime is over', () => {
    const tracked = new Tracked();
    tracked.send(KEY, `new lifetime=${LIFETIME_S}${connection()}`);
    tracked.pass(1000);
    scan(tracked, { [KEY]: STATUS });
    tracked.pass(1000);
    expect(scan(tracked, {})).toMatchObject({ suspected: 1 });
    expect(tracked.liveAllocations).toBe(0);
    tracked.pass(LIFETIME_S * 1000);
    expect(tracked.finished()).toEqual([]);
    tracked.pass(75_000);
    expect(tracked.finished()).toMatchObject([{ endReason: 'vanished', complete: false }]);
  });
});

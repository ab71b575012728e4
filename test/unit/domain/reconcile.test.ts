import { describe, expect, it } from 'vitest';
import { EXPIRY_GRACE_MS } from '../../../src/domain/allocation.ts';
import type { ScanResult } from '../../../src/domain/reconcile.ts';
import { SourceStats } from '../../../src/domain/source-stats.ts';
import { Tracker } from '../../../src/domain/tracker.ts';
import { allocationKey, connection, payloadOf, traffic } from '../../support/coturn-message.ts';
import { Tracked } from './tracked.ts';

const KEY = allocationKey('bob', 1);
const LIFETIME_S = 600;
const A = '192.0.2.1:3478';
const B = '192.0.2.2:3478';
const NOTHING_NEW = { found: 0, adopted: 0, suspected: 0, isWrongDatabase: false };

function alive(word: 'new' | 'refreshed' = 'new', local = A): string {
  return `${word} lifetime=${LIFETIME_S}${connection('203.0.113.7:49152', local)}`;
}

/** What a database holds: allocations by their keys without topic, each with its server. */
type Keys = Readonly<Record<string, string>>;

/** One scan that finds `keys`; `during` happens between its start and its first key. */
function scan(tracked: Tracked, keys: Keys, during?: () => void): ScanResult {
  const reading = tracked.tracker.beginScan(tracked.origin, tracked.nowMs);
  during?.();
  for (const [key, local] of Object.entries(keys)) {
    reading.found(`${key}/status`, alive('new', local), tracked.nowMs);
  }
  return reading.end();
}

/** An allocation whose key a first scan has found, some time ago. */
function withKnown(key = KEY, local = A): Tracked {
  const tracked = new Tracked().send(`${key}/status`, alive('new', local)).pass(1000);
  scan(tracked, { [key]: local });
  return tracked.pass(1000);
}

describe('KeyScan, what it finds', () => {
  it('adopts what nobody has heard of, with an unknown start', () => {
    const tracked = new Tracked();
    expect(scan(tracked, { [KEY]: A })).toEqual({ ...NOTHING_NEW, found: 1, adopted: 1 });
    expect(tracked.live()).toEqual({ 'example.org 192.0.2.1 udp': 1 });
    expect(tracked.origin.allocations.get(KEY)?.startKnown).toBe(false);
    expect(tracked.stats.resyncs).toBe(1);
  });

  it('leaves alone what is known, however often it is found', () => {
    const tracked = withKnown();
    expect(scan(tracked, { [KEY]: A })).toEqual({ ...NOTHING_NEW, found: 1 });
    const twice = tracked.tracker.beginScan(tracked.origin, tracked.nowMs);
    for (let time = 0; time < 3; time += 1) twice.found(`${KEY}/status`, alive(), tracked.nowMs);
    expect(twice.end()).toEqual({ ...NOTHING_NEW, found: 3 });
    expect(tracked.created).toBe(1);
    expect(tracked.origin.allocations.get(KEY)?.startKnown).toBe(true);
  });

  it('compares what lives in slices, and suspects nothing that was heard of meanwhile', () => {
    const keys = Array.from({ length: 10 }, (_, id) => allocationKey('bob', id));
    const tracked = new Tracked();
    for (const key of keys) tracked.send(`${key}/status`, alive()).pass(1000);
    const [first = '', second = '', third = ''] = keys;
    scan(tracked, Object.fromEntries(keys.map((key) => [key, A])));
    const reading = tracked.pass(1000).tracker.beginScan(tracked.origin, tracked.nowMs);
    reading.found(`${first}/status`, alive(), tracked.nowMs);
    let slices = 0;
    while (reading.compare(3)) {
      slices += 1;
      tracked.send(`${second}/status`, 'deleted').send(`${third}/status`, alive('refreshed'));
    }
    expect(slices).toBe(3);
    expect(reading.end()).toEqual({ ...NOTHING_NEW, found: 1, suspected: 7 });
    expect(tracked.liveAllocations).toBe(2);
  });

  it('does not adopt what ended while it ran and lingers', () => {
    const tracked = withKnown();
    const result = scan(tracked, { [KEY]: A }, () => tracked.send(`${KEY}/status`, 'deleted'));
    expect(result.adopted).toBe(0);
    expect(tracked.liveAllocations).toBe(0);
    expect(tracked.closed).toEqual({ deleted: 1 });
  });

  it('does not adopt a key that says deleted', () => {
    const tracked = new Tracked();
    const reading = tracked.tracker.beginScan(tracked.origin, tracked.nowMs);
    reading.found(`${KEY}/status`, 'deleted', tracked.nowMs);
    expect(reading.end()).toEqual({ ...NOTHING_NEW, found: 1 });
    expect(tracked.created).toBe(0);
  });

  it.each([
    ['no key of coturn', 'turn/realm/x', alive()],
    ['a key without an id', 'turn/user/bob/allocation/1/status', alive()],
    ['an unknown value', `${KEY}/status`, 'gone'],
    ['an empty value', `${KEY}/status`, ''],
  ])('counts %s as rejected and goes on', (_what, key, value) => {
    const tracked = new Tracked();
    const reading = tracked.tracker.beginScan(tracked.origin, tracked.nowMs);
    reading.found(key, value, tracked.nowMs);
    reading.found(`${allocationKey('eve', 2)}/status`, alive(), tracked.nowMs);
    expect(reading.end().adopted).toBe(1);
    const rejected = Object.values(tracked.stats.rejected).reduce((sum, count) => sum + count);
    expect(rejected).toBe(1);
  });

  it('passes over keys of other topics', () => {
    const tracked = new Tracked();
    const reading = tracked.tracker.beginScan(tracked.origin, tracked.nowMs);
    reading.found(`${KEY}/traffic`, payloadOf(traffic(1, 2, 3, 4)), tracked.nowMs);
    expect(reading.end()).toEqual(NOTHING_NEW);
  });

  it('passes over users of other shards', () => {
    const stats = new SourceStats('test', 'status');
    const adopted = [0, 1].map((index) => {
      const tracker = new Tracker({
        groupBy: 'user',
        lingerMs: 0,
        userName: (name) => name,
        newSessionId: String,
        maxUsers: 10,
        maxRealms: 10,
        shard: { index, total: 2 },
      });
      const reading = tracker.beginScan(tracker.openOrigin(stats, 'redis'), 1);
      for (let user = 0; user < 20; user += 1) {
        reading.found(`${allocationKey(`user${user}`, user)}/status`, alive(), 1);
      }
      return reading.end().adopted;
    });
    expect(adopted.reduce((sum, count) => sum + count)).toBe(20);
    expect(Math.min(...adopted)).toBeGreaterThan(0);
  });
});

describe('KeyScan, rule 7: what it does not find', () => {
  it('suspects what was heard of before it began, and takes it out of the live gauges', () => {
    const tracked = withKnown();
    expect(scan(tracked, {})).toEqual({ ...NOTHING_NEW, suspected: 1 });
    expect(tracked.liveAllocations).toBe(0);
    expect(tracked.closed).toEqual({});
    expect(tracked.liveSessions).toBe(0);
  });

  it('suspects the same only once', () => {
    const tracked = withKnown();
    expect(scan(tracked, {}).suspected).toBe(1);
    expect(scan(tracked.pass(1000), {}).suspected).toBe(0);
  });

  it('never suspects an allocation that is younger than the scan', () => {
    const tracked = withKnown();
    const young = allocationKey('eve', 2);
    const result = scan(tracked, { [KEY]: A }, () => tracked.send(`${young}/status`, alive()));
    expect(result.suspected).toBe(0);
    expect(tracked.liveAllocations).toBe(2);
  });

  it.each([
    ['a refresh', 'status', alive('refreshed')],
    ['a report of the peer side', 'traffic/peer', payloadOf(traffic(1, 2, 3, 4))],
  ])('never suspects what told %s since the scan began', (_what, topic, payload) => {
    const tracked = withKnown();
    const result = scan(tracked, {}, () => tracked.send(`${KEY}/${topic}`, payload));
    expect(result.suspected).toBe(0);
    expect(tracked.liveAllocations).toBe(1);
  });

  it('suspects what told only client-side traffic since the scan began: that proves nothing', () => {
    const tracked = withKnown();
    const payload = payloadOf(traffic(1, 2, 3, 4));
    const result = scan(tracked, {}, () => tracked.send(`${KEY}/traffic`, payload));
    expect(result.suspected).toBe(1);
  });

  it('never suspects what was adopted while it ran', () => {
    const tracked = new Tracked();
    const peer = payloadOf(traffic(1, 2, 3, 4));
    const result = scan(tracked, {}, () => tracked.send(`${KEY}/traffic/peer`, peer));
    expect(result.suspected).toBe(0);
    expect(tracked.liveAllocations).toBe(1);
  });

  it('suspects nothing that lingers', () => {
    const tracked = withKnown().send(`${KEY}/status`, 'deleted').pass(1000);
    expect(scan(tracked, {}).suspected).toBe(0);
  });

  it.each([
    ['a refresh', 'status', alive('refreshed')],
    ['a report of the peer side', 'traffic/peer', payloadOf(traffic(1, 2, 3, 4))],
  ])('clears a suspicion by %s', (_what, topic, payload) => {
    const tracked = withKnown();
    scan(tracked, {});
    tracked.pass(1000).send(`${KEY}/${topic}`, payload);
    expect(tracked.liveAllocations).toBe(1);
    tracked.pass(10_000);
    expect(tracked.closed).toEqual({});
  });

  it('clears a suspicion when the key is found again', () => {
    const tracked = withKnown();
    scan(tracked, {});
    scan(tracked.pass(1000), { [KEY]: A });
    expect(tracked.liveAllocations).toBe(1);
    expect(tracked.created).toBe(1);
  });

  it('closes nothing when another server starts and deletes all keys', () => {
    const tracked = new Tracked();
    const keys = Object.fromEntries(
      Array.from({ length: 50 }, (_, at) => [allocationKey(`user${at}`, at), A]),
    );
    for (const key of Object.keys(keys)) tracked.send(`${key}/status`, alive());
    scan(tracked.pass(1000), keys);
    const fresh = { [allocationKey('late', 99)]: B };
    tracked.pass(30_000);
    expect(scan(tracked, fresh)).toMatchObject({ found: 1, adopted: 1, suspected: 50 });
    tracked.pass(300_000);
    expect(tracked.closed).toEqual({});
    let live = 1;
    for (const key of Object.keys(keys)) {
      tracked.send(`${key}/traffic`, payloadOf(traffic(1, 2, 3, 4)));
      expect(tracked.liveAllocations).toBe(live);
      tracked.send(`${key}/traffic/peer`, payloadOf(traffic(1, 2, 3, 4)));
      live += 1;
    }
    expect(tracked.liveAllocations).toBe(51);
    expect(tracked.counted().client).toEqual(traffic(50, 100, 150, 200));
    expect(tracked.stats.isWrongDatabase).toBe(false);
  });

  it('writes vanished only after lifetime and grace, at its last activity', () => {
    const tracked = withKnown();
    const lastHeardMs = tracked.nowMs;
    tracked.send(`${KEY}/traffic`, payloadOf(traffic(1, 2, 3, 4))).pass(1000);
    scan(tracked, {});
    const dueMs = lastHeardMs + LIFETIME_S * 1000 + EXPIRY_GRACE_MS;
    tracked.pass(dueMs - tracked.nowMs - 1);
    expect(tracked.closed).toEqual({});
    expect(tracked.finished()).toEqual([]);
    tracked.pass(2);
    expect(tracked.closed).toEqual({ vanished: 1 });
    expect(tracked.finished()).toMatchObject([{ endReason: 'vanished', endedAtMs: lastHeardMs }]);
  });

  it('takes a scan that never came to its end for nothing', () => {
    const tracked = withKnown();
    tracked.tracker.beginScan(tracked.origin, tracked.nowMs);
    expect(tracked.liveAllocations).toBe(1);
    expect(tracked.stats.resyncs).toBe(1);
    expect(scan(tracked.pass(1000), { [KEY]: A })).toEqual({ ...NOTHING_NEW, found: 1 });
  });
});

describe('KeyScan, keys left behind', () => {
  const FOREVER_MS = LIFETIME_S * 1000 + EXPIRY_GRACE_MS + 1;

  /** A crashed server's allocation that was adopted and has expired since; its key is there. */
  function withGhost(): Tracked {
    const tracked = new Tracked();
    scan(tracked, { [KEY]: A });
    tracked.pass(FOREVER_MS).finished();
    expect(tracked.closed).toEqual({ expired: 1 });
    return tracked;
  }

  it('are not adopted again while they stay', () => {
    const tracked = withGhost();
    for (let time = 0; time < 30; time += 1) {
      expect(scan(tracked.pass(60_000), { [KEY]: A })).toEqual({ ...NOTHING_NEW, found: 1 });
    }
    expect(tracked.created).toBe(1);
    expect(tracked.finished()).toEqual([]);
  });

  it.each([
    ['a refresh', 'status', alive('refreshed')],
    ['a new', 'status', alive('new')],
    ['a report of the peer side', 'traffic/peer', payloadOf(traffic(1, 2, 3, 4))],
  ])('are taken for alive after %s', (_what, topic, payload) => {
    const tracked = withGhost();
    scan(tracked.pass(1000), { [KEY]: A });
    tracked.send(`${KEY}/${topic}`, payload);
    expect(tracked.created).toBe(2);
    expect(tracked.liveAllocations).toBe(1);
    scan(tracked.pass(1000), { [KEY]: A });
    expect(tracked.created).toBe(2);
    expect(tracked.liveAllocations).toBe(1);
  });

  it('are forgotten when they go, so that the next of that name is adopted', () => {
    const tracked = withGhost();
    scan(tracked.pass(1000), { [KEY]: A });
    scan(tracked.pass(1000), {});
    expect(scan(tracked.pass(1000), { [KEY]: A }).adopted).toBe(1);
  });

  it('are remembered when a scan breaks off', () => {
    const tracked = withGhost();
    tracked.tracker.beginScan(tracked.origin, tracked.nowMs);
    expect(scan(tracked.pass(1000), { [KEY]: A }).adopted).toBe(0);
  });

  it('are remembered when they expire while a scan runs, before or after it finds them', () => {
    const tracked = new Tracked();
    scan(tracked, { [KEY]: A });
    expect(scan(tracked, { [KEY]: A }, () => tracked.pass(FOREVER_MS)).adopted).toBe(0);
    expect(scan(tracked, { [KEY]: A }).adopted).toBe(0);
    const late = new Tracked();
    scan(late, { [KEY]: A });
    const reading = late.tracker.beginScan(late.origin, late.nowMs);
    reading.found(`${KEY}/status`, alive(), late.nowMs);
    late.pass(FOREVER_MS);
    reading.end();
    expect(scan(late.pass(1000), { [KEY]: A }).adopted).toBe(0);
  });
});

describe('KeyScan, rule 8: the wrong database', () => {
  /** Status messages that arrive between two scans of a database that has none of their keys. */
  function talk(tracked: Tracked, id: number, local = A): void {
    tracked.send(`${allocationKey('bob', id)}/status`, alive('new', local)).pass(1000);
  }

  it('is doubt at first and certain after two scans that contradict status messages', () => {
    const tracked = new Tracked();
    scan(tracked, {});
    talk(tracked.pass(1000), 1);
    expect(scan(tracked.pass(60_000), {})).toEqual(NOTHING_NEW);
    expect(tracked.stats.isWrongDatabase).toBe(false);
    talk(tracked, 2);
    expect(scan(tracked.pass(60_000), {})).toEqual({ ...NOTHING_NEW, isWrongDatabase: true });
    expect(tracked.stats.isWrongDatabase).toBe(true);
  });

  it('suspects nothing in doubt nor in certainty', () => {
    const tracked = new Tracked();
    for (let id = 1; id <= 6; id += 1) {
      talk(tracked, id);
      expect(scan(tracked.pass(60_000), {}).suspected).toBe(0);
      expect(tracked.liveAllocations).toBe(id);
    }
  });

  it('is not told by one scan, which another server that starts can empty', () => {
    const tracked = withKnown();
    talk(tracked, 2);
    for (let time = 0; time < 5; time += 1) scan(tracked.pass(60_000), {});
    expect(tracked.stats.isWrongDatabase).toBe(false);
  });

  it('is over when keys of the server are found, and suspicions work again', () => {
    const tracked = new Tracked();
    scan(tracked, {});
    for (const id of [1, 2]) {
      talk(tracked, id);
      scan(tracked.pass(60_000), {});
    }
    expect(tracked.stats.isWrongDatabase).toBe(true);
    expect(scan(tracked.pass(1000), { [allocationKey('bob', 1)]: A })).toEqual({
      found: 1,
      adopted: 0,
      suspected: 1,
      isWrongDatabase: false,
    });
    expect(tracked.stats.isWrongDatabase).toBe(false);
  });

  it('is not told by traffic alone, nor by allocations that ended', () => {
    const tracked = new Tracked();
    scan(tracked, {});
    for (let id = 1; id <= 3; id += 1) {
      tracked.send(`${allocationKey('bob', id)}/traffic/peer`, payloadOf(traffic(1, 2, 3, 4)));
      tracked.send(`${allocationKey('eve', id)}/status`, alive());
      tracked.send(`${allocationKey('eve', id)}/status`, 'deleted');
      scan(tracked.pass(60_000), {});
    }
    expect(tracked.stats.isWrongDatabase).toBe(false);
  });

  it('is judged for each server, where two of one Redis use different databases', () => {
    const tracked = new Tracked();
    scan(tracked, {});
    const here: Record<string, string> = {};
    for (let id = 1; id <= 4; id += 1) {
      talk(tracked, id, A);
      here[allocationKey('bob', id)] = A;
      talk(tracked, 100 + id, B);
      expect(scan(tracked.pass(60_000), here).suspected).toBe(0);
    }
    expect(tracked.stats.isWrongDatabase).toBe(true);
    delete here[allocationKey('bob', 1)];
    expect(scan(tracked.pass(60_000), here)).toMatchObject({
      suspected: 1,
      isWrongDatabase: true,
    });
    expect(tracked.live()).toEqual({
      'example.org 192.0.2.1 udp': 3,
      'example.org 192.0.2.2 udp': 4,
    });
  });

  it('suspects what only reports told of before the first scan', () => {
    const tracked = new Tracked();
    tracked.send(`${KEY}/traffic/peer`, payloadOf(traffic(1, 2, 3, 4))).pass(1000);
    expect(scan(tracked, {}).suspected).toBe(1);
  });

  it('suspects nothing when a scan broke off between a status message and the next scan', () => {
    const tracked = new Tracked();
    scan(tracked, {});
    talk(tracked, 1);
    tracked.tracker.beginScan(tracked.origin, tracked.nowMs);
    expect(scan(tracked.pass(1000), {}).suspected).toBe(0);
  });
});

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { EXPIRY_GRACE_MS } from '../../../src/domain/allocation.ts';
import { OVERFLOW } from '../../../src/domain/ledger.ts';
import { MAX_PARKED, PARK_MS } from '../../../src/domain/parked-traffic.ts';
import { RELAYED, type Relayed } from '../../../src/domain/relayed.ts';
import type { Session } from '../../../src/domain/session.ts';
import { createSessionRecord } from '../../../src/domain/session-record.ts';
import { JOIN_MS } from '../../../src/domain/session-table.ts';
import { SourceStats } from '../../../src/domain/source-stats.ts';
import { sumTraffic, type Traffic } from '../../../src/domain/traffic.ts';
import { OVERFLOW_USER } from '../../../src/domain/user.ts';
import { parseStateLine, renderSession, STATE_VERSION } from '../../../src/state/state-format.ts';
import { allocationKey, connection, payloadOf, traffic } from '../../support/coturn-message.ts';
import { wireMessage } from '../../support/wire-message.ts';
import { LINGER_MS, Tracked } from './tracked.ts';

const ZERO = traffic(0, 0, 0, 0);
const A = traffic(1, 10, 2, 20);
const B = traffic(3, 300, 4, 400);
const BOTH = traffic(4, 310, 6, 420);
const LIFETIME_MS = 600_000;
const KEY = allocationKey('bob', 1);
const NEW = 'new lifetime=600';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Bytes of all that is still held. */
function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** One allocation of a tracker under test, in the words of coturn. */
class Life {
  readonly #tracked: Tracked;
  readonly key: string;

  constructor(tracked: Tracked, key: string = KEY) {
    this.#tracked = tracked;
    this.key = key;
  }

  begin(of: string = connection()): this {
    return this.status(`${NEW}${of}`);
  }

  refresh(lifetimeSeconds = 600, of: string = connection()): this {
    return this.status(`refreshed lifetime=${lifetimeSeconds}${of}`);
  }

  status(payload: string): this {
    this.#tracked.send(`${this.key}/status`, payload);
    return this;
  }

  client(delta: Traffic): this {
    this.#tracked.send(`${this.key}/traffic`, payloadOf(delta));
    return this;
  }

  peer(delta: Traffic): this {
    this.#tracked.send(`${this.key}/traffic/peer`, payloadOf(delta));
    return this;
  }

  total(client: Traffic, peer?: Traffic): this {
    this.#tracked.send(`${this.key}/total_traffic`, payloadOf(client));
    return peer === undefined ? this : this.peerTotal(peer);
  }

  peerTotal(peer: Traffic): this {
    this.#tracked.send(`${this.key}/total_traffic/peer`, payloadOf(peer));
    return this;
  }

  delete(): this {
    return this.status('deleted');
  }
}

/** The one session that has finished. */
function only(tracked: Tracked): Session {
  const [session, ...more] = tracked.finished();
  if (session === undefined) throw new TypeError('No session has finished');
  expect(more).toEqual([]);
  return session;
}

function begun(options: ConstructorParameters<typeof Tracked>[0] = {}): {
  tracked: Tracked;
  life: Life;
} {
  const tracked = new Tracked(options);
  return { tracked, life: new Life(tracked).begin() };
}

describe('Tracker, rule 1: deltas count, totals only repair', () => {
  it('adds every delta to the counters at once', () => {
    const { tracked, life } = begun();
    life.client(A).peer(B);
    expect(tracked.counted()).toEqual({ client: A, peer: B, unallocated: ZERO });
    life.client(B).peer(A);
    expect(tracked.counted()).toEqual({ client: BOTH, peer: BOTH, unallocated: ZERO });
  });

  it('counts equal deltas in a row each', () => {
    const { tracked, life } = begun();
    life.client(A).client(A).client(A);
    expect(tracked.counted().client).toEqual(traffic(3, 30, 6, 60));
  });

  it('adds nothing for totals that equal the deltas', () => {
    const { tracked, life } = begun();
    life.client(A).peer(B).client(B).peer(A).delete().total(BOTH, BOTH);
    tracked.linger();
    expect(tracked.counted()).toEqual({ client: BOTH, peer: BOTH, unallocated: ZERO });
    expect(tracked.stats.missedBytes).toBe(0);
    expect(only(tracked)).toMatchObject({
      client: BOTH,
      peer: BOTH,
      missedBytes: 0,
      complete: true,
    });
  });

  it('adds once what the totals tell and no delta did', () => {
    const { tracked, life } = begun();
    life.client(A).delete().total(BOTH, B);
    expect(tracked.counted()).toEqual({ client: A, peer: ZERO, unallocated: ZERO });
    tracked.linger();
    expect(tracked.counted()).toEqual({ client: BOTH, peer: B, unallocated: ZERO });
    tracked.linger().pass(86_400_000);
    expect(tracked.counted()).toEqual({ client: BOTH, peer: B, unallocated: ZERO });
    expect(tracked.stats.missedBytes).toBe(700 + 700);
    expect(only(tracked)).toMatchObject({ client: BOTH, peer: B, missedBytes: 1400 });
  });

  it('adds nothing when the deltas are ahead of the totals', () => {
    const { tracked, life } = begun();
    life.client(BOTH).peer(BOTH).delete().total(A, A);
    tracked.linger();
    expect(tracked.counted()).toEqual({ client: BOTH, peer: BOTH, unallocated: ZERO });
    expect(tracked.stats.missedBytes).toBe(0);
  });

  it('adds nothing for a peer total that has wrapped', () => {
    const { tracked, life } = begun();
    const peer = traffic(4_000_000, 4_681_920_000, 4_000_000, 4_681_920_000);
    life.client(A).peer(peer);
    life.delete().total(A, traffic(4_000_000, 386_952_704, 4_000_000, 386_951_704));
    tracked.linger();
    expect(tracked.counted().peer).toEqual(peer);
    expect(only(tracked)).toMatchObject({ peer, missedBytes: 0 });
  });

  it('repairs a peer total that has wrapped, modulo 2^32', () => {
    const { tracked, life } = begun();
    life.client(A).peer(traffic(1, 4_681_919_000, 0, 0));
    life.delete().total(A, traffic(3, 386_952_704, 0, 0));
    tracked.linger();
    expect(tracked.counted().peer).toEqual(traffic(3, 4_681_920_000, 0, 0));
    expect(tracked.stats.missedBytes).toBe(1000);
  });

  it('does not let one total stand for the other side', () => {
    const { tracked, life } = begun();
    life.delete().total(A);
    tracked.linger();
    expect(tracked.counted()).toEqual({ client: A, peer: ZERO, unallocated: ZERO });
  });

  it('counts the sides of a server and a realm apart from those of others', () => {
    const tracked = new Tracked();
    const here = connection('203.0.113.7:1', '192.0.2.1:3478');
    const there = connection('203.0.113.7:1', '192.0.2.2:3478');
    new Life(tracked, allocationKey('bob', 1, 'one')).begin(here).client(A);
    new Life(tracked, allocationKey('bob', 2, 'one')).begin(there).client(B);
    new Life(tracked, allocationKey('bob', 3, 'two')).begin(here).peer(B);
    expect(tracked.counted('one')).toEqual({ client: BOTH, peer: ZERO, unallocated: ZERO });
    expect(tracked.counted('two')).toEqual({ client: ZERO, peer: B, unallocated: ZERO });
    const servers = tracked.tracker.ledger.realm('one').servers;
    expect(servers.get('192.0.2.1')?.client).toEqual(A);
    expect(servers.get('192.0.2.2')?.client).toEqual(B);
  });
});

describe('Tracker, rule 2: an adopted allocation has an unknown past', () => {
  it.each<[string, (tracked: Tracked, life: Life) => void]>([
    [
      'a scan',
      ({ tracker, origin, nowMs }) =>
        tracker.beginScan(origin, nowMs).found(`${KEY}/status`, NEW, nowMs),
    ],
    ['refreshed', (_tracked, life) => life.refresh()],
    ['a peer report', (_tracked, life) => life.peer(traffic(0, 0, 0, 0)).peer(traffic(1, 1, 1, 1))],
  ])('adds no total to the counters when %s was its proof', (_what, adopt) => {
    const tracked = new Tracked();
    const life = new Life(tracked);
    adopt(tracked, life);
    const before = tracked.counted();
    life.client(A).delete().total(BOTH, BOTH);
    tracked.linger();
    expect(tracked.counted()).toEqual({ client: A, peer: before.peer, unallocated: ZERO });
    expect(tracked.stats.missedBytes).toBe(0);
    expect(only(tracked)).toMatchObject({
      startKnown: false,
      client: BOTH,
      peer: BOTH,
      missedBytes: 0,
      complete: true,
    });
  });

  it('is not complete without totals', () => {
    const tracked = new Tracked();
    new Life(tracked).refresh().client(A).peer(B).delete();
    tracked.linger();
    expect(only(tracked)).toMatchObject({ client: A, peer: B, complete: false });
  });

  it('unwraps the peer total of its record by the client side', () => {
    const tracked = new Tracked();
    const life = new Life(tracked).refresh();
    life.delete().total(traffic(0, 4_700_000_000, 0, 9), traffic(0, 5, 0, 386_952_704));
    tracked.linger();
    expect(only(tracked).peer).toEqual(traffic(0, 5, 0, 4_681_920_000));
    expect(tracked.counted().peer).toEqual(ZERO);
  });

  it('adds no turn of the peer counter to a record whose reports are ahead of the total', () => {
    // A server started anew, its `new` was lost: the key's reports are of two lives, the total of one.
    const tracked = new Tracked();
    const life = new Life(tracked).refresh().client(B).peer(B);
    life.client(A).peer(A).delete().total(A, A);
    tracked.linger();
    expect(only(tracked)).toMatchObject({ client: BOTH, peer: BOTH });
  });

  it('counts a scanned allocation as created, but not as an event', () => {
    const tracked = new Tracked();
    const { tracker, origin } = tracked;
    tracker
      .beginScan(origin, tracked.nowMs)
      .found(`${KEY}/status`, `${NEW}${connection()}`, tracked.nowMs);
    expect(tracked.created).toBe(1);
    expect(tracked.live()).toEqual({ 'example.org 192.0.2.1 udp': 1 });
    expect(Object.values(tracked.stats.events).every((count) => count === 0)).toBe(true);
  });

  it('leaves an allocation alone that a scan finds again', () => {
    const { tracked, life } = begun();
    life.client(A);
    tracked.tracker
      .beginScan(tracked.origin, tracked.nowMs)
      .found(`${KEY}/status`, 'refreshed lifetime=1', tracked.nowMs);
    life.client(A).delete().total(BOTH, ZERO);
    tracked.linger();
    expect(tracked.created).toBe(1);
    expect(only(tracked)).toMatchObject({ startKnown: true, client: BOTH });
  });

  it.each([
    [`${KEY}/status`, 'deleted', {}],
    [`${KEY}/traffic`, payloadOf(A), {}],
    [`${KEY}/status`, '%s lifetime=%lu', { malformed_status: 1 }],
    ['turn/user/a/allocation/1/status', NEW, { malformed_key: 1 }],
  ])('adopts nothing when a scan finds %s = %s', (key, payload, rejected) => {
    const tracked = new Tracked();
    tracked.tracker.beginScan(tracked.origin, tracked.nowMs).found(key, payload, tracked.nowMs);
    expect(tracked.created).toBe(0);
    expect(tracked.stats.rejected).toMatchObject(rejected);
  });
});

describe('Tracker, rule 3: only proof makes state', () => {
  it('makes no allocation, session, user or series of traffic alone', () => {
    const tracked = new Tracked();
    new Life(tracked, allocationKey('mallory', 1, 'invented')).client(A).peer(ZERO);
    expect(tracked.created).toBe(0);
    expect(tracked.tracker.users.count).toBe(0);
    expect([...tracked.tracker.ledger.realms()]).toEqual([]);
    tracked.pass(PARK_MS);
    expect(tracked.counted()).toEqual({ client: ZERO, peer: ZERO, unallocated: A });
    expect(tracked.tracker.users.count).toBe(0);
    expect(tracked.finished()).toEqual([]);
  });

  it.each<[string, (life: Life) => void]>([
    ['new', (life) => life.begin()],
    ['refreshed', (life) => life.refresh()],
    ['deleted', (life) => life.delete()],
    ['a total', (life) => life.total(ZERO)],
    ['a peer total', (life) => life.peerTotal(ZERO)],
    ['a peer report that is not zero', (life) => life.peer(A)],
  ])('takes %s as proof, and folds in what was parked', (_what, prove) => {
    const tracked = new Tracked();
    const life = new Life(tracked).client(A).client(B);
    expect(tracked.counted().client).toEqual(ZERO);
    prove(life);
    expect(tracked.created).toBe(1);
    expect(tracked.tracker.parked.size).toBe(0);
    expect(tracked.counted()).toMatchObject({ client: BOTH, unallocated: ZERO });
    expect(tracked.users).toEqual(['bob']);
    tracked.pass(86_400_000);
    expect(tracked.counted()).toMatchObject({ client: BOTH, unallocated: ZERO });
    expect(only(tracked).client).toEqual(BOTH);
  });

  it('takes a scanned key as proof', () => {
    const tracked = new Tracked();
    new Life(tracked).client(A);
    tracked.tracker
      .beginScan(tracked.origin, tracked.nowMs)
      .found(`${KEY}/status`, NEW, tracked.nowMs);
    expect(tracked.counted()).toEqual({ client: A, peer: ZERO, unallocated: ZERO });
  });

  it.each([
    ['a peer report of zero', `${KEY}/traffic/peer`, payloadOf(ZERO)],
    ['a status that cannot be read', `${KEY}/status`, '%s lifetime=%lu'],
    ['a peer report that cannot be read', `${KEY}/traffic/peer`, 'rcvp=1, rcvb=1'],
    ['a total that cannot be read', `${KEY}/total_traffic`, 'rcvp=1, rcvb=1'],
    ['proof of another id', `${allocationKey('bob', 2)}/status`, NEW],
    ['proof of another user', `${allocationKey('eve', 1)}/status`, NEW],
    ['proof in another realm', `${allocationKey('bob', 1, 'other')}/status`, NEW],
  ])('does not take %s as proof', (_what, key, payload) => {
    const tracked = new Tracked();
    new Life(tracked).client(A);
    tracked.send(key, payload).pass(PARK_MS);
    expect(tracked.counted()).toEqual({ client: ZERO, peer: ZERO, unallocated: A });
  });

  it('does not park zeroes', () => {
    const tracked = new Tracked();
    for (let id = 0; id < 100; id += 1) new Life(tracked, allocationKey('', id)).client(ZERO);
    expect(tracked.tracker.parked.size).toBe(0);
  });

  it('ages traffic out to the unallocated counters of its realm and its source', () => {
    const tracked = new Tracked();
    new Life(tracked, allocationKey('', 1, 'one')).client(A);
    new Life(tracked, allocationKey('mallory', 2, 'two')).client(B);
    tracked.pass(PARK_MS - 1);
    expect(tracked.counted().unallocated).toEqual(ZERO);
    tracked.pass(1);
    expect(tracked.counted('one').unallocated).toEqual(A);
    expect(tracked.tracker.ledger.realm('two').servers.get('redis')?.unallocated).toEqual(B);
  });

  it('bounds what clients that never log in can make it hold', () => {
    const tracked = new Tracked();
    for (let id = 0; id < MAX_PARKED + 500; id += 1) {
      new Life(tracked, allocationKey(`m${id}`, id)).client(A);
    }
    expect(tracked.tracker.parked.size).toBe(MAX_PARKED);
    expect(tracked.counted().unallocated).toEqual(traffic(500, 5000, 1000, 10_000));
    expect(tracked.created).toBe(0);
    tracked.pass(PARK_MS);
    expect(tracked.counted().unallocated.receivedPackets).toBe(MAX_PARKED + 500);
  });

  it('holds nothing of 100,000 refreshes that each shorten a lifetime', () => {
    const tracked = new Tracked();
    const life = new Life(tracked).begin();
    const before = heapUsed();
    for (let left = 100_000; left > 0; left -= 1) life.refresh(left);
    // Each in a list of its own, they took 9 MB.
    expect(heapUsed() - before).toBeLessThan(3_000_000);
    expect(tracked.liveAllocations).toBe(1);
  });

  it('counts parked traffic as unallocated at the end of the process', () => {
    const tracked = new Tracked();
    new Life(tracked).client(A);
    tracked.tracker.shutdown(tracked.nowMs);
    expect(tracked.counted().unallocated).toEqual(A);
  });
});

describe('Tracker, rule 4: every order is legal', () => {
  it('takes deleted first', () => {
    const tracked = new Tracked();
    const life = new Life(tracked).delete().total(A, B);
    expect(tracked.liveAllocations).toBe(0);
    life.delete();
    tracked.linger();
    expect(tracked.closed).toEqual({ deleted: 1 });
    expect(tracked.created).toBe(1);
    expect(only(tracked)).toMatchObject({ allocationCount: 1, client: A, peer: B });
  });

  it('takes refreshed first', () => {
    const tracked = new Tracked();
    new Life(tracked).refresh().client(A).delete();
    tracked.linger();
    expect(tracked.created).toBe(1);
    expect(only(tracked)).toMatchObject({ startKnown: false, client: A });
  });

  it('takes new twice as two allocations, the first superseded', () => {
    const { tracked, life } = begun();
    life.client(A).begin().client(B);
    expect(tracked.liveAllocations).toBe(1);
    expect(tracked.closed).toEqual({ superseded: 1 });
    life.delete().total(B, ZERO);
    tracked.linger();
    expect(tracked.counted().client).toEqual(BOTH);
    const [first, second] = tracked.finished();
    expect(first).toMatchObject({ client: A, endReason: 'superseded', complete: false });
    expect(second).toMatchObject({ client: B, endReason: 'deleted' });
  });

  it('closes once when deleted comes twice', () => {
    const { tracked, life } = begun();
    life.delete();
    tracked.pass(1000);
    life.delete();
    expect(tracked.closed).toEqual({ deleted: 1 });
    tracked.linger();
    expect(only(tracked).endedAtMs).toBe(1_000_000);
  });

  it('counts traffic after deleted within the linger', () => {
    const { tracked, life } = begun();
    life.client(A).delete();
    tracked.pass(LINGER_MS - 200);
    life.client(B).peer(B);
    tracked.linger();
    expect(tracked.counted()).toEqual({ client: BOTH, peer: B, unallocated: ZERO });
    expect(only(tracked)).toMatchObject({ client: BOTH, peer: B, endedAtMs: 1_000_000 });
  });

  it('counts residual traffic after the totals once (coturn of 2018)', () => {
    const { tracked, life } = begun();
    life.client(A).delete().total(BOTH).client(B);
    tracked.linger();
    expect(tracked.counted().client).toEqual(BOTH);
    expect(tracked.stats.missedBytes).toBe(0);
    expect(only(tracked)).toMatchObject({ client: BOTH, missedBytes: 0 });
  });

  it('takes totals without deleted as the end', () => {
    const { tracked, life } = begun();
    tracked.pass(60_000);
    life.client(A).total(A, ZERO);
    expect(tracked.liveAllocations).toBe(0);
    expect(tracked.closed).toEqual({ deleted: 1 });
    tracked.linger();
    expect(only(tracked)).toMatchObject({ endReason: 'deleted', endedAtMs: 1_060_000 });
  });

  it('takes totals before deleted', () => {
    const { tracked, life } = begun();
    life.client(A).total(BOTH, ZERO).delete();
    tracked.linger();
    expect(tracked.closed).toEqual({ deleted: 1 });
    expect(tracked.counted().client).toEqual(BOTH);
  });

  it('takes totals that come twice once', () => {
    const { tracked, life } = begun();
    life.delete().total(A, B).total(A, B);
    tracked.linger();
    expect(tracked.counted()).toEqual({ client: A, peer: B, unallocated: ZERO });
  });

  it('does without totals (old coturn)', () => {
    const tracked = new Tracked();
    new Life(tracked).begin('').client(A).delete();
    tracked.linger();
    expect(only(tracked)).toMatchObject({ client: A, complete: true, relayed: 'false' });
  });

  it('finishes a session only when its last allocation has lingered', () => {
    const { tracked, life } = begun();
    life.delete();
    expect(tracked.liveAllocations).toBe(0);
    expect(tracked.liveSessions).toBe(1);
    tracked.pass(LINGER_MS - 100);
    expect(tracked.finished()).toEqual([]);
    expect(tracked.tracker.allocationCount).toBe(1);
    tracked.pass(200);
    expect(tracked.tracker.allocationCount).toBe(0);
    // Until its record is written, in all gauges alike.
    expect([tracked.liveSessions, tracked.tracker.users.count]).toEqual([1, 1]);
    expect(tracked.finished().length).toBe(1);
    expect([tracked.liveSessions, tracked.tracker.users.count]).toEqual([0, 0]);
  });

  it('begins a new allocation when an id is used again within the linger', () => {
    const { tracked, life } = begun();
    life.client(A).delete().total(BOTH, ZERO);
    tracked.pass(100);
    life.begin().client(A).delete().total(A, ZERO);
    tracked.linger();
    expect(tracked.closed).toEqual({ deleted: 2 });
    expect(tracked.counted().client).toEqual(traffic(5, 320, 8, 440));
    expect(tracked.finished().map(({ client }) => client)).toEqual([BOTH, A]);
  });

  it('works off what is due in slices', () => {
    const tracked = new Tracked();
    for (let id = 1; id <= 5; id += 1)
      new Life(tracked, allocationKey(`u${id}`, id)).begin().delete();
    tracked.nowMs += LINGER_MS + 100;
    expect(tracked.tracker.expire(tracked.nowMs, 2)).toBe(true);
    expect(tracked.tracker.sessions.takeFinished(1).length).toBe(1);
    expect(tracked.tracker.sessions.takeFinished().length).toBe(1);
    expect(tracked.tracker.expire(tracked.nowMs, 100)).toBe(false);
    expect(tracked.tracker.sessions.takeFinished(2).map(({ username }) => username)).toEqual([
      'u3',
      'u4',
    ]);
    expect(tracked.tracker.sessions.takeFinished(2).map(({ username }) => username)).toEqual([
      'u5',
    ]);
  });
});

describe('Tracker, rule 5: ends', () => {
  it('ends by deleted when it is told so', () => {
    const { tracked, life } = begun();
    tracked.pass(42_000);
    life.delete();
    tracked.linger();
    expect(only(tracked)).toMatchObject({
      startedAtMs: 1_000_000,
      endedAtMs: 1_042_000,
      endReason: 'deleted',
    });
  });

  it('ends by expiry after lifetime and grace, at its last activity', () => {
    const { tracked, life } = begun();
    tracked.pass(30_000);
    life.client(A);
    tracked.pass(LIFETIME_MS + EXPIRY_GRACE_MS - 1);
    expect(tracked.liveAllocations).toBe(1);
    tracked.pass(200);
    expect(tracked.closed).toEqual({ expired: 1 });
    expect(only(tracked)).toMatchObject({
      endedAtMs: 1_030_000,
      endReason: 'expired',
      complete: false,
    });
  });

  it('lives on as long as it is refreshed', () => {
    const { tracked, life } = begun();
    for (let minute = 0; minute < 100; minute += 1) {
      tracked.pass(300_000);
      life.refresh();
    }
    expect(tracked.liveAllocations).toBe(1);
    expect(tracked.created).toBe(1);
    life.delete();
    tracked.linger();
    expect(only(tracked).allocationCount).toBe(1);
  });

  it('expires sooner when a refresh shortens its lifetime', () => {
    const { tracked, life } = begun();
    life.refresh(30);
    tracked.pass(30_000 + EXPIRY_GRACE_MS - 1);
    expect(tracked.liveAllocations).toBe(1);
    tracked.pass(200);
    expect(tracked.closed).toEqual({ expired: 1 });
  });

  it('expires later when a refresh makes its lifetime longer', () => {
    const { tracked, life } = begun();
    life.refresh(3600);
    tracked.pass(LIFETIME_MS + EXPIRY_GRACE_MS + 1000);
    expect(tracked.liveAllocations).toBe(1);
    tracked.pass(3_000_000);
    expect(tracked.closed).toEqual({ expired: 1 });
  });

  it('takes lifetime=0 as an announcement, not as the end', () => {
    const { tracked, life } = begun();
    life.refresh(0);
    expect(tracked.liveAllocations).toBe(1);
    // With mobility, `deleted` was seen 48 s later.
    tracked.pass(48_000);
    life.client(A).peer(B).delete().total(A, B);
    tracked.linger();
    expect(only(tracked)).toMatchObject({ endReason: 'deleted', client: A, complete: true });
  });

  it('ends by superseded when its key begins anew, at its last activity', () => {
    const { tracked, life } = begun();
    tracked.pass(10_000);
    life.client(A);
    tracked.pass(120_000);
    life.begin();
    expect(tracked.closed).toEqual({ superseded: 1 });
    expect(tracked.created).toBe(2);
    expect(only(tracked)).toMatchObject({
      endReason: 'superseded',
      startedAtMs: 1_000_000,
      endedAtMs: 1_010_000,
    });
  });

  it('keeps the id of a client that moves (mobility)', () => {
    const { tracked, life } = begun();
    life.client(A).refresh(600, connection('198.51.100.9:1000')).client(B).delete();
    life.total(BOTH, ZERO);
    tracked.linger();
    expect(tracked.created).toBe(1);
    expect(tracked.closed).toEqual({ deleted: 1 });
    expect(tracked.stats.collisions).toBe(0);
    expect(only(tracked)).toMatchObject({
      allocationCount: 1,
      client: BOTH,
      clients: '203.0.113.7,198.51.100.9',
      complete: true,
    });
  });

  it('ends everything by shutdown when the process stops', () => {
    const { tracked, life } = begun();
    life.client(A).peer(B);
    const ended = new Life(tracked, allocationKey('eve', 2)).begin().client(A).delete();
    ended.total(BOTH, ZERO);
    tracked.nowMs += 1000;
    tracked.tracker.shutdown(tracked.nowMs);
    expect(tracked.closed).toEqual({ shutdown: 1, deleted: 1 });
    expect(tracked.liveAllocations).toBe(0);
    const sessions = new Map(tracked.finished().map((session) => [session.username, session]));
    expect(sessions.get('bob')).toMatchObject({
      endReason: 'shutdown',
      endedAtMs: 1_001_000,
      client: A,
      complete: false,
    });
    expect(sessions.get('eve')).toMatchObject({ endReason: 'deleted', client: BOTH });
    expect(tracked.tracker.allocationCount).toBe(0);
    expect(tracked.tracker.users.count).toBe(0);
  });
});

describe('Tracker, rule 6: ids that collide', () => {
  it('counts a collision when the other server tells another local address', () => {
    const { tracked, life } = begun();
    life.begin(connection('203.0.113.8:2', '192.0.2.2:3478'));
    expect(tracked.stats.collisions).toBe(1);
    expect(tracked.closed).toEqual({ superseded: 1 });
  });

  it('counts none when the same server begins anew, or none is told', () => {
    const { tracked, life } = begun();
    life.begin(connection('198.51.100.1:1'));
    life.begin('').begin('').begin();
    expect(tracked.stats.collisions).toBe(0);
  });

  it('sums the deltas of both servers, and adds no total of either', () => {
    const { tracked, life } = begun();
    const other = connection('203.0.113.8:2', '192.0.2.2:3478');
    life.client(A).peer(A).begin(other).client(B).peer(B).client(A).peer(A);
    life.delete().total(traffic(9, 9000, 9, 9000), traffic(9, 9000, 9, 9000));
    life
      .client(B)
      .peer(B)
      .delete()
      .total(traffic(8, 8000, 8, 8000), traffic(8, 8000, 8, 8000));
    tracked.linger();
    const everything = traffic(8, 620, 12, 840);
    expect(tracked.counted()).toEqual({ client: everything, peer: everything, unallocated: ZERO });
    expect(tracked.stats.missedBytes).toBe(0);
    const sessions = tracked.finished();
    expect(sessions.map(({ complete }) => complete)).toEqual([false, false]);
  });

  it('goes on for the server whose allocation outlives the other', () => {
    const { tracked, life } = begun();
    life.begin(connection('203.0.113.8:2', '192.0.2.2:3478')).client(A).delete().total(A, A);
    life
      .refresh()
      .client(B)
      .delete()
      .total(traffic(9, 9000, 9, 9000), ZERO);
    tracked.linger();
    expect(tracked.counted().client).toEqual(BOTH);
    expect(tracked.closed).toEqual({ superseded: 1, deleted: 2 });
    expect(tracked.liveAllocations).toBe(0);
  });

  it('keeps equal keys of two origins apart', () => {
    const tracked = new Tracked({ serverFrom: 'connection' });
    const { tracker, stats, nowMs } = tracked;
    const origins = ['a', 'b'].map((server) => tracker.openOrigin(stats, server));
    for (const origin of origins) tracker.receive(origin, `${KEY}/status`, NEW, nowMs);
    expect(tracked.live()).toEqual({ 'example.org a unknown': 1, 'example.org b unknown': 1 });
    expect(tracked.closed).toEqual({});
    expect(tracked.liveSessions).toBe(1);
  });

  it('gives the same origin again for the same source and server only', () => {
    const { tracker, stats, origin } = new Tracked();
    expect(tracker.openOrigin(stats, 'redis')).toBe(origin);
    expect(tracker.openOrigin(stats, 'other')).not.toBe(origin);
    expect(tracker.openOrigin(new SourceStats('test', 'status'), 'redis')).not.toBe(origin);
  });

  it('does not take the totals of an ended allocation for those of the next with its id', () => {
    // Another server uses the id again between the messages of one end.
    const { tracked, life } = begun();
    life.client(A).peer(A).delete();
    life.begin(connection('203.0.113.8:2', '192.0.2.2:3478'));
    life.total(A, A);
    tracked.linger();
    expect(tracked.counted()).toEqual({ client: A, peer: A, unallocated: ZERO });
    expect(tracked.stats.missedBytes).toBe(0);
  });
});

describe('Tracker, rule 7: suspects', () => {
  it('takes suspects out of the live gauges at once', () => {
    const { tracked } = begun();
    new Life(tracked, allocationKey('eve', 2)).begin();
    tracked.tracker.suspectAll(tracked.origin);
    expect(tracked.liveAllocations).toBe(0);
    expect(new Set(tracked.tracker.statusKeys(tracked.origin))).toEqual(new Set([undefined]));
    tracked.tracker.suspectAll(tracked.origin);
    expect(tracked.live()).toEqual({});
    expect(tracked.closed).toEqual({});
    expect(tracked.finished()).toEqual([]);
  });

  it.each<[string, (life: Life) => void]>([
    ['refreshed', (life) => life.refresh()],
    ['a peer report', (life) => life.peer(A)],
  ])('puts a suspect back when %s is heard of it', (_what, tell) => {
    const { tracked, life } = begun();
    tracked.tracker.suspectAll(tracked.origin);
    expect([tracked.liveSessions, tracked.tracker.users.count]).toEqual([0, 0]);
    tell(life);
    expect(tracked.live()).toEqual({ 'example.org 192.0.2.1 udp': 1 });
    expect([tracked.liveSessions, tracked.tracker.users.count]).toEqual([1, 1]);
    expect([...tracked.tracker.statusKeys(tracked.origin)]).toEqual([`${KEY}/status`]);
    tell(life);
    expect(tracked.liveAllocations).toBe(1);
    life.delete();
    expect(tracked.liveAllocations).toBe(0);
  });

  it.each<[string, (life: Life) => void]>([
    ['traffic', (life) => life.client(A)],
    ['zero traffic', (life) => life.client(ZERO)],
    ['a peer report of nothing', (life) => life.peer(ZERO)],
  ])('takes %s for no proof of a suspect', (_what, tell) => {
    const { tracked, life } = begun();
    tracked.pass(1000).tracker.suspectAll(tracked.origin);
    tracked.pass(1000);
    for (let time = 0; time < 3; time += 1) tell(life);
    expect([tracked.liveAllocations, tracked.liveSessions]).toEqual([0, 0]);
    expect(tracked.counted().client).toEqual(ZERO);
    expect(tracked.tracker.parked.size).toBe(0);
    tracked.pass(LIFETIME_MS + EXPIRY_GRACE_MS);
    expect(only(tracked)).toMatchObject({
      endReason: 'vanished',
      endedAtMs: 1_000_000,
      client: ZERO,
    });
  });

  it('counts what an unproven suspect was told apart from allocations, once it ends', () => {
    const { tracked, life } = begun();
    life.client(B).peer(B);
    tracked.tracker.suspectAll(tracked.origin);
    life.client(A).client(A);
    expect(tracked.counted().unallocated).toEqual(ZERO);
    tracked.pass(LIFETIME_MS + EXPIRY_GRACE_MS);
    expect(tracked.counted()).toMatchObject({ client: B, unallocated: sumTraffic(A, A) });
    expect(only(tracked).client).toEqual(B);
  });

  it('folds in what was held when proof comes, and counts nothing twice when totals follow', () => {
    const { tracked, life } = begun();
    life.client(B).peer(B);
    tracked.tracker.suspectAll(tracked.origin);
    life.client(A);
    life.peer(A);
    expect(tracked.counted()).toMatchObject({ client: BOTH, unallocated: ZERO });
    life.delete().total(BOTH, BOTH);
    tracked.linger();
    expect(only(tracked)).toMatchObject({ client: BOTH, missedBytes: 0, complete: true });
    expect(tracked.counted()).toMatchObject({ client: BOTH, peer: BOTH, unallocated: ZERO });
  });

  it('gives what was held to nobody when another allocation takes the key', () => {
    const { tracked, life } = begun();
    tracked.tracker.suspectAll(tracked.origin);
    life.client(A);
    life.begin();
    expect(tracked.counted()).toMatchObject({ client: ZERO, unallocated: A });
  });

  it('begins another session while all that lives of the old one is suspect', () => {
    const { tracked, life } = begun();
    life.client(B).peer(B);
    tracked.pass(60_000).tracker.suspectAll(tracked.origin);
    const next = new Life(tracked, allocationKey('bob', 2)).begin().client(A).peer(A);
    next.delete().total(A, A);
    tracked.linger();
    expect(tracked.finished()).toMatchObject([{ client: A, complete: true, allocationCount: 1 }]);
    tracked.pass(LIFETIME_MS + EXPIRY_GRACE_MS);
    expect(tracked.finished()).toMatchObject([{ client: B, endReason: 'vanished' }]);
  });

  it('goes on with a session of which an allocation is not suspect', () => {
    const { tracked } = begun();
    tracked.tracker.suspectAll(tracked.origin);
    const second = new Life(tracked, allocationKey('bob', 2)).begin();
    const third = new Life(tracked, allocationKey('bob', 3)).begin();
    expect(tracked.liveSessions).toBe(1);
    second.delete();
    third.delete();
    tracked.linger();
    expect(tracked.finished()).toMatchObject([{ allocationCount: 2 }]);
  });

  it.each<[string, (life: Life) => void, number]>([
    ['deleted', (life) => life.delete(), 0],
    ['a total', (life) => life.total(A), 0],
    ['new', (life) => life.begin(), 1],
  ])('keeps the gauges right when a suspect hears %s', (_what, tell, live) => {
    const { tracked, life } = begun();
    tracked.tracker.suspectAll(tracked.origin);
    tell(life);
    expect(tracked.liveAllocations).toBe(live);
    tracked.pass(86_400_000);
    tracked.finished();
    expect(tracked.liveAllocations).toBe(0);
    expect(tracked.liveSessions).toBe(0);
  });

  it('does not put back a suspect by a message that cannot be read', () => {
    const { tracked, life } = begun();
    tracked.tracker.suspectAll(tracked.origin);
    life.status('%s lifetime=%lu');
    tracked.send(`${KEY}/traffic`, 'rcvp=1');
    expect(tracked.liveAllocations).toBe(0);
  });

  it('writes a suspect as vanished once its lifetime has ended, at its last activity', () => {
    const { tracked } = begun();
    tracked.pass(1000);
    tracked.tracker.suspectAll(tracked.origin);
    tracked.pass(LIFETIME_MS - 2000);
    expect(tracked.finished()).toEqual([]);
    tracked.pass(EXPIRY_GRACE_MS + 2000);
    expect(tracked.closed).toEqual({ vanished: 1 });
    expect(only(tracked)).toMatchObject({ endReason: 'vanished', endedAtMs: 1_000_000 });
    expect(tracked.liveAllocations).toBe(0);
  });

  it('suspects nothing of another origin, and nothing that has ended', () => {
    const { tracked, life } = begun();
    const other = tracked.tracker.openOrigin(tracked.stats, 'other');
    tracked.tracker.suspectAll(other);
    expect(tracked.liveAllocations).toBe(1);
    life.delete();
    tracked.tracker.suspectAll(tracked.origin);
    life.client(A);
    expect(tracked.liveAllocations).toBe(0);
    tracked.linger();
    expect(only(tracked).endReason).toBe('deleted');
  });
});

describe('Tracker, rule 5: restarted', () => {
  /** An allocation whose process died at `lostMs`, which the next one told. */
  function restarted(lostMs = 0) {
    const { tracked, life } = begun();
    life.client(B).peer(B);
    tracked.pass(60_000).tracker.suspectAll(tracked.origin);
    tracked.tracker.endSuspects(tracked.origin, { lostMs, nowMs: tracked.nowMs });
    return { tracked, life };
  }

  it('ends what is suspect at once, without a linger', () => {
    const { tracked } = restarted();
    expect([tracked.liveAllocations, tracked.liveSessions]).toEqual([0, 0]);
    tracked.pass(0);
    expect(tracked.closed).toEqual({ restarted: 1 });
    const record = { endReason: 'restarted', client: B, peer: B, complete: false };
    expect(only(tracked)).toMatchObject({ ...record, endedAtMs: 1_000_000 });
  });

  it('lets it have lived until the connections broke', () => {
    const { tracked } = restarted(1_055_000);
    tracked.pass(0);
    expect(only(tracked).endedAtMs).toBe(1_055_000);
  });

  it('leaves alone what is not suspect, and what had ended', () => {
    const { tracked, life } = begun();
    tracked.tracker.suspectAll(tracked.origin);
    const next = new Life(tracked, allocationKey('eve', 2)).begin();
    life.delete();
    tracked.tracker.endSuspects(tracked.origin, { lostMs: 0, nowMs: tracked.nowMs });
    expect(tracked.liveAllocations).toBe(1);
    next.delete();
    tracked.linger();
    expect(tracked.closed).toEqual({ deleted: 2 });
  });

  it('takes nothing that comes under its key, even before it is closed', () => {
    const { tracked, life } = restarted();
    life.client(A);
    expect(tracked.counted()).toMatchObject({ client: B, unallocated: ZERO });
    life.begin().client(B).peer(A).delete().total(BOTH, A);
    tracked.linger();
    expect(tracked.finished()).toMatchObject([
      { endReason: 'restarted', client: B },
      { endReason: 'deleted', client: BOTH, peer: A, complete: true, startKnown: true },
    ]);
    expect(tracked.stats.missedBytes).toBe(0);
    expect(tracked.counted()).toMatchObject({ unallocated: ZERO });
  });

  it.each<[string, (life: Life) => void]>([
    ['refreshed', (life) => life.refresh()],
    ['a peer report', (life) => life.peer(A)],
  ])('adopts another allocation by %s under its key', (_what, tell) => {
    const { tracked, life } = restarted();
    tell(life);
    expect([tracked.liveAllocations, tracked.created]).toEqual([1, 2]);
    expect(tracked.finished()).toMatchObject([{ endReason: 'restarted', peer: B }]);
  });
});

describe('Tracker, rule 9: relayed', () => {
  const MEDIA = traffic(100, 60_000, 120, 70_000);
  const CHECKS = traffic(8, 512, 8, 768);

  it.each<[string, (life: Life) => void, Relayed]>([
    ['nothing at all, and nothing lost', (life) => life.peer(ZERO), 'false'],
    ['client bytes and a silent peer side', (life) => life.client(MEDIA).peer(ZERO), 'false'],
    ['checks', (life) => life.client(MEDIA).peer(CHECKS), 'false'],
    ['media', (life) => life.client(MEDIA).peer(MEDIA), 'true'],
    [
      'client bytes, and a peer total of zero',
      (life) => life.client(MEDIA).delete().total(MEDIA, ZERO),
      'false',
    ],
    ['media only by the total', (life) => life.delete().total(MEDIA, MEDIA), 'true'],
    ['peers that nothing was heard of', (life) => life.client(MEDIA), 'unknown'],
  ])('with %s', (_what, tell, relayed) => {
    const { tracked, life } = begun();
    tell(life);
    life.delete();
    tracked.linger();
    const session = only(tracked);
    expect(session.relayed).toBe(relayed);
    expect(createSessionRecord(session, 0).relayed).toBe(
      relayed === 'unknown' ? null : relayed === 'true',
    );
    const { finished } = tracked.tracker.ledger.realm('example.org');
    expect(RELAYED.map((value) => finished[value].deleted)).toEqual(
      RELAYED.map((value) => (value === relayed ? 1 : 0)),
    );
  });

  it('is unknown when a crash took the totals and no bytes of peers were seen', () => {
    const { tracked, life } = begun();
    life.client(MEDIA).peer(ZERO);
    tracked.tracker.suspectAll(tracked.origin);
    tracked.pass(LIFETIME_MS + EXPIRY_GRACE_MS);
    expect(only(tracked)).toMatchObject({ relayed: 'unknown', complete: false });
  });

  it.each([
    [MEDIA, 'true'],
    [CHECKS, 'false'],
    [ZERO, 'false'],
  ])('goes by the client side where coturn knows no peer side', (delta, relayed) => {
    const tracked = new Tracked();
    new Life(tracked).begin('').client(delta).delete().total(delta);
    tracked.linger();
    expect(only(tracked).relayed).toBe(relayed);
  });

  it('is true when one of several allocations relayed', () => {
    const { tracked, life } = begun();
    const other = new Life(tracked, allocationKey('bob', 2)).begin().client(A).peer(ZERO);
    life.client(MEDIA).peer(MEDIA).delete();
    other.delete();
    tracked.linger();
    expect(only(tracked)).toMatchObject({ relayed: 'true', allocationCount: 2 });
  });

  it('tells of live sessions what is known so far', () => {
    const { tracked, life } = begun();
    const { live } = tracked.tracker.ledger.realm('example.org');
    expect(live).toEqual({ true: 0, false: 0, unknown: 1 });
    life.peer(CHECKS);
    expect(live).toEqual({ true: 0, false: 1, unknown: 0 });
    for (const topic of ['traffic', 'traffic/peer']) {
      const message = wireMessage(`${KEY}/${topic}`, payloadOf(MEDIA));
      tracked.tracker.receiveDelta(tracked.origin, message, tracked.nowMs);
    }
    expect(live).toEqual({ true: 1, false: 0, unknown: 0 });
    tracked.tracker.suspectAll(tracked.origin);
    expect(live).toEqual({ true: 0, false: 0, unknown: 0 });
    life.peer(CHECKS).delete();
    tracked.linger();
    expect(live).toEqual({ true: 1, false: 0, unknown: 0 });
    tracked.finished();
    expect(live).toEqual({ true: 0, false: 0, unknown: 0 });
  });

  it('goes by bytes alone when it is told from how many', () => {
    const tracked = new Tracked({ relayedMinBytes: 1280 });
    new Life(tracked).begin().peer(CHECKS).delete();
    new Life(tracked, allocationKey('eve', 2))
      .begin()
      .peer(traffic(1, 1279, 0, 0))
      .delete();
    tracked.linger();
    expect(tracked.finished().map(({ relayed }) => relayed)).toEqual(['true', 'false']);
  });
});

describe('Tracker, rule 11: numbers', () => {
  it.each(['traffic', 'traffic/peer'])('rejects %s that would carry a sum past 2^53', (topic) => {
    for (const fast of [true, false]) {
      const tracked = new Tracked();
      new Life(tracked).begin();
      const tell = (bytes: number): void => {
        const payload = payloadOf(traffic(1, bytes, 1, 1));
        const { origin, nowMs } = tracked;
        if (fast)
          tracked.tracker.receiveDelta(origin, wireMessage(`${KEY}/${topic}`, payload), nowMs);
        else tracked.tracker.receive(origin, `${KEY}/${topic}`, payload, nowMs);
      };
      tell(Number.MAX_SAFE_INTEGER - 10);
      tell(11);
      expect(tracked.stats.rejected.number_out_of_range).toBe(1);
      expect(tracked.stats.events.traffic + tracked.stats.events.traffic_peer).toBe(1);
      tell(10);
      const side = topic === 'traffic' ? 'client' : 'peer';
      expect(tracked.counted()[side]).toEqual(traffic(2, Number.MAX_SAFE_INTEGER, 2, 2));
    }
  });

  it('keeps sums of totals within what a state file can hold', () => {
    const tracked = new Tracked();
    const much = traffic(1, Number.MAX_SAFE_INTEGER, 1, Number.MAX_SAFE_INTEGER);
    for (const id of [1, 2]) {
      const life = new Life(tracked, allocationKey('bob', id));
      life.status('refreshed lifetime=600').total(much, much);
    }
    new Life(tracked, allocationKey('bob', 3)).begin();
    tracked.linger();
    const [session, ...others] = tracked.tracker.savedSessions(1e12);
    if (session === undefined) throw new Error('Nothing saved');
    expect(others).toEqual([]);
    const line = renderSession(session);
    expect(parseStateLine(line, STATE_VERSION)).toEqual({ kind: 'session', session });
  });

  it.each([
    ['traffic', 'rcvp=1, rcvb=9007199254740992, sentp=1, sentb=1', 'number_out_of_range'],
    ['traffic', 'rcvp=1, rcvb=-1, sentp=1, sentb=1', 'malformed_traffic'],
    ['traffic/peer', 'rcvp=1, rcvb=1.5, sentp=1, sentb=1', 'malformed_traffic'],
    ['total_traffic', 'rcvp=%lu, rcvb=%lu, sentp=%lu, sentb=%lu', 'malformed_traffic'],
    ['total_traffic/peer', '', 'malformed_traffic'],
    ['status', '%s lifetime=%lu', 'malformed_status'],
    ['status', 'new lifetime=9007199254740992', 'number_out_of_range'],
    ['rate', NEW, 'unknown_topic'],
  ] as const)('changes nothing by %s = %s, and counts it as %s', (topic, payload, reason) => {
    for (const known of [true, false]) {
      const tracked = new Tracked();
      if (known) new Life(tracked).begin().client(A);
      const before = [
        tracked.counted(),
        tracked.live(),
        tracked.created,
        { ...tracked.stats.events },
      ];
      tracked.send(`${KEY}/${topic}`, payload);
      const after = [
        tracked.counted(),
        tracked.live(),
        tracked.created,
        { ...tracked.stats.events },
      ];
      expect(after).toEqual(before);
      expect(tracked.stats.rejected[reason]).toBe(1);
      expect(Object.values(tracked.stats.rejected).reduce((sum, count) => sum + count)).toBe(1);
    }
  });

  it('counts what cannot be a key of coturn', () => {
    const tracked = new Tracked();
    tracked.send('turn/user/a/allocation/1/status', NEW).send('x'.repeat(4000), NEW);
    expect(tracked.stats.rejected).toMatchObject({ malformed_key: 1, oversized_key: 1 });
  });

  it('counts every message by its kind, and when the last one came', () => {
    const { tracked, life } = begun();
    tracked.send('__XXX__', '__YYY__');
    tracked.pass(1);
    life.refresh().client(A).client(ZERO).peer(B).delete().total(A, B);
    new Life(tracked, allocationKey('', 9)).client(A).peer(ZERO);
    expect(tracked.stats.events).toEqual({
      new: 1,
      refreshed: 1,
      deleted: 1,
      traffic: 3,
      traffic_peer: 2,
      total_traffic: 1,
      total_traffic_peer: 1,
      other: 1,
    });
    expect(tracked.stats.lastEventMs).toBe(1_000_001);
  });

  it('counts refreshes of the server that told them', () => {
    const { tracked, life } = begun();
    life.refresh().refresh();
    const servers = tracked.tracker.ledger.realm('example.org').servers;
    expect(servers.get('192.0.2.1')?.refreshes).toBe(2);
  });
});

describe('Tracker.receiveDelta', () => {
  it('takes only deltas of allocations that are known', () => {
    const { tracked } = begun();
    const { tracker, origin, nowMs } = tracked;
    const delta = payloadOf(A);
    expect(tracker.receiveDelta(origin, wireMessage(`${KEY}/traffic`, delta), nowMs)).toBe(true);
    expect(tracker.receiveDelta(origin, wireMessage(`${KEY}/traffic/peer`, delta), nowMs)).toBe(
      true,
    );
    for (const key of [
      `${KEY}/total_traffic`,
      `${KEY}/total_traffic/peer`,
      `${KEY}/status`,
      `${allocationKey('bob', 2)}/traffic`,
      `${KEY}traffic`,
      `${KEY}/my_traffic`,
      `${KEY}/Traffic`,
      '/traffic',
      'c',
      'r',
      '',
    ]) {
      expect(tracker.receiveDelta(origin, wireMessage(key, delta), nowMs), key).toBe(false);
    }
    expect(tracked.counted()).toEqual({ client: A, peer: A, unallocated: ZERO });
    expect(tracked.stats.events).toMatchObject({ traffic: 1, traffic_peer: 1, total_traffic: 0 });
  });
});

describe('Tracker, sessions: allocations of one user that overlap', () => {
  it('is one session for both credentials of a user, named after the first', () => {
    const tracked = new Tracked();
    const first = new Life(tracked, allocationKey('1795306257:bob', 1)).begin().client(A);
    const second = new Life(tracked, allocationKey('1795309999:bob', 2)).begin().client(B);
    expect(tracked.liveSessions).toBe(1);
    expect(tracked.users).toEqual(['bob']);
    first.delete();
    tracked.linger();
    expect(tracked.finished()).toEqual([]);
    second.delete();
    tracked.linger();
    expect(only(tracked)).toMatchObject({
      username: '1795306257:bob',
      userName: 'bob',
      allocationCount: 2,
      client: BOTH,
    });
  });

  it.each(['user', 'client'] as const)(
    'is another for who tells something else of himself, with one series of both, by %s',
    (groupBy) => {
      const names = {
        userName: (name: string) => name.slice(3),
        attributes: (name: string) =>
          name.startsWith('0') ? undefined : { tenant: name.slice(0, 2) },
      };
      const tracked = new Tracked({ groupBy, names });
      const lives = ['21_bob', '24_bob', '24_bob', '01_bob'].map((name, at) =>
        new Life(tracked, allocationKey(name, at + 1)).begin(),
      );
      expect(tracked.users).toEqual(['bob']);
      expect(tracked.liveSessions).toBe(3);
      for (const life of lives) life.delete();
      tracked.linger();
      expect(
        tracked.finished().map(({ allocationCount, attributes }) => [allocationCount, attributes]),
      ).toEqual([
        [1, { tenant: '21' }],
        [2, { tenant: '24' }],
        [1, undefined],
      ]);
    },
  );

  it('is two sessions for allocations one after the other', () => {
    const { tracked, life } = begun();
    life.delete();
    tracked.pass(JOIN_MS + 1);
    const second = new Life(tracked, allocationKey('bob', 2)).begin();
    expect(tracked.liveSessions).toBe(2);
    second.delete();
    tracked.linger();
    const sessions = tracked.finished();
    expect(sessions.map(({ allocationCount }) => allocationCount)).toEqual([1, 1]);
    expect(new Set(sessions.map(({ id }) => id)).size).toBe(2);
  });

  it('is one session when an allocation is replaced within a second', () => {
    const { tracked, life } = begun();
    life.client(A).delete();
    tracked.pass(JOIN_MS);
    new Life(tracked, allocationKey('bob', 2)).begin().client(A).delete();
    tracked.linger();
    const sessions = tracked.finished();
    expect(sessions.map(({ allocationCount }) => allocationCount)).toEqual([2]);
  });

  it('is one session for a chain of allocations that overlap', () => {
    const tracked = new Tracked();
    let before = new Life(tracked, allocationKey('bob', 1)).begin();
    for (let id = 2; id <= 10; id += 1) {
      tracked.pass(60_000);
      const next = new Life(tracked, allocationKey('bob', id)).begin();
      before.client(A).delete();
      before = next;
    }
    tracked.pass(60_000);
    before.delete();
    tracked.linger();
    expect(only(tracked)).toMatchObject({
      allocationCount: 10,
      startedAtMs: 1_000_000,
      endedAtMs: 1_600_000,
    });
  });

  it('is a session of its own for every user and every realm', () => {
    const tracked = new Tracked();
    new Life(tracked, allocationKey('bob', 1, 'one')).begin();
    new Life(tracked, allocationKey('bob', 2, 'two')).begin();
    new Life(tracked, allocationKey('eve', 3, 'one')).begin();
    new Life(tracked, allocationKey('', 4, '')).begin();
    expect(tracked.liveSessions).toBe(4);
    expect(tracked.tracker.users.count).toBe(4);
  });

  it('does not mix up realm and name, whatever they hold', () => {
    const tracked = new Tracked();
    new Life(tracked, allocationKey('b c', 1, 'a')).begin();
    new Life(tracked, allocationKey('c', 2, 'a b')).begin();
    new Life(tracked, allocationKey('3 a b c', 3, '')).begin();
    expect(tracked.liveSessions).toBe(3);
  });

  it('is one session over several servers', () => {
    const tracked = new Tracked();
    for (const id of [1, 2]) {
      const of = connection('203.0.113.7:1', `192.0.2.${id}:3478`);
      new Life(tracked, allocationKey('bob', id)).begin(of).delete();
      new Life(tracked, allocationKey('bob', id + 10)).begin(of);
    }
    tracked.tracker.shutdown(tracked.nowMs);
    const sessions = tracked.finished();
    expect(sessions.map(({ servers }) => servers)).toEqual(['192.0.2.1,192.0.2.2']);
  });

  it.each([
    ['user', 1],
    ['client', 2],
    ['allocation', 3],
  ] as const)('grouped by %s makes %d of three allocations of two clients', (groupBy, count) => {
    const tracked = new Tracked({ groupBy });
    new Life(tracked, allocationKey('bob', 1)).begin(connection('203.0.113.7:1'));
    new Life(tracked, allocationKey('bob', 2)).begin(connection('203.0.113.7:2'));
    new Life(tracked, allocationKey('bob', 3)).begin(connection('203.0.113.8:1'));
    expect(tracked.liveSessions).toBe(count);
    expect(tracked.tracker.users.count).toBe(1);
    tracked.pass(86_400_000);
    expect(tracked.finished().length).toBe(count);
  });

  it('grouped by client keeps two users behind one address apart', () => {
    const tracked = new Tracked({ groupBy: 'client' });
    new Life(tracked, allocationKey('bob', 1)).begin();
    new Life(tracked, allocationKey('eve', 2)).begin();
    expect(tracked.liveSessions).toBe(2);
  });

  it('notes how its allocations are connected', () => {
    const tracked = new Tracked();
    new Life(tracked, allocationKey('bob', 1)).begin();
    new Life(tracked, allocationKey('bob', 2)).begin(
      ', type=TLS/TCP, local=192.0.2.1:5349, remote=[2001:db8::7]:1, ssl=TLSv1.3, cipher=X',
    );
    expect(tracked.live()).toEqual({
      'example.org 192.0.2.1 udp': 1,
      'example.org 192.0.2.1 tls': 1,
    });
    tracked.tracker.shutdown(tracked.nowMs);
    expect(only(tracked)).toMatchObject({
      servers: '192.0.2.1',
      transports: 'udp,tls',
      tlsVersions: 'none,TLSv1.3',
      clients: '203.0.113.7,2001:db8::7',
    });
  });

  it('names the server by its connection in embedded mode', () => {
    const tracked = new Tracked({ serverFrom: 'connection' });
    new Life(tracked).begin();
    expect(tracked.live()).toEqual({ 'example.org redis udp': 1 });
  });

  it('moves an allocation to the server that a later status tells', () => {
    const tracked = new Tracked();
    const life = new Life(tracked).client(A).peer(A);
    expect(tracked.live()).toEqual({ 'example.org redis unknown': 1 });
    life.refresh();
    expect(tracked.live()).toEqual({ 'example.org 192.0.2.1 udp': 1 });
    life.delete();
    expect(tracked.live()).toEqual({});
  });
});

describe('Tracker, caps and release', () => {
  it('keeps the series of a user until its record is released', () => {
    const { tracked, life } = begun();
    life.client(A).delete();
    tracked.linger();
    const [session] = tracked.tracker.sessions.takeFinished();
    expect(tracked.users).toEqual(['bob']);
    if (session !== undefined) tracked.tracker.users.leave(session);
    expect(tracked.users).toEqual([]);
  });

  it('keeps a user who came back before the release', () => {
    const { tracked, life } = begun();
    life.delete();
    tracked.linger();
    const [session] = tracked.tracker.sessions.takeFinished();
    life.begin();
    if (session !== undefined) tracked.tracker.users.leave(session);
    expect(tracked.users).toEqual(['bob']);
    expect([...tracked.tracker.users.withSeries()][0]?.sessions.length).toBe(1);
  });

  it('sums users beyond the cap, and tells how many there are', () => {
    const tracked = new Tracked({ maxUsers: 2 });
    for (let id = 1; id <= 5; id += 1) new Life(tracked, allocationKey(`u${id}`, id)).begin();
    expect(tracked.users).toEqual(['u1', 'u2']);
    expect([...tracked.tracker.users.beyondCap()].map(({ label }) => label)).toEqual(
      Array(3).fill(OVERFLOW_USER),
    );
    expect(tracked.tracker.users.count).toBe(5);
    tracked.pass(86_400_000);
    expect(tracked.finished().map(({ username }) => username).length).toBe(5);
    expect(tracked.tracker.users.count).toBe(0);
  });

  it('sums realms beyond the cap, and still records the realm itself', () => {
    const tracked = new Tracked({ maxRealms: 1 });
    for (const [at, realm] of ['one', 'two', 'three'].entries()) {
      new Life(tracked, allocationKey('bob', at, realm)).begin().client(A);
    }
    expect([...tracked.tracker.ledger.realms()].map(({ realm }) => realm)).toEqual([
      'one',
      OVERFLOW,
    ]);
    expect(tracked.counted(OVERFLOW).client).toEqual(traffic(2, 20, 4, 40));
    expect(tracked.liveSessions).toBe(3);
    tracked.pass(86_400_000);
    expect(tracked.finished().map(({ realm }) => realm)).toEqual(['one', 'two', 'three']);
    expect(tracked.liveSessions).toBe(0);
  });
});

describe('Tracker.noteGap', () => {
  it.each<[string, (life: Life) => void, boolean]>([
    ['no total', (life) => life.delete(), false],
    ['the total of one side only', (life) => life.delete().total(A), false],
    ['both totals', (life) => life.delete().total(A, B), true],
  ])('makes what lived then complete: %s', (_what, tell, complete) => {
    const { tracked, life } = begun();
    life.client(A).peer(B);
    tracked.tracker.noteGap(tracked.origin);
    tell(life);
    tracked.linger();
    expect(only(tracked).complete).toBe(complete);
  });

  it('tells a session for how long its source was deaf while it lived', () => {
    const { tracked, life } = begun();
    const { tracker, origin, nowMs } = tracked;
    // Known at first as far as it has come, and from before the session began.
    tracker.noteGap(origin, { fromMs: nowMs - 1_000, toMs: nowMs + 500 });
    tracker.noteGap(origin, { fromMs: nowMs - 1_000, toMs: nowMs + 2_000 });
    tracker.noteGap(origin, { fromMs: nowMs + 3_000, toMs: nowMs + 3_250 });
    tracked.pass(10_000);
    life.client(A).peer(B).delete();
    tracker.noteGap(origin, { fromMs: tracked.nowMs + 1, toMs: tracked.nowMs + 100 });
    tracked.linger();
    expect(only(tracked).gapMs).toBe(2_250);
    expect(origin.gaps).toBe(3);
  });

  it('says nothing of allocations that begin later, or live in another origin', () => {
    const { tracked, life } = begun();
    tracked.tracker.noteGap(tracked.tracker.openOrigin(tracked.stats, 'other'));
    life.client(A).peer(B).delete();
    tracked.linger();
    expect(only(tracked).complete).toBe(true);
    tracked.tracker.noteGap(tracked.origin);
    life.begin().client(A).peer(B).delete();
    tracked.linger();
    expect(only(tracked).complete).toBe(true);
  });
});

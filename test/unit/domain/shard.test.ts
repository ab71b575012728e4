import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SourceStats } from '../../../src/domain/source-stats.ts';
import { Tracker } from '../../../src/domain/tracker.ts';
import { isInShard } from '../../../src/domain/user.ts';
import { wireMessage } from '../../support/wire-message.ts';

const NAME = fc.string({ unit: 'binary', maxLength: 40 });

/** The shards of `total` that account for a user. */
function shardsOf(realm: string, userName: string, total: number): number[] {
  return Array.from({ length: total }, (_, index) => index).filter((index) =>
    isInShard(realm, userName, { index, total }),
  );
}

describe('isInShard', () => {
  it('gives every user to exactly one shard', () => {
    fc.assert(
      fc.property(NAME, NAME, fc.integer({ min: 1, max: 64 }), (realm, userName, total) => {
        expect(shardsOf(realm, userName, total)).toHaveLength(1);
      }),
    );
  });

  it('gives everybody to the only shard', () => {
    expect(isInShard('', '', { index: 0, total: 1 })).toBe(true);
  });

  // A replica of another version must make the same choice: these never change.
  it.each([
    ['example.org', 'alice', 3, 0],
    ['example.org', 'bob', 3, 1],
    ['', 'bob', 3, 1],
    ['bücher.example', 'café', 7, 0],
    ['example.org', '', 16, 12],
    ['realm', 'user\ud800', 1024, 730],
  ])('gives %j %j of %i to shard %i, for ever', (realm, userName, total, index) => {
    expect(shardsOf(realm, userName, total)).toEqual([index]);
  });

  it('keeps realm and user apart', () => {
    const pairs = [
      ['a', 'b c'],
      ['a b', 'c'],
      ['', 'a b c'],
    ] as const;
    const shards = pairs.map(([realm, userName]) => shardsOf(realm, userName, 1024)[0]);
    expect(new Set(shards).size).toBe(3);
  });

  it.each([2, 3, 7, 16])('spreads numbered users evenly over %i shards', (total) => {
    const users = 8_000;
    const counts = new Array<number>(total).fill(0);
    for (let user = 0; user < users; user += 1) {
      const [index = 0] = shardsOf('example.org', `user${user}`, total);
      counts[index] = (counts[index] ?? 0) + 1;
    }
    const even = users / total;
    for (const count of counts) expect(Math.abs(count - even) / even).toBeLessThan(0.15);
  });
});

describe('Tracker of one shard', () => {
  it('drops what other replicas account for, by its key once it has heard of it', () => {
    const tracker = new Tracker({
      groupBy: 'user',
      lingerMs: 0,
      userName: (username) => username,
      newSessionId: () => '',
      maxUsers: 10,
      maxRealms: 10,
      // bob is of shard 1, for ever.
      shard: { index: 0, total: 3 },
    });
    const stats = new SourceStats('test', 'status');
    const origin = tracker.openOrigin(stats, 'redis');
    const key = 'turn/realm/example.org/user/bob/allocation/001000000000000001';
    const traffic = 'rcvp=1, rcvb=2, sentp=3, sentb=4';
    expect(tracker.receiveDelta(origin, wireMessage(`${key}/traffic`, traffic), 0)).toBe(false);
    tracker.receive(origin, `${key}/status`, 'new lifetime=600', 0);
    expect(tracker.receiveDelta(origin, wireMessage(`${key}/traffic`, traffic), 0)).toBe(true);
    expect(tracker.receiveDelta(origin, wireMessage(`${key}/traffic/peer`, traffic), 0)).toBe(true);
    expect(stats.events).toMatchObject({ new: 0, traffic: 0, traffic_peer: 0 });
    expect(tracker.allocationCount).toBe(0);
    tracker.receive(origin, `${key}/status`, 'deleted', 0);
    expect(tracker.receiveDelta(origin, wireMessage(`${key}/traffic`, traffic), 0)).toBe(false);
  });
});

import { describe, expect, it } from 'vitest';
import { allocationKey, connection, payloadOf, traffic } from '../support/coturn-message.ts';
import { Tracked } from '../unit/domain/tracked.ts';

const KEY = allocationKey('alice', 1);
const NEW = `new lifetime=600${connection()}`;
const BOTH_SIDES = ['traffic', 'traffic/peer'];

function say(tracked: Tracked, topics: readonly string[], bytes: number): void {
  for (const topic of topics) {
    tracked.send(`${KEY}/${topic}`, payloadOf(traffic(1, bytes, 1, bytes)));
  }
}

/** A real one needs a coturn that gives the same id to the same user while Redis is away. */
describe('a coturn that restarts in a gap and gives an old id to the same user', () => {
  it('makes a record that is not complete where its totals contradict what was reported', () => {
    const tracked = new Tracked();
    tracked.send(`${KEY}/status`, NEW);
    say(tracked, BOTH_SIDES, 1000);
    tracked.tracker.noteGap(tracked.origin);
    say(tracked, BOTH_SIDES, 20);
    tracked.send(`${KEY}/status`, 'deleted');
    say(tracked, ['total_traffic', 'total_traffic/peer'], 50);
    const [session] = tracked.linger().finished();
    expect(session?.client).toMatchObject({ receivedBytes: 1020 });
    expect(session?.complete).toBe(false);
    expect(tracked.stats.missedBytes).toBe(0);
    expect(tracked.counted().client.receivedBytes).toBe(1020);
  });
});

import { describe, expect, it } from 'vitest';
import { createSessionRecord } from '../../../src/domain/session-record.ts';
import { allocationKey, payloadOf, statusOf, traffic } from '../../support/coturn-message.ts';
import { Tracked } from './tracked.ts';

/** Alice's allocations 1 and 2; the first ends with its totals, and the second has 30 bytes so far. */
function begin(tracked: Tracked): void {
  const [first, second] = [allocationKey('alice', 1), allocationKey('alice', 2)];
  for (const key of [first, second]) tracked.send(`${key}/status`, statusOf('new'));
  for (const key of [`${first}/total_traffic`, `${first}/total_traffic/peer`]) {
    tracked.send(key, payloadOf(traffic(1, 500, 1, 700)));
  }
  tracked.send(`${first}/status`, 'deleted').linger();
  tracked.send(`${second}/traffic`, payloadOf(traffic(1, 10, 1, 20)));
  tracked.send(`${second}/traffic/peer`, payloadOf(traffic(1, 30, 1, 40)));
}

function onlyRecord(tracked: Tracked): ReturnType<typeof createSessionRecord> {
  const [session, ...others] = tracked.finished();
  if (session === undefined || others.length > 0) throw new Error('Not one session');
  return createSessionRecord(session, 0);
}

describe('the record of a session that is cut off', () => {
  it('tells how many allocations were open, and what is theirs', () => {
    const tracked = new Tracked();
    begin(tracked);
    tracked.tracker.shutdown(tracked.nowMs);
    expect(onlyRecord(tracked)).toMatchObject({
      received_bytes: 510,
      allocations: 2,
      open_allocations: 1,
      open_received_bytes: 10,
      open_sent_bytes: 20,
      open_peer_received_bytes: 30,
      open_peer_sent_bytes: 40,
      adopted_allocations: undefined,
    });
  });

  it('is followed by one that tells how many allocations were there before', () => {
    const tracked = new Tracked();
    const [third, second] = [allocationKey('alice', 3), allocationKey('alice', 2)];
    tracked.send(`${third}/status`, statusOf('new'));
    tracked.send(`${second}/status`, statusOf('refreshed'));
    for (const key of [second, third]) tracked.send(`${key}/status`, 'deleted');
    const record = onlyRecord(tracked.linger());
    expect(record).toMatchObject({ allocations: 2, adopted_allocations: 1, start_known: true });
    expect(JSON.parse(JSON.stringify(record))).not.toHaveProperty('open_allocations');
  });

  it('is like any other where the exporter goes on', () => {
    const tracked = new Tracked();
    begin(tracked);
    tracked.send(`${allocationKey('alice', 2)}/status`, 'deleted').linger();
    const record = JSON.parse(JSON.stringify(onlyRecord(tracked)));
    for (const name of ['open_allocations', 'open_sent_bytes', 'adopted_allocations']) {
      expect(record).not.toHaveProperty(name);
    }
  });
});

import { describe, expect, it } from 'vitest';
import type { BillRecord } from '../../../src/report/bill-record.ts';
import { SessionMerger } from '../../../src/report/session-merger.ts';
import type { BilledSession } from '../../../src/report/whole-session.ts';
import { bytes, record } from './records.ts';

function merge(records: readonly BillRecord[]): BilledSession[] {
  const sessions: BilledSession[] = [];
  const merger = new SessionMerger((session) => sessions.push(session));
  const inOrder = [...records].sort((left, right) => left.timeMs - right.timeMs);
  for (const each of inOrder) merger.push(each);
  merger.finish();
  return sessions;
}

function received(sessions: readonly BilledSession[]): number[] {
  return sessions.map((session) => session.record.receivedBytes).sort((a, b) => a - b);
}

/** A session that its exporter left, as exporters tell it that tell what was open. */
function cutOff(fields: Record<string, unknown>): BillRecord {
  return record({ reason: 'shutdown', complete: false, ...fields });
}

describe('SessionMerger, restarts', () => {
  const first = cutOff({ until: 5, ...bytes(700) });
  const second = record({ at: 6, until: 20, start_known: false, ...bytes(1500) });

  it('makes one session of a shutdown and its successor, whose totals hold the first', () => {
    const [session, ...others] = merge([first, second]);
    expect(others).toEqual([]);
    expect(session?.uncertainBytes).toBe(0);
    expect(session?.record).toMatchObject({
      receivedBytes: 1500,
      durationMs: 20 * 60_000,
      startKnown: true,
      complete: true,
      allocations: 1,
    });
  });

  it('keeps users apart who are called alike and differ in what a pattern told of them', () => {
    const left = cutOff({ until: 5, ...bytes(700), attr_tenant: '7' });
    const next = { at: 6, until: 20, start_known: false, ...bytes(1500) };
    expect(received(merge([left, record({ ...next, attr_tenant: '8' })]))).toEqual([700, 1500]);
    expect(received(merge([left, record({ ...next, attr_tenant: '7' })]))).toEqual([1500]);
  });

  it('adds what had ended before the restart, where the record tells', () => {
    const open = { open_allocations: 1, ...bytes(700, 'open_') };
    const before = cutOff({ allocations: 3, ...bytes(1000), ...open });
    const [session] = merge([before, second]);
    expect(session?.record).toMatchObject({ receivedBytes: 1800, complete: true, allocations: 3 });
    expect(session?.uncertainBytes).toBe(0);
  });

  it('takes a successor that began anew and then found the old allocation', () => {
    const next = record({ at: 6, allocations: 2, adopted_allocations: 1, ...bytes(1500) });
    expect(received(merge([first, next]))).toEqual([1500]);
  });

  it('puts together what the next exporter found bit by bit', () => {
    const open = { open_allocations: 3, ...bytes(700, 'open_') };
    const before = cutOff({ allocations: 4, ...bytes(750), ...open });
    const idle = record({ at: 6, until: 7, start_known: false, ...bytes(20), relayed: false });
    const others = { allocations: 2, adopted_allocations: 2, start_known: false };
    const call = record({ at: 6.5, until: 20, ...others, ...bytes(1500) });
    const [session, ...rest] = merge([before, idle, call]);
    expect(rest).toEqual([]);
    expect(session).toMatchObject({ parts: 3, uncertainBytes: 0 });
    expect(session?.record).toMatchObject({ receivedBytes: 50 + 1520, complete: true });
    expect(session?.record.durationMs).toBe(20 * 60_000);
    const [unfinished] = merge([before, idle]);
    expect(unfinished?.record).toMatchObject({ receivedBytes: 750, complete: false });
    expect(unfinished?.uncertainBytes).toBe(2 * 20);
  });

  it('finds what was cut off also where another allocation gave the reason', () => {
    const open = { open_allocations: 1, ...bytes(100, 'open_') };
    const before = record({ allocations: 2, ...bytes(5100), ...open });
    expect(received(merge([before, record({ at: 6, start_known: false, ...bytes(900) })]))).toEqual(
      [5900],
    );
  });

  it('goes over two restarts', () => {
    const middle = cutOff({ at: 6, until: 10, start_known: false, ...bytes(200) });
    const last = record({ at: 11, until: 20, start_known: false, ...bytes(1500) });
    const [session, ...others] = merge([first, middle, last]);
    expect(others).toEqual([]);
    expect(session).toMatchObject({ parts: 3, uncertainBytes: 0 });
    expect(session?.record).toMatchObject({ receivedBytes: 1500, complete: true });
  });

  it('counts the least, and tells how much more it may be, where allocations ended unseen', () => {
    const before = cutOff({ until: 5, allocations: 2, ...bytes(700) });
    const [session] = merge([before, second]);
    expect(session?.record).toMatchObject({ receivedBytes: 1500, complete: false });
    expect(session?.uncertainBytes).toBe(2 * 700);
  });

  it('counts the least where the successor has no totals', () => {
    const lost = record({
      at: 6,
      start_known: false,
      complete: false,
      reason: 'expired',
      ...bytes(300),
    });
    const [session] = merge([first, lost]);
    expect(session?.record).toMatchObject({ receivedBytes: 700, complete: false });
    expect(session?.uncertainBytes).toBe(2 * 300);
  });

  it('adds the reports of two exporters that were both stopped', () => {
    const middle = cutOff({ at: 6, until: 10, start_known: false, ...bytes(200) });
    const [session] = merge([first, middle]);
    expect(session?.record).toMatchObject({ receivedBytes: 900, openAllocations: 1 });
  });

  it('gives a successor to the latest that was cut off', () => {
    const earlier = cutOff({ at: -30, until: -25, ...bytes(100) });
    expect(received(merge([earlier, first, second]))).toEqual([100, 1500]);
  });

  it.each([
    ['another user', { user: 'bob' }],
    ['another realm', { realm: 'example.net' }],
    ['another server', { server: '192.0.2.2' }],
    ['another client', { client: '203.0.113.8' }],
    ['another replica', { replica: 'a' }],
    ['hours later', { at: 100, until: 120 }],
    ['earlier', { at: -20, until: 30 }],
    ['less than there was', bytes(600)],
    ['its start known', { start_known: true }],
  ])('keeps a record apart that is of %s', (_, other) => {
    const next = record({ at: 6, until: 20, start_known: false, ...bytes(1500), ...other });
    const sessions = merge([first, next]);
    expect(sessions).toHaveLength(2);
    expect(sessions.map(({ parts }) => parts)).toEqual([1, 1]);
  });

  it('joins what several connections have in common', () => {
    const before = cutOff({ client: '203.0.113.7,203.0.113.9', transport: 'udp' });
    const next = record({
      at: 6,
      start_known: false,
      client: '203.0.113.9',
      transport: 'tls',
      ...bytes(1500),
    });
    expect(merge([before, next])[0]?.record).toMatchObject({
      client: '203.0.113.7,203.0.113.9',
      transport: 'udp,tls',
    });
  });
});

describe('SessionMerger, a pair', () => {
  const MS = 1 / 60_000;

  it('counts a session once that both recorded, milliseconds apart, whichever came first', () => {
    const one = record({ replica: 'a', server: 'turn' });
    const other = record({ at: 3 * MS, until: 5 + 4 * MS, replica: 'b', server: 'turn' });
    const early = record({ at: -3 * MS, until: 5 - 4 * MS, replica: 'b', server: 'turn' });
    for (const records of [
      [one, other],
      [early, one],
    ]) {
      const sessions = merge(records);
      expect(sessions).toHaveLength(1);
      expect(sessions[0]).toMatchObject({ pair: 'alike', record: { id: one.id } });
    }
  });

  it('counts each of several sessions that follow closely', () => {
    const records = ['a', 'b'].flatMap((replica) =>
      [0, 1, 2, 3].map((index) =>
        record({ replica, at: index, until: index + 0.98, ...bytes(100 * index) }),
      ),
    );
    expect(received(merge(records))).toEqual([0, 100, 200, 300]);
  });

  it('counts two equal sessions of one user at one time as two', () => {
    const records = ['a', 'b'].flatMap((replica) => [record({ replica }), record({ replica })]);
    expect(merge(records)).toHaveLength(2);
  });

  it('takes the larger where one missed something', () => {
    const whole = record({ replica: 'b', ...bytes(1000) });
    const part = record({ replica: 'a', complete: false, ...bytes(900) });
    const [session, ...others] = merge([whole, part]);
    expect(others).toEqual([]);
    expect(session).toMatchObject({ pair: 'unlike', record: { id: whole.id } });
  });

  it('takes the whole of one rather than the halves of the other', () => {
    const whole = record({ replica: 'a', until: 60, ...bytes(1000) });
    const halves = [
      record({ replica: 'b', until: 30, ...bytes(500) }),
      record({ replica: 'b', at: 31, until: 60, ...bytes(400), start_known: false }),
    ];
    expect(received(merge([whole, ...halves]))).toEqual([1000]);
  });

  it('takes the whole rather than what the other left and found again', () => {
    const whole = record({ replica: 'a', until: 60, allocations: 2, ...bytes(1000) });
    const left = cutOff({ replica: 'b', until: 30, allocations: 2, ...bytes(500) });
    const found = record({
      replica: 'b',
      at: 31,
      until: 60,
      ...bytes(800),
      start_known: false,
    });
    expect(received(merge([whole, left, found]))).toEqual([1000]);
    expect(received(merge([whole, left]))).toEqual([1000]);
  });

  it('takes the one that recorded anything at all', () => {
    expect(merge([record({ replica: 'b' })])).toMatchObject([{ record: { replica: 'b' } }]);
  });

  it('waits for the one that missed the end until the lifetime is over', () => {
    const whole = record({ replica: 'a' });
    const time = new Date(whole.timeMs + 3_675_000).toISOString();
    const late = record({ replica: 'b', complete: false, reason: 'expired', time, ...bytes(900) });
    const others = Array.from({ length: 60 }, (_, at) => record({ at, user: 'bob' }));
    expect(received(merge([whole, late, ...others]).filter(isOf('alice')))).toEqual([1000]);
  });

  it.each([
    ['no replica is named', {}, {}],
    ['both are of one replica', { replica: 'a' }, { replica: 'a' }],
    ['the users differ', { replica: 'a' }, { replica: 'b', user: 'bob' }],
    [
      'the clients differ',
      { replica: 'a', ...bytes(5) },
      { replica: 'b', client: '198.51.100.2', ...bytes(7) },
    ],
    [
      'the servers differ and so do the sums',
      { replica: 'a', ...bytes(5) },
      { replica: 'b', server: '192.0.2.9', ...bytes(7) },
    ],
    ['one is over when the other begins', { replica: 'a' }, { replica: 'b', at: 7, until: 9 }],
  ])('counts two where %s', (_, one, other) => {
    expect(merge([record(one), record(other)])).toHaveLength(2);
  });

  it('holds no more than two hours of records', () => {
    let counted = 0;
    const merger = new SessionMerger(() => {
      counted += 1;
    });
    for (let at = 0; at < 10_000; at += 1) merger.push(record({ at, until: at + 1, replica: 'a' }));
    expect(counted).toBeGreaterThan(10_000 - 200);
  });
});

function isOf(user: string): (session: BilledSession) => boolean {
  return ({ record: { user: name } }) => name === user;
}

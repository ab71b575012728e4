import { describe, expect, it } from 'vitest';
import { percentile95, SLOT_MS } from '../../../src/report/bandwidth.ts';
import { Bill, type BillKey, type BillOptions } from '../../../src/report/bill.ts';
import { ExactSums } from '../../../src/report/exact-sum.ts';
import { bytes, type RecordFields, session } from './records.ts';

function bill(
  by: readonly BillKey[],
  sessions: readonly RecordFields[],
  options: Partial<BillOptions> = {},
) {
  const made = new Bill({ by, fromMs: undefined, toMs: undefined, ...options });
  for (const fields of sessions) made.add(session(fields));
  const result = made.result();
  return { ...result, rows: [...result.rows] };
}

describe('Bill', () => {
  it('sums sessions up by user, who belongs to a realm', () => {
    const { columns, rows, total } = bill(
      ['user'],
      [
        { user: 'bob', realm: 'example.net' },
        {},
        { relayed: false, ...bytes(50) },
        { relayed: null, complete: false, start_known: false, ...bytes(7) },
        { user: 'bob', realm: 'example.org' },
      ],
    );
    expect(columns).toEqual(['realm', 'user']);
    expect(rows.map(({ keys }) => keys.join(' '))).toEqual([
      'example.net bob',
      'example.org alice',
      'example.org bob',
    ]);
    expect(rows[1]).toMatchObject({
      sessions: 3,
      relayed: 1,
      direct: 1,
      unknown: 1,
      durationMs: 900_000n,
      relayedMs: 300_000n,
      receivedBytes: 1057n,
      peerSentBytes: 1057n,
      billedBytes: 2114n,
      incomplete: 1,
      incompleteBytes: 14n,
      startUnknown: 1,
    });
    expect(total).toMatchObject({ sessions: 5, billedBytes: 6114n });
  });

  it('takes a session to the day and month in which it ended', () => {
    const midnight = 15 * 60;
    const { columns, rows } = bill(
      ['month', 'day', 'server', 'transport'],
      [
        { at: midnight - 5, until: midnight },
        { at: midnight - 5, until: midnight - 0.01 },
      ],
    );
    expect(columns).toEqual(['month', 'day', 'server', 'transport']);
    expect(rows.map(({ keys }) => keys.slice(0, 2))).toEqual([
      ['2026-10', '2026-10-05'],
      ['2026-10', '2026-10-06'],
    ]);
  });

  it('counts sessions that ended from one moment on and before another', () => {
    const fromMs = Date.parse('2026-10-05T09:10:00Z');
    const toMs = Date.parse('2026-10-05T09:20:00Z');
    const sessions = [{ until: 9.99 }, { until: 10 }, { at: 15, until: 20 }];
    expect(bill(['realm'], sessions, { fromMs, toMs }).total.sessions).toBe(1);
    expect(bill(['realm'], sessions, { fromMs }).total.sessions).toBe(2);
    expect(bill(['realm'], sessions, { toMs }).total.sessions).toBe(2);
  });

  it('keeps rows apart whose names only look alike when they are joined', () => {
    const names = [
      { realm: 'a', user: 'b:c' },
      { realm: 'a:b', user: 'c' },
      { realm: 'a\0b', user: 'c' },
      { realm: 'a', user: 'b\0c' },
      { realm: '1:a', user: '' },
    ];
    expect(bill(['user'], names).rows).toHaveLength(names.length);
  });

  it('stays exact beyond 2^53', () => {
    const most = Number.MAX_SAFE_INTEGER;
    const sums = { received_bytes: most, peer_received_bytes: 0, sent_bytes: 1 };
    const { total } = bill(
      ['realm'],
      Array.from({ length: 5 }, () => ({ ...sums, relayed: false })),
    );
    expect(total.receivedBytes).toBe(5n * BigInt(most));
    const exact = new ExactSums(1);
    for (let index = 0; index < 10; index += 1) exact.add(0, 2 ** 52 - 1);
    expect(exact.value(0)).toBe(10n * (2n ** 52n - 1n));
  });
});

describe('the 95th percentile of bandwidth', () => {
  const MBIT = 1e6;
  /** Billed bytes of five minutes at a Mbit/s. */
  const FIVE_MINUTES = (MBIT * 300) / 8;

  it('is what 95 of 100 slots do not pass', () => {
    const busy = Array.from({ length: 15 }, (_, index) => ({
      at: index * 5,
      until: index * 5 + 5,
      ...bytes((FIVE_MINUTES / 2) * (index + 1)),
    }));
    // 288 slots of a day: 14 may have more.
    expect(bill(['day'], busy).rows[0]?.p95BitsPerSecond).toBeCloseTo(MBIT);
    expect(bill(['day'], busy.slice(1)).rows[0]?.p95BitsPerSecond).toBe(0);
  });

  it('spreads a session over its time, also beyond a slot and a day', () => {
    const midnight = 15 * 60;
    const hours = 24 * 60;
    const long = { at: midnight - hours, until: midnight + hours / 2 };
    const sums = bytes((FIVE_MINUTES * (1.5 * hours)) / 5 / 2);
    const { rows, total } = bill(['day'], [{ ...long, ...sums }]);
    expect(rows.map(({ keys, p95BitsPerSecond }) => [keys[0], p95BitsPerSecond])).toEqual([
      ['2026-10-06', expect.closeTo(MBIT)],
    ]);
    expect(total.p95BitsPerSecond).toBeCloseTo(MBIT);
  });

  it('counts slots without traffic, of the month or of the time that is asked for', () => {
    const call = { until: 60, ...bytes(FIVE_MINUTES * 6) };
    expect(bill(['month'], [call]).rows[0]?.p95BitsPerSecond).toBe(0);
    const hour = { fromMs: Date.parse('2026-10-05T09:00Z'), toMs: Date.parse('2026-10-05T10:00Z') };
    expect(bill(['month'], [{ ...call, until: 59.9 }], hour).rows[0]?.p95BitsPerSecond).toBeCloseTo(
      1.0017 * MBIT,
      -4,
    );
  });

  it('leaves out a session whose clock was set within it', () => {
    const { total } = bill(['realm'], [{ start: '1970-01-01T00:00:00Z' }, { at: 100, until: 105 }]);
    expect(total).toMatchObject({ sessions: 2, billedBytes: 4000n });
  });

  it.each([
    [[], 100, 0],
    [[5], 1, (5 * 8 * 1000) / SLOT_MS],
    [[1, 2, 3], 20, (2 * 8 * 1000) / SLOT_MS],
    [[3, 1, 2], 19, (3 * 8 * 1000) / SLOT_MS],
  ])('of %j in %d slots is %d bit/s', (moved, slots, expected) => {
    expect(percentile95(Float64Array.from(moved), slots)).toBeCloseTo(expected);
  });
});

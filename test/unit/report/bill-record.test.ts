import { describe, expect, it } from 'vitest';
import { billedBytes, parseRecordLine } from '../../../src/report/bill-record.ts';
import { record, recordLine } from './records.ts';

describe('parseRecordLine', () => {
  it('reads a record', () => {
    expect(record({ at: 1, until: 2, relayed: null, replica: 'a' })).toMatchObject({
      realm: 'example.org',
      user: 'alice',
      replica: 'a',
      startMs: Date.parse('2026-10-05T09:01:00Z'),
      durationMs: 60_000,
      relayed: undefined,
      receivedBytes: 1000,
      adoptedAllocations: 0,
      openAllocations: 0,
    });
  });

  it('takes a shutdown for a session whose allocations all go on, where that is not told', () => {
    expect(record({ reason: 'shutdown', allocations: 3 })).toMatchObject({
      openAllocations: 3,
      open: { receivedBytes: 1000 },
    });
    expect(record({ start_known: false, allocations: 3 }).adoptedAllocations).toBe(3);
  });

  it.each([['{"level":"info","msg":"listening"}'], ['{"event":"something_else"}']])(
    'leaves %s alone',
    (line) => {
      expect(parseRecordLine(line)).toEqual({ kind: 'other' });
    },
  );

  it.each([
    ['{"level":"info","time":"2026-10', 'expected a JSON object, found {"level":"info"'],
    ['17', 'expected a JSON object, found 17'],
    ['null', 'expected a JSON object, found null'],
    ['[]', 'expected a JSON object, found []'],
    ['\u001b[2J', 'expected a JSON object, found \ufffd[2J'],
    [recordLine({ schema: 2 }), 'schema is 2: expected 1'],
    [recordLine({ received_bytes: '12' }), 'received_bytes is "12": expected a whole number'],
    [recordLine({ received_bytes: -1 }), 'received_bytes is -1: expected a whole number'],
    [recordLine({ sent_bytes: 1.5 }), 'sent_bytes is 1.5: expected a whole number'],
    [recordLine({ sent_bytes: 2 ** 53 }), 'sent_bytes is 9007199254740992: expected a whole'],
    [recordLine({ realm: undefined }), 'realm is missing: expected a text'],
    [recordLine({ relayed: 'no' }), 'relayed is "no": expected true or false'],
    [recordLine({ start: 'yesterday' }), 'start is "yesterday": expected a time such as 2026-'],
    [recordLine({ duration_seconds: -1 }), 'duration_seconds is -1: expected a number of seconds'],
  ])('refuses %s', (line, reason) => {
    const parsed = parseRecordLine(line);
    expect(parsed).toMatchObject({ kind: 'bad' });
    expect(parsed.kind === 'bad' && parsed.reason).toContain(reason);
  });
});

describe('billedBytes', () => {
  it('is what came in on both sides', () => {
    const sums = { received_bytes: 3, sent_bytes: 5, peer_received_bytes: 7, peer_sent_bytes: 11 };
    expect(billedBytes(record(sums))).toBe(10);
  });

  it('is both client sums where coturn reports no peer side', () => {
    const sums = { received_bytes: 3, sent_bytes: 5, peer_received_bytes: 0, peer_sent_bytes: 0 };
    expect(billedBytes(record(sums))).toBe(8);
    expect(billedBytes(record({ ...sums, relayed: false }))).toBe(3);
  });
});

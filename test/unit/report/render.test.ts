import { describe, expect, it } from 'vitest';
import { Bill, type BillResult } from '../../../src/report/bill.ts';
import { Progress } from '../../../src/report/progress.ts';
import { csvText, plainText, renderBill, withPoint } from '../../../src/report/render.ts';
import { Collected } from './collected.ts';
import { bytes, type RecordFields, session } from './records.ts';

const TEXTS = { title: 'TURN sessions by user', notes: ['Incomplete: 1 session.'] };

function billOf(...sessions: RecordFields[]): BillResult {
  const bill = new Bill({ by: ['user'], fromMs: undefined, toMs: undefined });
  for (const fields of sessions) bill.add(session(fields));
  return bill.result();
}

function render(bill: BillResult, format: 'table' | 'csv' | 'json' | 'markdown'): string {
  return [...renderBill(bill, format, TEXTS)].join('');
}

const BILL = billOf(
  { ...bytes(1_234_567_890), complete: false },
  { user: 'bob', relayed: false, ...bytes(500) },
  { user: 'carol', relayed: null, until: 2.5 },
);

describe('renderBill', () => {
  it('makes a table for people', () => {
    expect(render(BILL, 'table')).toBe(
      `TURN sessions by user

realm        user   sessions  relayed  minutes     GB  GB from clients  GB to clients  p95 Mbit/s  incomplete
-----------  -----  --------  -------  -------  -----  ---------------  -------------  ----------  ----------
example.org  alice         1  100.0 %    5.000  2.469            1.235          1.235      65.844           1
example.org  bob           1    0.0 %    5.000  0.000            0.000          0.000       0.000           0
example.org  carol         1        -    2.500  0.000            0.000          0.000       0.000           0
total                      3   50.0 %   12.500  2.469            1.235          1.235      65.844           1

Incomplete: 1 session.
`,
    );
  });

  it('makes Markdown whose names are no markup', () => {
    const text = render(billOf({ user: 'a|b*<c>`\n' }), 'markdown');
    expect(text).toContain('| realm | user | sessions |');
    expect(text).toContain('| --- | --- | ---: |');
    expect(text).toContain('| example.org | a\\|b\\*\\<c\\>\\`\\\\u\\{a\\} | 1 | 100.0 % |');
    expect(text).toContain('\n- Incomplete: 1 session.\n');
  });

  it('makes CSV with all numbers and no total', () => {
    expect(render(BILL, 'csv').split('\n')).toEqual([
      'realm,user,sessions,relayed_sessions,direct_sessions,unknown_sessions,relayed_share,minutes,relayed_minutes,billed_gb,billed_bytes,received_bytes,sent_bytes,peer_received_bytes,peer_sent_bytes,p95_mbit_per_second,incomplete_sessions,incomplete_bytes,start_unknown_sessions,uncertain_bytes',
      '"example.org","alice",1,1,0,0,1.0000,5.000,5.000,2.469135780,2469135780,1234567890,1234567890,1234567890,1234567890,65.843621,1,2469135780,0,0',
      '"example.org","bob",1,0,1,0,0.0000,5.000,0.000,0.000001000,1000,500,500,500,500,0.000027,0,0,0,0',
      '"example.org","carol",1,0,0,1,,2.500,0.000,0.000002000,2000,1000,1000,1000,1000,0.000053,0,0,0,0',
      '',
    ]);
  });

  it('makes JSON with the same, a total and what to know', () => {
    const bill = JSON.parse(render(BILL, 'json'));
    expect(bill).toMatchObject({ schema: 1, ...TEXTS });
    expect(bill.rows).toHaveLength(3);
    expect(bill.rows[2]).toMatchObject({ user: 'carol', relayed_share: null, minutes: 2.5 });
    expect(bill.total).toMatchObject({ sessions: 3, relayed_share: 0.5, billed_bytes: 2469138780 });
  });

  it('makes an empty bill of nothing', () => {
    expect(render(billOf(), 'csv').split('\n')).toHaveLength(2);
    expect(JSON.parse(render(billOf(), 'json')).rows).toEqual([]);
    expect(render(billOf(), 'table')).toContain('total');
  });

  it('writes sums beyond 2^53 in full', () => {
    const most = { ...bytes(0), received_bytes: Number.MAX_SAFE_INTEGER, relayed: false };
    expect(render(billOf(most, most, most), 'csv')).toContain(',27021597764222973,');
  });
});

describe('csvText', () => {
  it.each([
    ['alice', '"alice"'],
    ['a"b', '"a""b"'],
    ['a,b\nc', '"a,b\nc"'],
    ['=1+1', `"'=1+1"`],
    ['+1', `"'+1"`],
    ['-1', `"'-1"`],
    ['@SUM(A1)', `"'@SUM(A1)"`],
    ['\t=1', `"'\t'=1"`],
    ['\rx', `"'\rx"`],
    [' =1', `"' =1"`],
    ['\0=1', `"'\0=1"`],
    ['\ufeff=1', `"'\ufeff=1"`],
    ['\uff1d1', `"'\uff1d1"`],
    ['a;=1', `"a;'=1"`],
    ['a\n=1', `"a\n'=1"`],
    ['a","=1', `"a"",'""=1"`],
    ['a-b@c=d+e', '"a-b@c=d+e"'],
  ])('writes %j as %s', (text, cell) => {
    expect(csvText(text)).toBe(cell);
  });
});

describe('plainText', () => {
  it('leaves a terminal alone', () => {
    expect(plainText('a\u001b[2Jb\u202ec')).toBe('a\\u{1b}[2Jb\\u{202e}c');
    expect(plainText('')).toBe('""');
  });
});

describe('withPoint', () => {
  it.each([
    [0n, '0.000'],
    [7n, '0.007'],
    [1234n, '1.234'],
  ])('writes %d as %s', (value, text) => {
    expect(withPoint(value, 3)).toBe(text);
  });
});

describe('Progress', () => {
  it('tells a terminal how far it is, ten times a second at most, and takes it back', () => {
    let nowMs = 0;
    const terminal = Object.assign(new Collected(), { isTTY: true });
    const progress = new Progress(terminal, 200e6, () => nowMs);
    progress.show(10e6, 15_000);
    nowMs = 1000;
    progress.show(50e6, 75_000);
    progress.show(51e6, 76_000);
    progress.clear();
    expect(terminal.text).toBe(
      '\r\u001b[K[#####...............] 25 %, 50.0 of 200 MB, 75,000 records, 3 s left\r\u001b[K',
    );
  });

  it('knows no end of standard input, and is silent where nobody looks', () => {
    let nowMs = 0;
    const [terminal, pipe] = [Object.assign(new Collected(), { isTTY: true }), new Collected()];
    const both = [terminal, pipe].map((output) => new Progress(output, 0, () => nowMs));
    nowMs = 1000;
    for (const progress of both) progress.show(50e6, 75_000);
    for (const progress of both) progress.clear();
    expect(terminal.text).toContain('50.0 MB, 75,000 records');
    expect(pipe.text).toBe('');
  });
});

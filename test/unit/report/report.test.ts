import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { runReportCommand } from '../../../src/cli/report.ts';
import { createTempFolder } from '../../support/temp-folder.ts';
import { Collected } from './collected.ts';
import { bytes, recordLine } from './records.ts';

let folder: string;
beforeEach(() => {
  folder = createTempFolder(onTestFinished);
});

function write(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function lines(...all: string[]): string {
  return all.map((line) => `${line}\n`).join('');
}

async function report(argv: readonly string[], stdin: Buffer | string = '') {
  const [stdout, stderr] = [new Collected(), new Collected()];
  const code = await runReportCommand(argv, {
    stdin: Readable.from([Buffer.from(stdin)]),
    stdout,
    stderr,
    signal: new AbortController().signal,
  });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** Total and notes of a bill. */
async function totalOf(argv: readonly string[], stdin: Buffer | string = '') {
  const { code, stdout, stderr } = await report(['--format=json', ...argv], stdin);
  const { total, notes } = JSON.parse(stdout);
  return { code, stderr, notes, sessions: total.sessions, bytes: total.received_bytes };
}

describe('report', () => {
  it('reads plain files, packed files and standard input', async () => {
    const plain = write('a.jsonl', lines(recordLine(), recordLine()));
    const packed = write('b.jsonl.gz', gzipSync(lines(recordLine())));
    const twice = write('c.gz', Buffer.concat([1, 2].map(() => gzipSync(lines(recordLine())))));
    const answer = await totalOf([plain, packed, '-', twice], gzipSync(lines(recordLine())));
    expect(answer).toEqual({ code: 0, stderr: '', notes: [], sessions: 6, bytes: 6000 });
    expect(await totalOf([], lines(recordLine()))).toMatchObject({ sessions: 1 });
    expect(await totalOf(['--by', 'realm', '--', plain])).toMatchObject({ sessions: 2 });
  });

  it('finds what a pattern matches, once', async () => {
    mkdirSync(join(folder, 'exporter-1'));
    mkdirSync(join(folder, 'exporter-2'));
    const day = write('exporter-1/sessions-2026-10-05.jsonl', lines(recordLine()));
    write('exporter-2/sessions-2026-10-06.jsonl', lines(recordLine()));
    write('exporter-2/sessions-2026-11-06.jsonl', lines(recordLine()));
    write('exporter-2/.sessions-2026-10-05.jsonl', lines(recordLine()));
    symlinkSync(day, join(folder, 'exporter-1', 'sessions-newest.jsonl'));
    const pattern = (name: string) => totalOf([join(folder, name)]);
    expect(await pattern('exporter-*/sessions-*.jsonl')).toMatchObject({ sessions: 3, notes: [] });
    expect(await pattern('exporter-[12]/sessions-2026-1[!1]-0?.jsonl')).toMatchObject({
      sessions: 2,
    });
    const odd = write('odd[1].jsonl', lines(recordLine()));
    expect(await totalOf([odd])).toMatchObject({ sessions: 1 });
  });

  it('counts what is there twice once, and says so', async () => {
    const same = recordLine();
    const file = write('a.jsonl', lines(same, recordLine(), same));
    const copy = write('b.jsonl', lines(same));
    const answer = await totalOf([file, copy]);
    expect(answer).toMatchObject({ sessions: 2, code: 0 });
    expect(answer.notes).toEqual(['Repeated: 2 lines of sessions that were counted before.']);
  });

  it('merges the files of a pair in order of time, whatever the order of arguments', async () => {
    const days = [0, 24 * 60, 48 * 60];
    const files = ['b', 'a'].flatMap((replica) =>
      days.map((at, day) =>
        write(
          `${replica}-${day}.jsonl`,
          lines(...[1, 2, 3].map((step) => recordLine({ at: at + 10 * step, replica }))),
        ),
      ),
    );
    const answer = await totalOf(files);
    expect(answer.sessions).toBe(9);
    expect(answer.notes[0]).toContain('Pair: 9 sessions recorded alike by both exporters, 0 not');
  });

  it('refuses to merge what is out of order, and only that', async () => {
    const late = [recordLine({ at: 200 }), recordLine({ at: 5 })];
    expect(await totalOf([write('a.jsonl', lines(...late))])).toMatchObject({ sessions: 2 });
    const pair = [...late, recordLine({ at: 6, replica: 'a' }), recordLine({ replica: 'b' })];
    const { code, stdout, stderr } = await report([write('b.jsonl', lines(...pair))]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`Cannot merge records at ${folder}/b.jsonl:2: expected the order of`);
  });

  it('tells file and line of what it cannot read, goes on, and ends with 1', async () => {
    const cut = recordLine().slice(0, 300);
    const log = '{"level":"info","msg":"listening"}';
    const wrong = recordLine({ sent_bytes: 'many' });
    const file = write('a.jsonl', lines(recordLine(), cut, '', log, wrong, recordLine()));
    const { code, stdout, stderr } = await report([file]);
    expect(code).toBe(1);
    expect(stderr.split('\n')).toEqual([
      expect.stringMatching(/a\.jsonl:2: expected a JSON object, found \{"level":"info".*…$/),
      expect.stringMatching(/a\.jsonl:5: sent_bytes is "many": expected a whole number up to/),
      '',
    ]);
    expect(stdout).toContain('NOT READ: 2 lines.');
    expect((await totalOf([file, '--skip-bad-lines'])).code).toBe(0);
    expect(await totalOf([file])).toMatchObject({ sessions: 2, code: 1 });
  });

  it('says no more than ten times what it cannot read', async () => {
    const { stderr, code } = await report([], lines(...Array.from({ length: 40 }, () => 'no')));
    expect(code).toBe(1);
    expect(stderr.trim().split('\n')).toHaveLength(11);
    expect(stderr).toContain('stdin:10: expected a JSON object, found no\nMore lines');
  });

  it.each([
    ['a file that was cut', (all: Buffer) => all.subarray(0, -20), 'the compressed file is cut'],
    ['one with a wrong byte', (all: Buffer) => all.fill(7, 40, 60), 'cannot be read: '],
  ])('counts what comes before the end of %s', async (_, spoil, message) => {
    const whole = gzipSync(lines(...Array.from({ length: 500 }, () => recordLine())));
    const { code, stderr } = await report([write('a.gz', spoil(whole))]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/a\.gz:\d+: the rest cannot be read: /);
    expect(stderr).toContain(message);
  });

  it('names the program that unpacks what it cannot', async () => {
    const { stderr } = await report([write('a.zst', Buffer.from('28b52ffd00000000', 'hex'))]);
    expect(stderr).toContain('expected JSON lines or gzip; use zstdcat');
  });

  it('reads lines that lie across chunks, the last without a line feed', async () => {
    const user = 'ü'.repeat(30_000);
    const all = Array.from({ length: 60 }, (_, at) => recordLine({ at, user }));
    const { stdout, code } = await report(['--format=json'], lines(...all).trimEnd());
    expect(code).toBe(0);
    expect(JSON.parse(stdout).rows).toMatchObject([{ user, sessions: 60 }]);
  });

  it('gives up on a line that never ends', async () => {
    const { stderr, code } = await report([], Buffer.alloc(9 * 1024 * 1024, 'x'));
    expect(code).toBe(1);
    expect(stderr).toContain('stdin:0: the rest cannot be read: the next line is longer than');
  });

  it('counts the time that is asked for', async () => {
    const file = write('a.jsonl', lines(recordLine(), recordLine({ at: 15 * 60 })));
    const sessions = async (...flags: string[]) => (await totalOf([file, ...flags])).sessions;
    expect(await sessions('--from=2026-10', '--to', '2026-11')).toBe(2);
    expect(await sessions('--to=2026-10-06')).toBe(1);
    expect(await sessions('--from=2026-10-06')).toBe(1);
    expect(await sessions('--from=2026-10-05T09:05:00Z', '--to=2026-10-05T09:05:01Z')).toBe(1);
    expect(await sessions('--from=2026-10-05T11:05:00.001+02:00')).toBe(1);
    const { stdout } = await report([file, '--from=2026-10', '--by=month,realm']);
    expect(stdout).toContain('by month, realm, from 2026-10-01T00:00:00.000Z\n');
  });

  it('says below the bill what a reader has to know, and beside CSV on standard error', async () => {
    const file = write(
      'a.jsonl',
      lines(
        recordLine({ complete: false, relayed: null, start_known: false }),
        recordLine({ reason: 'shutdown', user: 'bob', complete: false, ...bytes(5e9) }),
      ),
    );
    const notes = [
      'Incomplete: 2 sessions with 10.000 GB. They moved at least that much; coturn did not tell the rest.',
      'Start unknown: 1 session began before the exporter listened. Their bytes are counted, their minutes from then on.',
      'Relayed or not: unknown for 1 session, which the share leaves out.',
      'Cut off: 1 session that an exporter left when it stopped, and no record here tells how they went on. If that record is in another file, give both.',
    ];
    const { stdout } = await report([file]);
    for (const note of notes) expect(stdout).toContain(`\n${note}\n`);
    const csv = await report([file, '--format=csv']);
    expect(csv.stderr).toBe(notes.map((note) => `${note}\n`).join(''));
    expect(csv.stdout).not.toContain('Cut off');
  });

  it('explains itself', async () => {
    const { code, stdout } = await report(['--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('--by=KEYS');
  });

  it.each([
    [['--by=month,week'], 'Cannot parse --by "month,week": expected one or more of user, realm,'],
    [['--by='], 'Cannot parse --by ""'],
    [['--from=2026-13'], 'Cannot parse --from "2026-13": expected a month, a day or a time'],
    [['--from=2026-02-30'], 'Cannot parse --from "2026-02-30"'],
    [['--from=yesterday'], 'Cannot parse --from "yesterday"'],
    [['--from=2026-10-05T09:00'], 'Cannot parse --from "2026-10-05T09:00"'],
    [['--from=2026-11', '--to=2026-10'], 'expected --to after --from'],
    [['--format=xlsx'], 'Cannot parse --format "xlsx": expected one of table, csv, json, markdown'],
    [['--formats=csv'], 'Unknown flag "--formats": did you mean --format?'],
    [['/nowhere/a.jsonl'], 'Cannot find "/nowhere/a.jsonl": expected a file of session records'],
    [['/nowhere/*.jsonl'], 'Cannot find "/nowhere/*.jsonl": expected a pattern that matches files'],
    [['/'], 'Cannot read "/": expected a file, found a folder'],
  ])('refuses %j', async (argv, message) => {
    await expect(report(argv)).rejects.toThrow(message);
  });

  it('asks for files where somebody sits and waits', async () => {
    const context = {
      stdin: Object.assign(Readable.from([]), { isTTY: true }),
      stdout: new Collected(),
      stderr: new Collected(),
      signal: new AbortController().signal,
    };
    await expect(runReportCommand([], context)).rejects.toThrow('Missing FILE: expected files');
  });

  it('ends without a bill when it is told to stop', async () => {
    const [stdout, stderr] = [new Collected(), new Collected()];
    const stdin = Readable.from([Buffer.from(lines(recordLine()))]);
    const code = await runReportCommand([], { stdin, stdout, stderr, signal: AbortSignal.abort() });
    expect([code, stdout.text]).toEqual([1, '']);
    expect(stderr.text).toContain('Stopped before the end: there is no bill');
  });
});

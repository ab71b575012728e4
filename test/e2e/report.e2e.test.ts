import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createCleanup } from '../support/cleanup.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { bytes, recordLine } from '../unit/report/records.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const SQL = readFileSync(new URL('../../docs/sql.md', import.meta.url), 'utf8');

/** What clients may call themselves. The last two differ in what is no character but an escape. */
const NAMES = [
  'alice',
  "O'Hara",
  '"quoted", with comma',
  "'; DROP TABLE sessions; --",
  'two\nlines',
  '=HYPERLINK("http://x";"y")',
  'bücher 📚',
  '\\',
  '',
  'nul\0a',
  'nul\\u0000a',
];

/** Two files of October, one packed, with a record twice and lines that are no records. */
function writeRecords(folder: string): void {
  const all = NAMES.flatMap((user, index) =>
    Array.from({ length: 40 }, (_, at) =>
      recordLine({
        user,
        at: at * 30,
        until: at * 30 + index + 0.5,
        realm: index % 2 === 0 ? 'example.org' : 'example.net',
        relayed: [true, false, null][at % 3],
        complete: at % 7 > 0,
        ...bytes(1000 * (index + 1) + at),
      }),
    ),
  );
  const log = '{"level":"info","msg":"listening"}';
  const [first, second] = [all.slice(0, 200), [...all.slice(199), log]];
  writeFileSync(join(folder, 'sessions-2026-10-05.jsonl'), `${first.join('\n')}\n`);
  writeFileSync(join(folder, 'sessions-2026-10-06.jsonl.gz'), gzipSync(`${second.join('\n')}\n`));
}

function run(folder: string, command: string, args: readonly string[], input = ''): string {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    input,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`${command} ends with ${status}: ${stderr}`);
  return stdout;
}

function report(folder: string, ...args: string[]): string {
  return run(folder, process.execPath, [MAIN, 'report', ...args]);
}

/** The code of this language below a heading of docs/sql.md. */
function codeOf(heading: string, language: string): string {
  const [, rest = ''] = SQL.split(`\n## ${heading}\n`);
  const [, code = ''] = new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(rest) ?? [];
  return code;
}

interface BilledUser {
  readonly realm: string;
  readonly user: string;
  readonly sessions: number;
  readonly billed_bytes: number;
  readonly minutes: number;
  readonly incomplete_sessions: number;
}

function billByUser(folder: string): BilledUser[] {
  return JSON.parse(report(folder, '--format=json', 'sessions-*.jsonl*')).rows;
}

const cleanup = createCleanup();
let folder: string;
beforeAll(() => {
  folder = createTempFolder(cleanup.defer);
  writeRecords(folder);
  return () => cleanup.run();
});

describe('coturn-exporter report', () => {
  it('says what jq says', () => {
    const program = `[inputs | select(.event == "session_finished")] | unique_by(.session_id) |
      group_by([.realm, .user])[] | {realm: .[0].realm, user: .[0].user, sessions: length,
        relayed: map(select(.relayed == true)) | length,
        billed: map(.received_bytes + .peer_received_bytes) | add,
        sent: map(.sent_bytes) | add,
        minutes: ((map(.duration_seconds) | add) / 60),
        incomplete: map(select(.complete | not)) | length}`;
    const lines = run(folder, 'bash', ['-c', 'zcat -f sessions-*.jsonl* | jq -nc "$0"', program]);
    const expected = lines
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const rows = JSON.parse(report(folder, '--format=json', 'sessions-*.jsonl*')).rows.map(
      (row: Record<string, unknown>) => ({
        realm: row['realm'],
        user: row['user'],
        sessions: row['sessions'],
        relayed: row['relayed_sessions'],
        billed: row['billed_bytes'],
        sent: row['sent_bytes'],
        minutes: row['minutes'],
        incomplete: row['incomplete_sessions'],
      }),
    );
    expect(rows).toHaveLength(NAMES.length);
    expect(new Set(rows.map(toLine))).toEqual(new Set(expected.map(toLine)));
  });

  it('reads a pipe, and minds no reader that goes away', () => {
    const whole = report(folder, '--format=csv', 'sessions-*.jsonl*');
    const main = `"${process.execPath}" "${MAIN}" report --format=csv`;
    expect(run(folder, 'bash', ['-c', `zcat -f sessions-*.jsonl* | ${main}`])).toBe(whole);
    const head = `set -o pipefail; ${main} sessions-*.jsonl* | head -1`;
    expect(run(folder, 'bash', ['-c', head])).toMatch(/^realm,user,sessions/);
  });

  it('ends with 2 and one line where it cannot be used', () => {
    const { status, stderr } = spawnSync(process.execPath, [MAIN, 'report', '/nowhere/x.jsonl'], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([
      2,
      'coturn-exporter: Cannot find "/nowhere/x.jsonl": expected a file of session records\n',
    ]);
  });
});

describe('docs/sql.md', () => {
  it('loads into SQLite what is there once, and answers as report does', () => {
    const own = createTempFolder(onTestFinished);
    writeRecords(own);
    writeFileSync(join(own, 'table.sql'), codeOf('The table', 'sql'));
    const load = codeOf('SQLite', 'sh');
    run(own, 'bash', ['-e'], load);
    run(own, 'bash', ['-e'], load);
    const query = (sql: string): unknown[] =>
      JSON.parse(run(own, 'sqlite3', ['-json', 'sessions.db', sql]));
    const expected = billByUser(own);
    const questions = codeOf('Questions', 'sql');
    const answer = query(questions) as Array<Record<string, unknown>>;
    expect(new Set(answer.map(rounded))).toEqual(
      new Set(
        expected.map((row) =>
          rounded({
            realm: row.realm,
            user_name: row.user.replace('\0', '\ufffd'),
            sessions: row.sessions,
            minutes: row.minutes,
            gb: row.billed_bytes / 1e9,
            incomplete: row.incomplete_sessions,
          }),
        ),
      ),
    );
    expect(query('SELECT count(*) AS n, count(relayed) AS known FROM sessions')).toEqual([
      { n: 440, known: NAMES.length * 27 },
    ]);
    expect(query('SELECT started_at AS at FROM sessions ORDER BY session_id LIMIT 1')).toEqual([
      { at: '2026-10-05T09:00:00.000Z' },
    ]);
  });
});

function toLine(row: unknown): string {
  return JSON.stringify(row);
}

function rounded(row: Record<string, unknown>): string {
  return JSON.stringify(row, (_, value: unknown) =>
    typeof value === 'number' ? Number(value.toFixed(9)) : value,
  );
}

import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createCleanup } from '../support/cleanup.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { TestProcess } from '../support/test-process.ts';
import { until } from '../support/until.ts';
import { bytes, recordLine } from '../unit/report/records.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const NOBODY = 65_534;
const POSTGRES = '/usr/lib/postgresql';
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

function run(
  folder: string,
  command: string,
  args: readonly string[],
  input = '',
  env = process.env,
): string {
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    input,
    env,
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

/** A database of docs/sql.md in a folder of its own: how it is loaded, and asked. */
interface Database {
  readonly load: () => void;
  readonly query: (sql: string) => Array<Record<string, unknown>>;
}

function openSqlite(own: string): Database {
  return {
    load: () => void run(own, 'bash', ['-e'], codeOf('SQLite', 'sh')),
    query: (sql) => JSON.parse(run(own, 'sqlite3', ['-json', 'sessions.db', sql])),
  };
}

/** By its library, since Debian 12 has no `duckdb`: what the page pipes into it, line for line. */
function openDuckDb(own: string): Database {
  const library = import.meta.resolve('@duckdb/node-api');
  const program = `const { DuckDBInstance } = await import(${JSON.stringify(library)});
    const sql = (await import('node:fs')).readFileSync(0, 'utf8');
    const connection = await (await DuckDBInstance.create('sessions.duckdb')).connect();
    const answer = await connection.runAndReadAll(sql);
    process.stdout.write(JSON.stringify(answer.getRowObjectsJson()));`;
  const ask = (sql: string) =>
    JSON.parse(run(own, process.execPath, ['--input-type=module', '--eval', program], sql));
  const [, piped = ''] = /<<'SQL'\n(.*)\nSQL/s.exec(codeOf('DuckDB', 'sh')) ?? [];
  const statements = piped.replace('.read table.sql', codeOf('The table', 'sql'));
  return { load: () => ask(statements), query: ask };
}

async function openPostgres(own: string): Promise<Database> {
  const data = createTempFolder(onTestFinished);
  // Postgres refuses to run as root.
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chownSync(data, NOBODY, NOBODY);
  const asNobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
  const [command = '', ...before] = isRoot ? [...asNobody, 'env'] : ['env'];
  const bin = postgresFolder();
  const init = [`${bin}/initdb`, '--username=test', '--auth=trust', '--no-sync', `${data}/db`];
  run(own, command, [...before, ...init]);
  const server = new TestProcess(onTestFinished, {
    command,
    args: [
      ...[...before, `${bin}/postgres`, '-D', `${data}/db`, '-F'],
      ...['-c', 'listen_addresses=', '-c', `unix_socket_directories=${data}`],
    ],
  });
  const env = { ...process.env, PGHOST: data, PGUSER: 'test', PGDATABASE: 'postgres' };
  const psql = (sql: string) =>
    run(own, 'psql', ['--tuples-only', '--no-align', '--command', sql], '', env);
  await until(() => spawnSync('psql', ['--command', 'SELECT 1'], { env }).status, {
    what: 'Postgres to answer',
    timeoutMs: 30_000,
    isDone: (status) => status === 0,
    show: () => server.describe(),
  });
  writeFileSync(join(own, 'insert.sql'), codeOf('Postgres', 'sql'));
  return {
    load: () => void run(own, 'bash', ['-e'], codeOf('Postgres', 'sh'), env),
    query: (sql) =>
      JSON.parse(psql(`SELECT json_agg(answer) FROM (${sql.replace(/;\s*$/, '')}) AS answer`)),
  };
}

/** Debian keeps the programs of the server out of the PATH. */
function postgresFolder(): string {
  const versions = existsSync(POSTGRES) ? readdirSync(POSTGRES) : [];
  const newest = versions.toSorted((left, right) => Number(right) - Number(left))[0];
  if (newest === undefined) throw new Error(`No Postgres in ${POSTGRES}`);
  return join(POSTGRES, newest, 'bin');
}

describe('docs/sql.md', () => {
  it.each([
    ['SQLite', openSqlite, '\ufffd'],
    ['DuckDB', openDuckDb, '\0'],
    ['Postgres', openPostgres, '\ufffd'],
  ])(
    'loads into %s what is there once, and answers as report does',
    async (_, open, nul) => {
      const own = createTempFolder(onTestFinished);
      writeRecords(own);
      writeFileSync(join(own, 'table.sql'), codeOf('The table', 'sql'));
      const { load, query } = await open(own);
      load();
      load();
      const expected = billByUser(own);
      const answer = query(codeOf('Questions', 'sql'));
      expect(new Set(answer.map(rounded))).toEqual(
        new Set(
          expected.map((row) =>
            rounded({
              realm: row.realm,
              user_name: row.user.replace('\0', nul),
              sessions: row.sessions,
              minutes: row.minutes,
              gb: row.billed_bytes / 1e9,
              incomplete: row.incomplete_sessions,
            }),
          ),
        ),
      );
      const [counts] = query('SELECT count(*) AS n, count(relayed) AS known FROM sessions');
      expect(Object.values(counts ?? {}).map(Number)).toEqual([440, NAMES.length * 27]);
      const [first] = query('SELECT min(CAST(started_at AS TEXT)) AS began FROM sessions');
      expect(first?.['began']).toMatch(/^2026-10-05.09:00:00/);
    },
    60_000,
  );
});

function toLine(row: unknown): string {
  return JSON.stringify(row);
}

/** Whole numbers beyond 2^53 come as text from some. */
function rounded(row: Readonly<Record<string, unknown>>): string {
  const { realm, user_name, ...numbers } = row;
  const values = Object.entries(numbers).map(([name, value]) => [name, Number(value).toFixed(9)]);
  return JSON.stringify([realm, user_name, values]);
}

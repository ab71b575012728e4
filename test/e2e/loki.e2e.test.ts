import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCleanup } from '../support/cleanup.ts';
import { claimPorts } from '../support/port-block.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { TestProcess } from '../support/test-process.ts';
import { until } from '../support/until.ts';
import { pathOf, readText } from '../unit/deploy/files.ts';
import { panelQueries } from '../unit/grafana/dashboards.ts';
import { DEFAULT_VALUES, substitute } from '../unit/grafana/grafana-variables.ts';
import { bytes, recordLine } from '../unit/report/records.ts';

/**
 * The shipped configuration, queries and recipes with a real Loki: `LOKI=/opt/loki/loki`, and `logcli`
 * in the same folder. Debian has neither, and so the suite skips this where nobody names one. Lines are
 * pushed with the labels, the metadata and the time that deploy/alloy/config.alloy gives them.
 */
const { LOKI = '' } = process.env;
const LOGCLI = join(dirname(LOKI), 'logcli');
if (LOKI === '') console.warn('Skipped without LOKI=/path/to/loki: what is told to a real Loki');

const PAGE = readText('docs/loki.md');
const STREAM = '{service_name="coturn-exporter", event="session_finished"}';
/** Of the last whole month: Loki takes nothing that is older than its retention, 13 months. */
const NOW = new Date();
const BEGIN_MS = Date.UTC(NOW.getUTCFullYear(), NOW.getUTCMonth() - 1);
const END_MS = Date.UTC(NOW.getUTCFullYear(), NOW.getUTCMonth());
const DAYS = (END_MS - BEGIN_MS) / 86_400_000;
const LAST_NANOSECOND = `${BigInt(END_MS) * 1_000_000n - 1n}`;
/** More than Loki has series for in one answer, as shipped. */
const USERS = 10_500;
const ODD_NAMES = [
  'alice',
  'alice2',
  'with "quotes"',
  "with 'quotes'",
  'back\\slash',
  'back`tick',
  'line\nfeed',
  'carriage\r\nreturn',
  'percent%20',
  '{{ .user }}',
  'bücher 📚',
  '',
];

interface Line {
  readonly text: string;
  readonly record: { readonly end: string; readonly [field: string]: unknown };
}

const cleanup = createCleanup();
let address: string;
let lines: Line[] = [];

describe.skipIf(LOKI === '')('Loki, as shipped', { timeout: 300_000 }, () => {
  beforeAll(async () => {
    address = await startLoki();
    lines = monthOfLines();
    await ship(lines);
    // What Alloy has after a restart without its positions, in other batches.
    await ship(lines, 377);
  }, 240_000);
  afterAll(() => cleanup.run());

  it('counts each record once, although the month was shipped twice', async () => {
    expect(await count(`sum(count_over_time(${STREAM} [${DAYS}d]))`)).toBe(inMonth().length);
  });

  it('takes lines that are weeks late, once', async () => {
    const late = [0, 9, 20].map((day) =>
      line({ user: 'late', endMs: BEGIN_MS + day * 86_400_000 + 7 }),
    );
    await ship(late);
    await ship(late);
    expect(await count(`sum(count_over_time(${STREAM} |= \`"user":"late"\` [${DAYS}d]))`)).toBe(3);
    lines.push(...late);
  });

  it('has a record at the end of its session, and a month from its first to its last nanosecond', async () => {
    const ends = await timesOf(`${STREAM} |= \`"user":"edge"\``);
    const edges = lines.filter(({ record }) => record['user'] === 'edge');
    expect(edges).toHaveLength(4);
    expect(ends).toEqual(edges.map(({ record }) => Date.parse(record.end)).sort((a, b) => a - b));
    const query = `sum(count_over_time(${STREAM} |= \`"user":"edge"\` [${DAYS}d]))`;
    expect(await count(query)).toBe(2);
  });

  it.each(ODD_NAMES)(
    'finds the sessions of %j, and no others, in every panel of the dashboard',
    async (user) => {
      const own = inMonth().filter(({ record }) => record['user'] === user);
      expect(own.length).toBeGreaterThan(0);
      const values = { ...DEFAULT_VALUES, match: 'eq', user, __range: `${DAYS}d`, __auto: '1d' };
      const totals = panelsOf('Sessions');
      expect(await count(substitute(totals, values))).toBe(own.length);
      const received = substitute(panelsOf('From clients'), values);
      expect(await count(received)).toBe(sumOf(own, 'received_bytes'));
    },
  );

  it('answers every query of the dashboard', async () => {
    const queries = panelQueries().filter(({ kind }) => kind === 'loki');
    expect(queries.length).toBeGreaterThan(5);
    for (const { where, expr } of queries) {
      const values = { ...DEFAULT_VALUES, user: 'user1', __range: '1d', __auto: '1h' };
      await expect(ask(substitute(expr, values)), where).resolves.toBeDefined();
    }
  });

  it('answers every query of docs/loki.md', async () => {
    const queries = [...PAGE.matchAll(/```logql\n(.*?)```/gs)].map(([, query = '']) => query);
    expect(queries.length).toBeGreaterThan(12);
    // A day has fewer users than the limit.
    for (const query of queries) await ask(query.replaceAll(/\[(30d|\$__range)\]/g, '[1d]'));
  });

  it('says that users are too many for one answer, and has them by realm and letter', async () => {
    const byUser = (filter: string) =>
      `sum by (realm, user) (sum_over_time(${STREAM} |= \`session_finished\` | json ${filter} | unwrap sent_bytes | __error__="" [${DAYS}d]))`;
    await expect(ask(byUser(''))).rejects.toThrow('maximum');
    const [some, others] = await Promise.all(
      ['| user=~"(?s)user[0-4].*"', '| user!~"(?s)user[0-4].*"'].map((one) => ask(byUser(one))),
    );
    const users = new Set(inMonth().map(({ record }) => record['user']));
    expect((some?.length ?? 0) + (others?.length ?? 0)).toBe(users.size);
  });

  it.skipIf(!existsSync(LOGCLI))('is read by the recipes for CSV', () => {
    const recipes = [...PAGE.matchAll(/```sh\n(.*?)```/gs)].map(([, recipe = '']) => recipe);
    const [records = '', users = ''] = recipes.map(ofMonth);
    const rows = runRecipe(records).trim().split('\n');
    expect(rows.filter((row) => /^"0199b2c4-/.test(row))).toHaveLength(inMonth().length);
    // Too many users are no bill that lacks some, but an error.
    expect(() => runRecipe(users)).toThrow('maximum number of series');
    const ofRealm = users.replace('event=', 'realm="example.org", event=');
    expect(runRecipe(ofRealm)).toContain('"example.org","alice",');
  });
});

async function startLoki(): Promise<string> {
  const { first: port } = await claimPorts(cleanup.defer);
  const folder = createTempFolder(cleanup.defer);
  mkdirSync(join(folder, 'loki'));
  const config = join(folder, 'loki.yaml');
  const shipped = readText('deploy/loki/loki.yaml')
    .replaceAll(/(?<=\s)\/loki(?=[/\s])/g, join(folder, 'loki'))
    .replace('/etc/loki/rules', pathOf('deploy/loki/rules'))
    .replace('http_listen_port: 3100', `http_listen_port: ${port}`)
    .replace('\ncommon:', '\ncommon:\n  instance_addr: 127.0.0.1');
  writeFileSync(config, shipped);
  const loki = new TestProcess(cleanup.defer, {
    command: LOKI,
    args: [
      `-config.file=${config}`,
      ...['-server.http-listen-address=127.0.0.1', '-server.grpc-listen-address=127.0.0.1'],
      `-server.grpc-listen-port=${port + 1}`,
      '-log.level=error',
    ],
  });
  const at = `http://127.0.0.1:${port}`;
  await until(() => fetch(`${at}/ready`), {
    what: 'Loki to be ready',
    timeoutMs: 90_000,
    isDone: ({ ok }) => ok,
    show: () => loki.describe(),
  });
  return at;
}

function line(fields: {
  readonly user: string;
  readonly endMs: number;
  readonly realm?: string;
}): Line {
  const { user, endMs, realm = 'example.org' } = fields;
  const end = new Date(endMs).toISOString();
  const start = new Date(endMs - 300_000).toISOString();
  const text = recordLine({
    user,
    username: user,
    realm,
    start,
    end,
    ...bytes(1000 + (endMs % 997)),
  });
  return { text, record: JSON.parse(text) };
}

/** A call of everybody, three of each odd name, and four at the edges; in the order of their ends. */
function monthOfLines(): Line[] {
  const step = Math.floor((END_MS - BEGIN_MS) / USERS);
  const everybody = Array.from({ length: USERS }, (_, index) =>
    line({
      user: `user${index}`,
      endMs: BEGIN_MS + 1 + index * step,
      realm: index % 2 === 0 ? 'example.org' : 'example.net',
    }),
  );
  const odd = ODD_NAMES.flatMap((user, index) =>
    [3, 11, 19].map((day) => line({ user, endMs: BEGIN_MS + day * 86_400_000 + index * 60_000 })),
  );
  const edges = [BEGIN_MS - 1, BEGIN_MS, END_MS - 1, END_MS].map((endMs) =>
    line({ user: 'edge', endMs }),
  );
  return [...everybody, ...odd, ...edges].sort((left, right) =>
    left.record.end.localeCompare(right.record.end),
  );
}

function inMonth(): Line[] {
  return lines.filter(({ record }) => {
    const endMs = Date.parse(record.end);
    return endMs >= BEGIN_MS && endMs < END_MS;
  });
}

function sumOf(some: readonly Line[], field: string): number {
  return some.reduce((sum, { record }) => sum + Number(record[field]), 0);
}

async function ship(some: readonly Line[], batch = 1000): Promise<void> {
  for (let at = 0; at < some.length; at += batch) {
    const streams = some.slice(at, at + batch).map(({ text, record }) => ({
      stream: {
        service_name: 'coturn-exporter',
        job: 'coturn-exporter',
        instance: 'turn-1',
        event: record['event'],
        realm: record['realm'],
      },
      values: [
        [
          `${BigInt(Date.parse(record.end)) * 1_000_000n}`,
          text,
          { user: record['user'], session_id: record['session_id'] },
        ],
      ],
    }));
    // Alloy tries again, too, where Loki says that it came too fast.
    const { status, text } = await until(() => push({ streams }), {
      what: 'Loki to take the lines',
      timeoutMs: 60_000,
      isDone: (answer) => answer.status !== 429,
    });
    expect(status, text).toBe(204);
  }
}

async function push(body: unknown): Promise<{ status: number; text: string }> {
  const response = await fetch(`${address}/loki/api/v1/push`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

interface Series {
  readonly value?: readonly [number, string];
  readonly values?: ReadonlyArray<readonly [string, string]>;
}

/** An instant query at the end of the month; of lines, the last ones of it. */
async function ask(query: string, extra: Record<string, string> = {}): Promise<Series[]> {
  const isMetric = /^\(?\s*(sum|topk|quantile|max|count)/.test(query.trim());
  const range = {
    start: `${BigInt(BEGIN_MS - 1) * 1_000_000n}`,
    end: `${BigInt(END_MS + 1) * 1_000_000n}`,
  };
  const parameters = new URLSearchParams({
    query,
    ...(isMetric ? { time: LAST_NANOSECOND } : range),
    ...extra,
  });
  const path = isMetric ? 'query' : 'query_range';
  const response = await fetch(`${address}/loki/api/v1/${path}?${parameters}`);
  const text = await response.text();
  if (!response.ok) throw new Error(`${query}: ${text}`);
  return JSON.parse(text).data.result;
}

async function count(query: string): Promise<number> {
  const [series] = await ask(query);
  return Number(series?.value?.[1] ?? 0);
}

async function timesOf(query: string): Promise<number[]> {
  const series = await ask(query, { limit: '1000', direction: 'forward' });
  return series
    .flatMap(({ values = [] }) => values.map(([time]) => Number(BigInt(time) / 1_000_000n)))
    .sort((left, right) => left - right);
}

/** The query of the panel of the dashboard of sessions with this title. */
function panelsOf(title: string): string {
  const [panel] = panelQueries().filter(
    ({ kind, panel: { title: found } }) => kind === 'loki' && found === title,
  );
  if (panel === undefined) throw new Error(`No panel ${title}`);
  return panel.expr;
}

/** A recipe of the page, which is about October 2026, for the month of this run. */
function ofMonth(recipe: string): string {
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  return recipe
    .replaceAll('2026-10-01', day(BEGIN_MS))
    .replaceAll('2026-11-01', day(END_MS))
    .replaceAll('2026-10-31', day(END_MS - 1))
    .replaceAll('[31d]', `[${DAYS}d]`);
}

function runRecipe(recipe: string): string {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', recipe], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${dirname(LOKI)}:${process.env['PATH']}`, LOKI_ADDR: address },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`${status}: ${stderr}`);
  return stdout;
}

import { readdirSync, readFileSync } from 'node:fs';
import {
  COTURN_DIFFERENCES,
  compareVersions,
  hasDifference,
} from '../test/support/coturn-version.ts';

/** What runs of the suite with `RESULTS=1` have written. */
const FOLDER = new URL('measured/', import.meta.url);

/** How the tests of a file ended. */
interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/** What people want to know of a version of coturn, and the files that tell it. */
const QUESTIONS: readonly (readonly [question: string, files: RegExp])[] = [
  ["coturn's own client", /calls\/(?:uclient|client-side)/],
  ['Chromium', /calls\/(?:chromium|everyday)/],
  ['Firefox', /calls\/firefox/],
  ['killed, restarted', /calls\/outage|faults\/coturn/],
  ['sources', /e2e\//],
];

/** The versions of coturn that the suite ran with, and how many of its tests passed. */
export function renderVersionTable(): string {
  const names = [...QUESTIONS.map(([question]) => question)];
  const rows = versionsTested().map((version) => {
    const results = readMeasured<Record<string, Counts>>(`coturn/${version}`);
    const cells = QUESTIONS.map(([, files]) => shownCounts(results, files));
    return `| ${[version, ...cells, differencesOf(version)].join(' | ')} |`;
  });
  const head = `| ${['coturn', ...names, 'what differs'].join(' | ')} |`;
  return [head, `|${'---|'.repeat(names.length + 2)}`, ...rows].join('\n');
}

function versionsTested(): string[] {
  return readdirSync(new URL('coturn/', FOLDER))
    .map((file) => file.replace(/\.json$/, ''))
    .sort(compareVersions);
}

function shownCounts(results: Readonly<Record<string, Counts>>, files: RegExp): string {
  let passed = 0;
  let all = 0;
  for (const [file, counts] of Object.entries(results)) {
    if (!files.test(file)) continue;
    passed += counts.passed;
    all += counts.passed + counts.failed;
  }
  return all === 0 ? '' : `${passed}/${all}`;
}

function differencesOf(version: string): string {
  return Object.entries(COTURN_DIFFERENCES)
    .filter(([name]) => hasDifference(name as keyof typeof COTURN_DIFFERENCES, version))
    .map(([, { what }]) => what)
    .join('; ');
}

/** What `test/e2e/day-bill.e2e.test.ts` has seen of one realm; bytes. */
interface DayRow {
  readonly realm: string;
  readonly sessions: number;
  readonly prometheus: DayBytes;
  readonly records: DayBytes;
  readonly report: DayBytes & { readonly billed: number };
}

interface DayBytes {
  readonly received: number;
  readonly peerReceived: number;
}

/** A day as Prometheus, the records and the bill tell it. */
export function renderDayTable(): string {
  const lines = readMeasured<DayRow[]>('day').map(
    ({ realm, sessions, prometheus, records, report }) => {
      const [counted, recorded] = [prometheus, records].map(({ received, peerReceived }) => {
        const [client, peer, both] = [received, peerReceived, received + peerReceived].map(grouped);
        return `${client} + ${peer} = ${both}`;
      });
      return `| ${[realm, sessions, counted, recorded, grouped(report.billed)].join(' | ')} |`;
    },
  );
  return [
    '| realm | sessions | Prometheus | records | `report` |',
    '|---|---|---|---|---|',
    ...lines,
  ].join('\n');
}

function grouped(number: number): string {
  return number.toLocaleString('en');
}

/** What was sent or received by one end of a call, taken apart. */
interface ExplainedRow {
  readonly user: string;
  readonly transport: string;
  readonly media: string;
  readonly way: 'sent' | 'received';
  readonly getStats: number;
  readonly checks: number;
  readonly afterwards: number;
  readonly headers: number;
  readonly record: number;
}

/** How far apart `getStats()` of a browser and the record of a caller are, and why. */
export function renderBrowserTable(): string {
  const files = readdirSync(new URL('browser-bytes/', FOLDER)).sort();
  const lines = files.flatMap((file) => {
    const [, browser = '', coturn = ''] = /^(\w+)-(.*)\.json$/.exec(file) ?? [];
    const rows = readMeasured<ExplainedRow[]>(`browser-bytes/${browser}-${coturn}`);
    const sent = rows.filter(({ user, way }) => user.startsWith('caller') && way === 'sent');
    return sent.map((row) => {
      const received = rows.find(({ user, way }) => user === row.user && way === 'received');
      const cells = [
        browser,
        coturn,
        row.transport,
        row.media,
        sumOf(row),
        received && sumOf(received),
      ];
      return `| ${cells.join(' | ')} |`;
    });
  });
  return [
    '| browser | coturn | transport | media | `peer_sent_bytes` | `peer_received_bytes` |',
    '|---|---|---|---|---|---|',
    ...lines,
  ].join('\n');
}

/** `20,400 + 640 + 172 = 21,212` */
function sumOf({ getStats, checks, afterwards, headers, record }: ExplainedRow): string {
  const parts = [getStats, checks, afterwards, ...(headers === 0 ? [] : [headers])];
  return `${parts.map(grouped).join(' + ')} = ${grouped(record)}`;
}

function readMeasured<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8'));
}

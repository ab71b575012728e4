import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { benchIngest } from './ingest.ts';
import { benchEvents, benchState } from './live.ts';
import { median, type Row } from './measure.ts';
import { benchScrape, benchStart } from './scrape.ts';

/** What can be asked for by name. */
const BENCHES: Readonly<Record<string, () => Row[] | Promise<Row[]>>> = {
  start: benchStart,
  scrape: benchScrape,
  ingest: benchIngest,
  events: benchEvents,
  state: benchState,
};

/** A row as it is kept in `results/`. */
interface Result {
  readonly what: string;
  readonly unit: string;
  readonly median: number;
  readonly spread: readonly [least: number, most: number];
  readonly peer?: {
    readonly name: string;
    readonly median: number;
    readonly spread: readonly [number, number];
  };
  /** How many times better than the peer, by the medians. */
  readonly ratio?: number;
  readonly target?: Row['target'];
}

interface Run {
  readonly machine: string;
  readonly node: string;
  readonly commit: string;
  readonly results: readonly Result[];
}

const flags = process.argv.slice(2).filter((word) => word.startsWith('--'));
const wanted = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const unknown = [
  ...flags.filter((flag) => flag !== '--json' && flag !== '--save'),
  ...wanted.filter((name) => !(name in BENCHES)),
];
if (unknown.length > 0) {
  console.error(
    `Unknown: ${unknown.join(' ')}; npm run bench -- [${Object.keys(BENCHES).join('|')}] [--json] [--save]`,
  );
  process.exit(2);
}

const results: Result[] = [];
for (const [name, bench] of Object.entries(BENCHES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.error(`${name} …`);
  results.push(...(await bench()).map(summarise));
}
const machine = cpus()[0]?.model ?? 'unknown';
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
const run: Run = { machine, node: process.version, commit, results };
const folder = fileURLToPath(new URL('results/', import.meta.url));
const file = `${folder}${machine.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}.json`;
const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Run) : undefined;
console.info(flags.includes('--json') ? JSON.stringify(run, null, 2) : tableOf(run, before));
if (flags.includes('--save')) {
  const kept =
    before?.results.filter(
      ({ what, peer }) =>
        !results.some((result) => result.what === what && result.peer?.name === peer?.name),
    ) ?? [];
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ ...run, results: [...results, ...kept] }, null, 2)}\n`);
}

function summarise({ what, unit, ours, peer, target }: Row): Result {
  const spreadOf = (values: readonly number[]): [number, number] => [
    rounded(Math.min(...values)),
    rounded(Math.max(...values)),
  ];
  return {
    what,
    unit,
    median: rounded(median(ours)),
    spread: spreadOf(ours),
    ...(peer && {
      peer: {
        name: peer.name,
        median: rounded(median(peer.values)),
        spread: spreadOf(peer.values),
      },
      ratio: rounded(median(peer.values) / median(ours)),
    }),
    ...(target && { target }),
  };
}

/** Three digits that count. */
function rounded(value: number): number {
  return value >= 1000 ? Math.round(value) : Number(value.toPrecision(3));
}

/** The table as Markdown, with what has changed since `before`. */
function tableOf(
  { machine: of, node, commit: at, results: rows }: Run,
  before: Run | undefined,
): string {
  const earlier = new Map(before?.results.map((row) => [keyOf(row), row.median]));
  const cells = rows.map((row) => [
    row.what,
    `${row.median} (${row.spread.join('–')}) ${row.unit}`,
    row.peer === undefined
      ? ''
      : `${row.peer.name}: ${row.peer.median} (${row.peer.spread.join('–')})`,
    row.ratio === undefined ? '' : `${row.ratio} ×`,
    verdictOf(row),
    changeOf(row.median, earlier.get(keyOf(row))),
  ]);
  const head = [
    'what',
    'median (spread)',
    'against',
    'better by',
    'floor, aim',
    `since ${before?.commit ?? '—'}`,
  ];
  const lines = [head, head.map(() => '---'), ...cells].map((line) => `| ${line.join(' | ')} |`);
  return [`${of}, Node ${node}, ${at}`, '', ...lines].join('\n');
}

function keyOf({ what, peer }: Result): string {
  return `${what} ${peer?.name}`;
}

function verdictOf({ median: value, ratio, target }: Result): string {
  if (target === undefined) return '';
  const reached = (bound: number): boolean =>
    target.ratio === true ? (ratio ?? 0) >= bound : value <= bound;
  const word = reached(target.aim)
    ? 'aim reached'
    : reached(target.floor)
      ? 'floor holds'
      : 'MISSED';
  return `${rounded(target.floor)}, ${rounded(target.aim)}: ${word}`;
}

function changeOf(now: number, before: number | undefined): string {
  if (before === undefined) return '';
  const percent = Math.round((now / before - 1) * 100);
  return `${percent > 0 ? '+' : ''}${percent} %`;
}

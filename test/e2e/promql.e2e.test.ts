import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningFleet, startFleet } from '../../src/simulator/run-simulation.ts';
import { TARGET } from '../../src/simulator/wire.ts';
import { createCleanup, type Defer } from '../support/cleanup.ts';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import { claimPorts } from '../support/port-block.ts';
import { type PrometheusServer, startPrometheusServer } from '../support/prometheus-server.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';
import { RULE_FILES, rulesOf } from '../unit/deploy/rule-files.ts';
import { panelQueries } from '../unit/grafana/dashboards.ts';
import { DEFAULT_VALUES, substitute } from '../unit/grafana/grafana-variables.ts';
import { REGISTERED } from '../unit/grafana/known-metrics.ts';
import { selectedMetrics, selectorsOf } from '../unit/grafana/promql.ts';

/**
 * Every PromQL expression that is shipped, executed by a real Prometheus that scrapes a real
 * exporter while a simulated fleet publishes.
 */
const VARIABLES = { ...DEFAULT_VALUES, __rate_interval: '1m', __range: '5m', job: 'coturn.*' };
const FLEET = {
  seed: 11,
  servers: 3,
  flavours: ['4.6.1', '4.17.1'],
  realms: ['example.org', 'example.net'],
  users: 500,
  arrivalRate: 8,
  callLengthSeconds: 4,
  peerToPeerShare: 0.4,
  noiseRate: 3,
} as const;
/** Long enough for a machine that does much else; usually a quarter of it. */
const DATA_TIMEOUT_MS = 120_000;
/** As coturn 4.17.1 would tell it; Debian's coturn is built without. */
const COTURN_METRICS = readFileSync(
  new URL('../fixtures/exposition/coturn-4.17.1.prom', import.meta.url),
  'utf8',
);
/** Longer than everything here takes. */
const WHOLE_RUN_SECONDS = 600;

/**
 * What is rightly without data in a healthy run, by name, and why; anything else must return some.
 * The alerts are not here: each of them is empty as long as what its summary says is not the case.
 */
const EMPTY_WHEN_HEALTHY: Readonly<Record<string, string>> = {
  'coturn overview / Growth: the day before, and four weeks earlier / 1':
    'no history of four weeks',
  'CoturnRealmLimitReached: coturn_allocations_created_total{realm="~other"}': 'few realms',
  'CoturnRealmLimitReached: coturn_unallocated_received_packets_total{realm="~other"}':
    'few realms',
};

const QUERIES = panelQueries()
  .filter(({ kind }) => kind === 'prometheus')
  .map(({ where, expr }) => ({ name: where, expr: substitute(expr, VARIABLES) }));
const RULES = RULE_FILES.flatMap(rulesOf);
const RECORDS = RULES.filter(({ isAlert }) => !isAlert);
/** An alert is empty when all is well; what it looks at must be there nevertheless. */
const LOOKED_AT = RULES.filter(({ isAlert }) => isAlert).flatMap(({ name, expr }) =>
  seriesOf(expr).map((series) => ({ name: `${name}: ${series}`, expr: series })),
);
const ALERTS = RULES.filter(({ isAlert }) => isAlert);
const EXPRESSIONS = [
  ...QUERIES,
  ...RECORDS.map(({ name, expr }) => ({ name: `rule ${name}`, expr })),
  ...RECORDS.map(({ name }) => ({ name: `recorded ${name}`, expr: name })),
  ...LOOKED_AT,
];

const cleanup = createCleanup();
const answers = new Map<string, number>();
let exporter: ExporterProcess;
let prometheus: PrometheusServer;
let fleet: RunningFleet;

beforeAll(async () => {
  const { first: port } = await claimPorts(cleanup.defer);
  const address = `127.0.0.1:${port}`;
  const state = join(createTempFolder(cleanup.defer), 'state');
  exporter = await startExporter(cleanup.defer, {
    args: ['--statsdb.listen-address', address, '--state.file', state, '--state.interval', '1s'],
  });
  const target = exporter.address.replace('http://', '');
  const ownEndpoint = await serveText(cleanup.defer, COTURN_METRICS);
  prometheus = await startPrometheusServer(cleanup.defer, { target, ownEndpoint });
  const parsed = TARGET.parse(address);
  if (!parsed.ok) throw new Error(`Not a target: ${address}`);
  fleet = await startFleet({
    target: parsed.value,
    options: FLEET,
    pace: { speed: 1, durationMs: 0, noFinish: false },
  });
  cleanup.defer(async () => void (await fleet.stop()));
  // Which expression is missing is told by its own test.
  await until(askAll, {
    what: 'every expression to return data',
    timeoutMs: DATA_TIMEOUT_MS,
    isDone: (missing) => missing.length === 0,
  }).catch(() => undefined);
}, DATA_TIMEOUT_MS + 60_000);

afterAll(() => cleanup.run());

describe('PromQL, executed', () => {
  const filled = EXPRESSIONS.filter(({ name }) => EMPTY_WHEN_HEALTHY[name] === undefined);

  it.each(filled)('$name returns data', ({ name, expr }) => {
    expect(answers.get(name), expr).toBeGreaterThan(0);
  });

  it.each(ALERTS.filter(({ name }) => name !== 'CoturnWatchdog'))(
    '$name is empty, because all is well',
    async ({ expr }) => {
      await expect(prometheus.query(expr)).resolves.toEqual([]);
    },
  );

  it('lists as empty only what is', () => {
    for (const name of Object.keys(EMPTY_WHEN_HEALTHY)) expect(answers.get(name) ?? 0).toBe(0);
  });
});

describe('metrics that the tests of dashboards and rules take for granted', () => {
  it('are those of the exporter, with all their labels', async () => {
    const { samples } = await exporter.metrics();
    for (const [name, labels] of REGISTERED) {
      // The others are of the process and its runtime: prom-client's, without a choice of ours.
      if (!name.startsWith('coturn_')) continue;
      const sample = samples.find((candidate) => candidate.name === name);
      expect(Object.keys(sample?.labels ?? { missing: name }), name).toEqual(
        expect.arrayContaining([...labels]),
      );
      expect(Object.keys(sample?.labels ?? {}).length, name).toBe(labels.size);
    }
  });
});

describe('units', () => {
  it('are those of the panels: bits per second are 8 times the bytes that were sent', async () => {
    const truth = await fleet.stop();
    await exporter.untilMetrics((metrics) => metrics.sum('coturn_allocations') === 0, {
      what: 'the last allocation to end',
      timeoutMs: 60_000,
    });
    const received = 'coturn_client_received_bytes_total';
    for (const { realm, client } of truth.realms) {
      await until(() => prometheus.query(`sum(${received}{realm="${realm}"})`), {
        what: 'Prometheus to have scraped what was sent',
        isDone: ([sum]) => sum?.value === client.receivedBytes,
      });
    }
    const [panel] = panelQueries().filter(({ where }) =>
      where.startsWith('coturn overview / Client side by realm'),
    );
    const window = { ...VARIABLES, __rate_interval: `${WHOLE_RUN_SECONDS}s` };
    const bits = substitute(panel?.expr ?? '', window);
    const bytes = `sum by (realm) (rate(${received}[${WHOLE_RUN_SECONDS}s]))`;
    const ratios = await prometheus.query(`(${bits}) / on (realm) ${bytes}`);
    expect(ratios).toHaveLength(truth.realms.length);
    for (const { value } of ratios) expect(value).toBeCloseTo(8, 6);
  });
}, 120_000);

/** Asks all expressions that have no data yet; gives the names of those that still have none. */
async function askAll(): Promise<string[]> {
  const missing: string[] = [];
  for (const { name, expr } of EXPRESSIONS) {
    if ((answers.get(name) ?? 0) > 0) continue;
    const series = await prometheus.query(expr);
    answers.set(name, series.filter(({ value }) => !Number.isNaN(value)).length);
    if (answers.get(name) === 0 && EMPTY_WHEN_HEALTHY[name] === undefined) missing.push(name);
  }
  return missing;
}

/** Answers every request with this text; gives its "host:port". */
async function serveText(defer: Defer, text: string): Promise<string> {
  const server = createServer((_, response) => response.end(text));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  defer(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port');
  return `127.0.0.1:${address.port}`;
}

/** The series that an expression selects, with their matchers and without windows. */
function seriesOf(expr: string): string[] {
  const matched = selectorsOf(expr).map(({ name, matchers }) => `${name}{${matchers}}`);
  const names = selectorsOf(expr).map(({ name }) => name);
  return [
    ...new Set([...matched, ...[...selectedMetrics(expr)].filter((name) => !names.includes(name))]),
  ];
}

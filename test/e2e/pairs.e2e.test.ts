import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCleanup } from '../support/cleanup.ts';
import { parseExposition, type Sample } from '../support/exposition.ts';
import {
  type PrometheusServer,
  startPrometheusServer,
  valuesByLabels,
} from '../support/prometheus-server.ts';
import { runPromtool } from '../support/promtool.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { panelQueries } from '../unit/grafana/dashboards.ts';
import { DEFAULT_VALUES, substitute } from '../unit/grafana/grafana-variables.ts';

/**
 * The same half hour of an exporter's metrics, once from a single exporter and once from a pair of
 * which one lags behind and is away for some minutes: a real Prometheus must answer every panel alike.
 */
const MINUTES = 30;
const AWAY = { from: 12, to: 15 } as const;
const LAG = 0.995;
/** What the two may differ by, as a share. */
const TOLERANCE = 0.01;

const METRICS = readFileSync(new URL('../fixtures/exposition/relay.prom', import.meta.url), 'utf8');
// What is about each process by itself shows both, and what is recorded has no instance to choose.
const PANELS = panelQueries()
  .filter(
    ({ kind, panel }) => kind === 'prometheus' && !JSON.stringify(panel).includes('{{replica}}'),
  )
  .filter(({ expr }) => expr.includes('$instance') && !expr.includes(':coturn_'))
  .map(({ where, expr }) => ({ name: where, expr }));

const cleanup = createCleanup();
let prometheus: PrometheusServer;

beforeAll(async () => {
  const folder = createTempFolder(cleanup.defer);
  const text = join(folder, 'history.txt');
  const { samples } = parseExposition(METRICS);
  const job = { job: 'coturn-exporter' };
  const lines = [...samples, { name: 'up', labels: {}, value: 1 }].flatMap((sample) => [
    ...history(sample, { ...job, instance: 'single' }),
    ...history(sample, { ...job, instance: 'pair', replica: 'a' }),
    ...history(sample, { ...job, instance: 'pair', replica: 'b' }),
  ]);
  writeFileSync(text, `${lines.join('\n')}\n# EOF\n`);
  const data = join(folder, 'data');
  mkdirSync(data);
  const made = runPromtool(['tsdb', 'create-blocks-from', 'openmetrics', '--quiet', text, data]);
  expect(made.exitCode, made.output).toBe(0);
  // Nothing is scraped: the port is nobody's.
  prometheus = await startPrometheusServer(cleanup.defer, { target: '127.0.0.1:9', history: data });
}, 120_000);

afterAll(() => cleanup.run());

describe('a pair of exporters', () => {
  it('is asked in most panels', () => {
    expect(PANELS.length).toBeGreaterThan(60);
  });

  it.each(PANELS)('is one exporter in $name', async ({ name, expr }) => {
    const [single, pair] = await Promise.all(
      ['single', 'pair'].map((instance) =>
        prometheus.query(substitute(expr, { ...DEFAULT_VALUES, instance })),
      ),
    );
    const expected = valuesByLabels(single ?? []);
    const found = valuesByLabels(pair ?? []);
    expect([...found.keys()].sort(), name).toEqual([...expected.keys()].sort());
    for (const [labels, value] of expected) {
      const other = found.get(labels) ?? Number.NaN;
      if (Number.isNaN(value)) continue;
      expect(Math.abs(other - value), labels).toBeLessThanOrEqual(Math.abs(value) * TOLERANCE);
    }
  });
});

/** The lines of one series; counters grow, and replica b lags behind and is away for a while. */
function history({ name, labels, value }: Sample, target: Record<string, string>): string[] {
  const pairs = Object.entries({ ...labels, ...target }).map(
    ([label, text]) => `${label}=${JSON.stringify(text)}`,
  );
  const end = Math.floor(Date.now() / 1000);
  const isCounter = /_(total|bucket|count|sum)$/.test(name);
  return Array.from({ length: MINUTES + 1 }, (_, minute) => {
    if (target['replica'] === 'b' && minute >= AWAY.from && minute < AWAY.to) return [];
    const grown = isCounter ? (value * minute) / MINUTES : value;
    const isBehind = target['replica'] === 'b' && isCounter;
    const shown = isBehind ? grown * LAG : grown;
    return [`${name}{${pairs.join(',')}} ${shown} ${end - 60 * (MINUTES - minute)}`];
  }).flat();
}

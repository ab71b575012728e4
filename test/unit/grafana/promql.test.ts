import { describe, expect, it, onTestFinished } from 'vitest';
import { RULE_FILES, rulesOf } from '../deploy/rule-files.ts';
import { panelQueries, readDashboards } from './dashboards.ts';
import { substitute } from './grafana-variables.ts';
import { KNOWN_METRICS, type KnownMetrics, OF_COTURN } from './known-metrics.ts';
import { parseErrors, selectedMetrics, selectorsOf } from './promql.ts';

const QUERIES = panelQueries().filter(({ kind }) => kind === 'prometheus');
const RECORDED = new Map(
  RULE_FILES.flatMap(rulesOf)
    .filter(({ isAlert }) => !isAlert)
    .map(({ name }) => [name, new Set(['cluster', 'realm', 'server', 'direction'])]),
);
const KNOWN: KnownMetrics = new Map([...KNOWN_METRICS, ...OF_COTURN, ...RECORDED]);
const ANNOTATIONS = [...readDashboards('dashboards').values()].flatMap(({ annotations }) =>
  (annotations?.list ?? []).flatMap(({ name, expr }) =>
    expr === undefined ? [] : [{ name, expr }],
  ),
);

describe('selectedMetrics', () => {
  it.each([
    ['sum by (realm) (rate(coturn_a_total{realm=~"x|y"}[5m])) * 8', ['coturn_a_total']],
    ['time() - (last{source="s"} > 0)', ['last']],
    ['a / on (realm) group_left () b offset 10m unless c', ['a', 'b', 'c']],
    ['topk(5, sum(level:metric:rate5m))', ['level:metric:rate5m']],
    ['count(up{job="}"} == 0) or vector(0)', ['up']],
    ['rate(x[1h]) > 1e3', ['x']],
  ])('finds what %s selects', (expr, names) => {
    expect([...selectedMetrics(expr)]).toEqual(names);
  });
});

describe('PromQL of the dashboards', () => {
  it('is found', () => {
    expect(QUERIES.length).toBeGreaterThan(60);
  });

  it('is taken by the parser of Prometheus', () => {
    const expressions = QUERIES.map(({ expr }) => substitute(expr));
    expect(parseErrors(onTestFinished, expressions)).toBe('');
  });

  it('is really parsed', () => {
    expect(parseErrors(onTestFinished, ['sum(up'])).toContain('expressions.json');
  });

  it.each(QUERIES)('$where uses metrics and labels that exist', ({ expr }) => {
    const names = selectedMetrics(substitute(expr));
    expect(names.size).toBeGreaterThan(0);
    for (const name of names) expect([...KNOWN.keys()]).toContain(name);
    for (const { name, matchers } of selectorsOf(expr)) {
      for (const [label] of matchers.matchAll(/\w+(?=[=!])/g))
        expect(KNOWN.get(name)).toContain(label);
    }
  });

  it.each(QUERIES)(
    '$where chooses exporters, and realm, server and source where they are labels',
    ({ expr, dashboard }) => {
      const variables = dashboard.templating.list.map(({ name }) => name);
      for (const { name, matchers } of selectorsOf(expr)) {
        for (const label of ['job', 'cluster', 'instance', 'realm', 'server', 'source']) {
          if (!variables.includes(label) || KNOWN.get(name)?.has(label) !== true) continue;
          // What is recorded for whole servers has no realm to choose.
          if (RECORDED.has(name) && label === 'realm') continue;
          expect(`${name}{${matchers}}`).toContain(`${label}=~"$${label}"`);
        }
      }
    },
  );

  it.each(QUERIES)(
    '$where takes the rate of counters, over $__rate_interval or $__range',
    ({ expr }) => {
      for (const { name, range } of selectorsOf(expr)) {
        // Recorded series are rates already, and a month is a month.
        if (RECORDED.has(name)) continue;
        const isCounter =
          /_(total|bucket|sum|count)$/.test(name) || /^(turn|stun)_(?!total)/.test(name);
        expect(range).toMatch(
          isCounter ? /^\[\$__(rate_interval|range)\]$/ : /^$|^\[\$__rate_interval\]$/,
        );
        if (!isCounter) continue;
        expect(expr).toMatch(new RegExp(`(rate|increase)\\(${name}\\{`));
      }
      // rate is for windows that follow the graph; a whole range is an increase.
      expect(expr).not.toMatch(/rate\([^)]*\[\$__range\]/);
    },
  );

  it.each(QUERIES)('$where does not sum client and peer side', ({ expr }) => {
    const names = [...selectedMetrics(substitute(expr))];
    const sides = new Set(names.map((name) => /^coturn_(client|peer)_/.exec(name)?.[1]));
    expect(sides.size).toBe(1);
  });

  it.each(QUERIES.filter(({ expr }) => /_bytes_total/.test(expr) && /rate\(/.test(expr)))(
    '$where shows bits as bits and bytes as bytes',
    ({ expr, panel }) => {
      const unit = panel.fieldConfig?.defaults.unit;
      expect(unit).toBe(expr.endsWith('* 8') ? 'bps' : 'Bps');
    },
  );

  it.each(QUERIES)('$where counts one exporter of a pair, whatever it sums', ({ expr, panel }) => {
    for (const { name } of selectorsOf(expr)) {
      // About each process by itself.
      if (RECORDED.has(name) || JSON.stringify(panel).includes('{{replica}}')) continue;
      const before = expr.slice(0, expr.indexOf(`${name}{`));
      expect(before).toMatch(
        /max without \(replica\) \((sum without \(relayed\) \(|(rate|increase|deriv)\()?$/,
      );
    }
  });

  it('of annotations is taken by the parser of Prometheus and uses metrics that exist', () => {
    expect(ANNOTATIONS.map(({ name }) => name)).toEqual([
      'Exporter starts',
      'Exporter starts',
      'coturn restarts',
    ]);
    const expressions = ANNOTATIONS.map(({ expr }) => substitute(expr));
    expect(parseErrors(onTestFinished, expressions)).toBe('');
    for (const expr of expressions) {
      for (const name of selectedMetrics(expr)) expect([...KNOWN.keys()]).toContain(name);
    }
  });

  it('of variables asks for metrics that exist', () => {
    const queries = [...readDashboards('dashboards').values()].flatMap(({ templating }) =>
      templating.list.filter(
        ({ type, datasource }) => type === 'query' && datasource?.type === 'prometheus',
      ),
    );
    expect(queries.length).toBeGreaterThan(5);
    for (const { query, name } of queries) {
      const [, selector = '', label] = /^label_values\((.+), (\w+)\)$/.exec(String(query)) ?? [];
      expect(label).toBe(name);
      const [metric = ''] = [...selectedMetrics(substitute(selector))];
      expect(KNOWN.get(metric)).toContain(label);
      expect(parseErrors(onTestFinished, [substitute(selector)])).toBe('');
    }
  });
});

import { describe, expect, it } from 'vitest';
import { KNOWN_METRICS } from '../grafana/known-metrics.ts';
import { isQueryable, parseLogQl, recordFields, STREAM_LABELS } from '../grafana/logql.ts';
import { exists, readText } from './files.ts';
import { FLAGS, flagsIn } from './flags.ts';

const LOKI = readText('docs/loki.md');
const QUERIES = [
  ...[...LOKI.matchAll(/```logql\n([^`]*(?:`[^`]+`[^`]*)*?)```/g)].map(([, query = '']) =>
    query.trim(),
  ),
  ...[...LOKI.matchAll(/'((?:sum|\{)[^']*)'/g)].map(([, query = '']) => query),
].map((query) => ({ query }));

describe('docs/loki.md', () => {
  it('has the queries', () => {
    expect(QUERIES.length).toBeGreaterThan(12);
  });

  it.each(QUERIES)('$query is taken by the grammar of Grafana', ({ query }) => {
    expect(parseLogQl(query).errors).toEqual([]);
  });

  it.each(QUERIES)(
    '$query uses labels and fields that there are, and filters lines first',
    ({ query }) => {
      const { streamLabels, fields, filtersBeforeJson } = parseLogQl(query);
      for (const label of streamLabels) expect(STREAM_LABELS).toContain(label);
      for (const field of fields) expect(isQueryable(field), field).toBe(true);
      for (const filters of filtersBeforeJson) expect(filters.length).toBeGreaterThan(0);
      expect(query).toMatch(/\} \|= `/);
    },
  );

  it('names fields of records in jq and line_format', () => {
    const named = [...LOKI.matchAll(/[[ {(]\.([a-z_]+)(?=[,\]}) ])/g)].map(([, name = '']) => name);
    expect(named.length).toBeGreaterThan(10);
    for (const name of named) expect([...recordFields(), 'metric', 'value'], name).toContain(name);
  });
});

describe.each(['docs/loki.md', 'docs/runbook.md', 'deploy/prometheus/alerts.yml'])('%s', (file) => {
  const text = readText(file);

  it('names flags that there are', () => {
    for (const flag of flagsIn(text)) expect([...FLAGS]).toContain(flag);
  });

  it('names metrics and files that there are', () => {
    const known = KNOWN_METRICS;
    const rules = `${readText('deploy/prometheus/recording-rules.yml')}${readText('deploy/prometheus/alerts.yml')}`;
    for (const [name] of text.matchAll(/(?<![\w:])coturn_\w+/g))
      expect([...known.keys()]).toContain(name);
    for (const [name] of text.matchAll(/\bcoturn:\w+:limit/g))
      expect(rules).toContain(`record: ${name}`);
    for (const [, path = ''] of text.matchAll(/`((?:deploy|docs|grafana)\/[\w./-]+)`/g))
      expect(exists(path), path).toBe(true);
  });
});

describe('descriptions in dashboards', () => {
  it.each(['coturn-overview', 'coturn-sessions', 'coturn-exporter'])(
    'of %s name flags that there are',
    (name) => {
      for (const flag of flagsIn(readText(`grafana/dashboards/${name}.json`)))
        expect([...FLAGS]).toContain(flag);
    },
  );
});

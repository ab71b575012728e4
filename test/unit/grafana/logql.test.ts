import { describe, expect, it } from 'vitest';
import { panelQueries, readDashboards } from './dashboards.ts';
import { DEFAULT_VALUES, substitute } from './grafana-variables.ts';
import { isQueryable, parseLogQl, recordFields, STREAM_LABELS } from './logql.ts';

const QUERIES = panelQueries().filter(({ kind }) => kind === 'loki');
const CHOICE = {
  ...DEFAULT_VALUES,
  user: 'ali.ce',
  session: '0193',
  turn_server: '10.0.0.1',
  realm: 'a|b',
};

describe('parseLogQl', () => {
  it('finds fields, filters and windows', () => {
    const expr =
      'sum by (realm) (sum_over_time({job="j"} |= "x" | json | user=~".+" | unwrap sent_bytes [5m]))';
    expect(parseLogQl(expr)).toEqual({
      errors: [],
      streamLabels: new Set(['job']),
      fields: new Set(['realm', 'user', 'sent_bytes']),
      filtersBeforeJson: [['|= "x"']],
      windows: ['5m'],
    });
  });

  it('finds what is no LogQL', () => {
    expect(parseLogQl('{job="j"} | json | = "x"').errors).not.toEqual([]);
  });

  it('knows the fields of records', () => {
    expect([...recordFields()]).toEqual(
      expect.arrayContaining(['session_id', 'missed_bytes', 'time']),
    );
  });
});

describe('LogQL of the dashboards', () => {
  it('is found', () => {
    expect(QUERIES.length).toBeGreaterThan(20);
  });

  it.each(QUERIES)('$where is taken by the grammar of Grafana', ({ expr }) => {
    expect(parseLogQl(substitute(expr)).errors).toEqual([]);
    expect(parseLogQl(substitute(expr, CHOICE)).errors).toEqual([]);
  });

  it.each(QUERIES)('$where uses only labels and fields that there are', ({ expr }) => {
    const { fields, streamLabels } = parseLogQl(substitute(expr));
    for (const name of streamLabels) expect(STREAM_LABELS).toContain(name);
    for (const name of fields) expect(isQueryable(name), name).toBe(true);
  });

  it.each(QUERIES)('$where filters lines before it parses them', ({ expr }) => {
    const { filtersBeforeJson } = parseLogQl(substitute(expr));
    expect(filtersBeforeJson.length).toBeGreaterThan(0);
    for (const filters of filtersBeforeJson) expect(filters).toContain('|= `session_finished`');
  });

  it.each(QUERIES)('$where takes its window from the dashboard', ({ expr, panel }) => {
    const windows = expr.match(/\[[^\]]*\]/g) ?? [];
    const isTotal = panel.targets?.some(({ queryType }) => queryType === 'instant') ?? false;
    for (const window of windows) expect(window).toBe(isTotal ? '[$__range]' : '[$__auto]');
  });

  it('takes any name for the user as it is typed, percent-encoded', () => {
    for (const { expr } of QUERIES) {
      const query = substitute(expr, { ...CHOICE, user: 'a`b"\\\n%', match: 'eq' });
      expect(query).toContain('{{ eq (urldecode "a%60b%22%5C%0A%25") .user }}');
      expect(parseLogQl(query).errors).toEqual([]);
    }
  });

  it('does not pass over names with line feeds', () => {
    for (const { expr } of QUERIES) expect(expr).not.toMatch(/=~`(?!\(\?s\))[^`]*\.\*/);
  });

  it('of the realm variable asks a label of the streams', () => {
    const [sessions] = [...readDashboards('dashboards').values()].filter(
      ({ uid }) => uid === 'coturn-sessions',
    );
    const realm = sessions?.templating.list.find(({ name }) => name === 'realm');
    expect(realm?.query).toMatchObject({
      label: 'realm',
      stream: '{service_name="coturn-exporter"}',
    });
  });
});

describe('record tables', () => {
  it('have only columns that records have', () => {
    const tables = QUERIES.filter(({ panel }) => JSON.stringify(panel).includes('extractFields'));
    expect(tables.length).toBeGreaterThan(1);
    for (const { panel } of tables) {
      const text = JSON.stringify(panel);
      const [, names = '[]'] = /"include":\{"names":(\[[^\]]*\])/.exec(text) ?? [];
      for (const name of JSON.parse(names) as string[]) expect([...recordFields()]).toContain(name);
    }
  });
});

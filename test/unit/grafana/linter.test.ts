import { describe, expect, it } from 'vitest';
import { type DashboardJson, type PanelJson, readDashboards } from './dashboards.ts';
import { variablesIn } from './grafana-variables.ts';

// The rules of github.com/grafana/dashboard-linter, as far as they make sense here. Left out:
// target-promql and target-logql (own tests), job and instance in the Loki dashboard (records have
// neither), $__auto where a whole range is summed on purpose ($__range).
const PROVISIONED = [...readDashboards('dashboards')].map(([file, dashboard]) => ({
  file,
  dashboard,
}));
const IMPORTABLE = [...readDashboards('importable')].map(([file, dashboard]) => ({
  file,
  dashboard,
}));
const ALL = [...PROVISIONED, ...IMPORTABLE];

// grafana-data/src/valueFormats/categories.ts; those that are used here.
const UNITS = [
  'short',
  'percentunit',
  'bytes',
  'bps',
  'Bps',
  'pps',
  's',
  'dtdurations',
  'cps',
  'cpm',
  'decgbytes',
];
// Panels without a unit of their own: log lines have none, a heatmap's is on its axis.
const WITHOUT_UNIT = ['logs', 'heatmap', 'row'];

describe('dashboards', () => {
  it('are the three that are promised', () => {
    expect(new Set(PROVISIONED.map(({ dashboard }) => dashboard.title))).toEqual(
      new Set(['coturn overview', 'coturn sessions', 'coturn-exporter']),
    );
  });

  it.each(ALL)(
    '$file has a title, a description, a uid and the common tag',
    ({ file, dashboard }) => {
      expect(dashboard.description).toMatch(/\w{3}/);
      expect(`${dashboard.uid}.json`).toBe(file);
      expect(dashboard.tags).toContain('coturn');
    },
  );

  it.each(ALL)('$file has a templated data source with the usual name', ({ dashboard }) => {
    const sources = dashboard.templating.list.filter(({ type }) => type === 'datasource');
    expect(sources).toHaveLength(1);
    for (const { name, label, query } of sources) {
      expect(name).toBe(`${String(query)}_datasource`);
      expect(String(label).toLowerCase()).toBe(`${String(query)} data source`);
    }
  });

  it.each(ALL)('$file names data sources by variable only', ({ dashboard }) => {
    const text = JSON.stringify(dashboard);
    const uids = [...text.matchAll(/"datasource":\{"type":"\w+","uid":"([^"]*)"\}/g)].map(
      ([, uid]) => uid,
    );
    expect(uids.length).toBeGreaterThan(10);
    for (const uid of uids) expect(uid).toMatch(/^\$\{(prometheus|loki)_datasource\}$/);
    expect(text.match(/"uid":/g)?.length).toBe(uids.length + 1);
  });

  it.each(ALL)(
    '$file asks again for the values of variables when the range changes',
    ({ dashboard }) => {
      for (const { type, refresh } of dashboard.templating.list) {
        if (type === 'query') expect(refresh).toBe(2);
      }
    },
  );

  it.each(ALL)('$file uses each of its variables and no other', ({ dashboard }) => {
    const text = JSON.stringify([
      dashboard.panels,
      dashboard.templating.list,
      dashboard.annotations,
    ]);
    const used = variablesIn(text);
    const defined = dashboard.templating.list.map(({ name }) => name);
    for (const name of defined) expect(used).toContain(name);
    // `$__…` and `$&` are Grafana's; `${DS_…}` is filled in by the import.
    const own = [...used].filter((name) => !/^(__|DS_)/.test(name));
    expect(new Set(own)).toEqual(new Set(defined));
  });

  it.each(ALL)(
    '$file links to the other dashboards and takes time and variables along',
    ({ dashboard }) => {
      expect(dashboard.links).toMatchObject([
        { type: 'dashboards', tags: ['coturn'], includeVars: true, keepTime: true },
      ]);
    },
  );

  it.each(ALL)('$file numbers its panels and lays them side by side', ({ dashboard }) => {
    expect(dashboard.panels.map(({ id }) => id)).toEqual(
      dashboard.panels.map((_, index) => index + 1),
    );
    for (const [index, panel] of dashboard.panels.entries()) {
      const { x, w } = panel.gridPos;
      expect(x + w).toBeLessThanOrEqual(24);
      expect(dashboard.panels.slice(index + 1).filter((other) => overlap(panel, other))).toEqual(
        [],
      );
    }
  });

  it.each(PROVISIONED)(
    '$file cannot be edited in Grafana, where changes would be lost',
    ({ dashboard }) => {
      expect(dashboard.editable).toBe(false);
    },
  );

  it('templates job and instance where there is Prometheus', () => {
    for (const { dashboard } of PROVISIONED.filter(usesPrometheus)) {
      const names = dashboard.templating.list.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(['job', 'instance']));
    }
  });
});

const PANELS = PROVISIONED.flatMap(({ dashboard }) =>
  dashboard.panels
    .filter(({ type }) => type !== 'row')
    .map((panel) => ({ name: `${dashboard.title} / ${panel.title}`, panel })),
);

describe('panels', () => {
  it('have names that differ within their dashboard', () => {
    const names = PANELS.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  it.each(PANELS)('$name has a title, a description and queries', ({ panel }) => {
    expect(panel.title).toMatch(/\w{3}/);
    expect(panel.description).toMatch(/\w{3}.*\.$/s);
    expect(panel.targets?.length).toBeGreaterThan(0);
    for (const { expr } of panel.targets ?? []) expect(expr).not.toBe('');
  });

  it.each(PANELS)('$name and its queries use the same data source', ({ panel }) => {
    for (const target of panel.targets ?? []) expect(target.datasource).toEqual(panel.datasource);
  });

  it.each(PANELS.filter(({ panel }) => !WITHOUT_UNIT.includes(panel.type)))(
    '$name has a unit that Grafana knows',
    ({ panel }) => {
      expect(UNITS).toContain(panel.fieldConfig?.defaults.unit);
    },
  );

  it('give a different id to each query', () => {
    for (const { panel } of PANELS) {
      const ids = (panel.targets ?? []).map(({ refId }, index) => refId ?? `#${index}`);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });

  it('lead from a user to the sessions of that user', () => {
    const links = PANELS.filter(({ panel }) => JSON.stringify(panel).includes('var-user='));
    expect(links.map(({ name }) => name)).toContain('coturn overview / Top users now');
    for (const { panel } of links) {
      expect(JSON.stringify(panel)).toContain('/d/coturn-sessions/');
    }
  });

  it('say so where the choice of servers does not filter them', () => {
    const overview = PROVISIONED.find(({ dashboard }) => dashboard.uid === 'coturn-overview');
    const panels = overview?.dashboard.panels.filter(({ type }) => type !== 'row') ?? [];
    for (const { title, targets, description } of panels) {
      const isFiltered = targets?.some(({ expr }) => expr.includes('$server'));
      expect(description?.includes('choice of servers does not filter'), title).toBe(!isFiltered);
    }
  });

  it('lead from a user to the sessions of exactly that user in that realm', () => {
    const links = PANELS.map(({ panel }) => JSON.stringify(panel)).filter((text) =>
      text.includes('var-user='),
    );
    expect(links.length).toBeGreaterThan(3);
    for (const text of links) {
      for (const [link] of text.matchAll(/\/d\/coturn-sessions[^ ]*var-user=[^ ]*/g)) {
        expect(link).toMatch(/var-match=eq&/);
        expect(link).toMatch(/&var-realm=/);
      }
    }
  });

  it('lead from bandwidth to the sessions of that time', () => {
    for (const name of [
      'Client side by realm',
      'Peer side by server',
      'Bandwidth against its limit',
    ]) {
      const panel = PANELS.find((candidate) => candidate.name === `coturn overview / ${name}`);
      expect(JSON.stringify(panel)).toMatch(
        /\/d\/coturn-sessions\/.*var-(realm|turn_server)=.*time=\$\{__value\.time\}&time\.window=/,
      );
    }
  });

  it('name only columns that they have in links', () => {
    for (const { panel } of PANELS) {
      const [, renamed = '{}'] = /"renameByName":(\{[^}]*\})/.exec(JSON.stringify(panel)) ?? [];
      const headings = Object.values(JSON.parse(renamed) as Record<string, string>);
      const named = [...JSON.stringify(panel).matchAll(/__data\.fields\[\\+"([^"\\]+)\\+"\]/g)];
      for (const [, heading] of named) expect(headings).toContain(heading);
    }
  });
});

describe('importable dashboards', () => {
  it.each(IMPORTABLE)('$file asks for its data source and makes it the choice', ({ dashboard }) => {
    const [variable] = dashboard.templating.list.filter(({ type }) => type === 'datasource');
    const kind = String(variable?.query);
    const input = `DS_${kind.toUpperCase()}`;
    expect(dashboard.__inputs).toMatchObject([{ name: input, type: 'datasource', pluginId: kind }]);
    expect(variable?.current?.value).toBe(`\${${input}}`);
  });

  it('show the same panels as the provisioned ones', () => {
    expect(IMPORTABLE.map(({ dashboard }) => dashboard.panels)).toEqual(
      PROVISIONED.map(({ dashboard }) => dashboard.panels),
    );
  });
});

function usesPrometheus({ dashboard }: { dashboard: DashboardJson }): boolean {
  return dashboard.templating.list.some(({ query }) => query === 'prometheus');
}

function overlap(one: PanelJson, other: PanelJson): boolean {
  const a = one.gridPos;
  const b = other.gridPos;
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

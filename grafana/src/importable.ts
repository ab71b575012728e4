import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';

/** The oldest Grafana that shows all panels as intended. */
const OLDEST_GRAFANA = '11.0.0';
const DATA_SOURCES: Readonly<Record<string, { readonly input: string; readonly name: string }>> = {
  prometheus: { input: 'DS_PROMETHEUS', name: 'Prometheus' },
  loki: { input: 'DS_LOKI', name: 'Loki' },
};

/**
 * The dashboard as a file for Grafana's import form, which asks for the data source (`__inputs`)
 * and makes it the dashboard's choice. It may be edited afterwards, unlike the provisioned one.
 */
export function toImportable(dashboard: Dashboard): Record<string, unknown> {
  const kinds = (dashboard.templating.list ?? [])
    .filter(({ type }) => type === 'datasource')
    .map(({ query }) => String(query));
  return {
    __inputs: kinds.map(importInput),
    __elements: {},
    __requires: [
      { type: 'grafana', id: 'grafana', name: 'Grafana', version: OLDEST_GRAFANA },
      ...kinds.map((id) => ({
        type: 'datasource',
        id,
        name: dataSource(id).name,
        version: '1.0.0',
      })),
      ...panelTypes(dashboard).map((id) => ({ type: 'panel', id, name: id, version: '' })),
    ],
    ...dashboard,
    id: null,
    editable: true,
    templating: { list: dashboard.templating.list?.map(withChosenSource) ?? [] },
  };
}

function withChosenSource(variable: NonNullable<Dashboard['templating']['list']>[number]) {
  if (variable.type !== 'datasource') return variable;
  const { input, name } = dataSource(String(variable.query));
  return { ...variable, current: { selected: true, text: name, value: `\${${input}}` } };
}

function importInput(pluginId: string) {
  const { input, name } = dataSource(pluginId);
  const description = `The ${name} that has the data of coturn-exporter`;
  return { name: input, label: name, description, type: 'datasource', pluginId, pluginName: name };
}

function dataSource(kind: string) {
  const found = DATA_SOURCES[kind];
  if (found === undefined) throw new RangeError(`Cannot import a data source of kind "${kind}"`);
  return found;
}

function panelTypes(dashboard: Dashboard): string[] {
  const types = (dashboard.panels ?? []).map(({ type }) => type).filter((type) => type !== 'row');
  return [...new Set(types)].sort((a, b) => a.localeCompare(b));
}

import {
  CustomVariableBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  TextBoxVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { EXPORTER, LOKI, LOKI_VARIABLE, PROMETHEUS, PROMETHEUS_VARIABLE } from './queries.ts';
import { CONTAINS, EXACTLY } from './records.ts';

const ALL = { selected: true, text: ['All'], value: ['$__all'] };
// An empty realm or server is a legal one, and such a series has no label at all: `.+` or the list
// of known values would hide it.
const ANY_VALUE_OR_NONE = '.*';

/** The choice of a Prometheus. */
export function prometheusVariable(): DatasourceVariableBuilder {
  return new DatasourceVariableBuilder(PROMETHEUS_VARIABLE)
    .label('Prometheus data source')
    .type('prometheus');
}

/** The choice of a Loki. */
export function lokiVariable(): DatasourceVariableBuilder {
  return new DatasourceVariableBuilder(LOKI_VARIABLE).label('Loki data source').type('loki');
}

/** `job`, `cluster` and `instance`: which exporters. */
export function exporterVariables(): QueryVariableBuilder[] {
  // No `allValue` here: the `up` panels must not show the targets of other jobs.
  return [
    prometheusLabel('job', 'label_values(coturn_exporter_build_info, job)').label('Job'),
    prometheusLabel('cluster', 'label_values(coturn_exporter_build_info{job=~"$job"}, cluster)')
      .label('Cluster')
      .description('Empty where there is no label of this name.')
      .allValue(ANY_VALUE_OR_NONE),
    prometheusLabel(
      'instance',
      'label_values(coturn_exporter_build_info{job=~"$job",cluster=~"$cluster"}, instance)',
    )
      .label('Instance')
      .description('Exporters. Of a pair that differs in the label replica one is counted.'),
  ];
}

/** `realm`, from the metrics. */
export function realmVariable(): QueryVariableBuilder {
  return prometheusLabel('realm', `label_values(coturn_sessions{${EXPORTER}}, realm)`)
    .label('Realm')
    .allValue(ANY_VALUE_OR_NONE);
}

/** `server`: coturn servers, from the metrics. */
export function serverVariable(): QueryVariableBuilder {
  const series = `coturn_allocations{${EXPORTER},realm=~"$realm"}`;
  return prometheusLabel('server', `label_values(${series}, server)`)
    .label('Server')
    .allValue(ANY_VALUE_OR_NONE);
}

/** `source`: where the exporter gets its events from. */
export function sourceVariable(): QueryVariableBuilder {
  return prometheusLabel('source', `label_values(coturn_up{${EXPORTER}}, source)`)
    .label('Source')
    .allValue(ANY_VALUE_OR_NONE);
}

/** `realm`, from the labels in Loki; choose All where realm is no label there. */
export function lokiRealmVariable(): QueryVariableBuilder {
  return multiValue('realm')
    .datasource(LOKI)
    .query({
      label: 'realm',
      stream: '{service_name="coturn-exporter"}',
      type: 1,
      refId: 'LokiVariableQueryEditor-VariableQuery',
    })
    .definition('label_values({service_name="coturn-exporter"}, realm)')
    .label('Realm')
    .allValue(ANY_VALUE_OR_NONE);
}

/** A box to type text into; empty at first, or as given. */
export function textVariable(
  name: string,
  options: { readonly label: string; readonly description: string; readonly value?: string },
): TextBoxVariableBuilder {
  return new TextBoxVariableBuilder(name)
    .label(options.label)
    .description(options.description)
    .defaultValue(options.value ?? '');
}

/** How the user box is compared; links to one user choose {@link EXACTLY}. */
export function matchVariable(): CustomVariableBuilder {
  const option = (text: string, value: string, selected: boolean) => ({ text, value, selected });
  const options = [option('contains', CONTAINS, true), option('is exactly', EXACTLY, false)];
  return new CustomVariableBuilder('match')
    .label('User name')
    .description('Whether the box beside it is a part of the user name or the whole of it.')
    .values(options.map(({ text, value }) => `${text} : ${value}`).join(','))
    .options(options)
    .current({ selected: true, text: 'contains', value: CONTAINS });
}

function prometheusLabel(name: string, query: string): QueryVariableBuilder {
  return multiValue(name).datasource(PROMETHEUS).query(query).definition(query);
}

function multiValue(name: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.NaturalAsc)
    .multi(true)
    .includeAll(true)
    .current(ALL);
}

import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';
import { DataqueryBuilder as LokiQuery } from '@grafana/grafana-foundation-sdk/loki';
import {
  DataqueryBuilder as PrometheusQuery,
  PromQueryFormat,
} from '@grafana/grafana-foundation-sdk/prometheus';

// Data sources are chosen in the dashboard; the names are those of Grafana's dashboard linter.
// They differ by kind, so that a link from one dashboard to another can hand over all variables.
export const PROMETHEUS_VARIABLE = 'prometheus_datasource';
export const LOKI_VARIABLE = 'loki_datasource';

export const PROMETHEUS: DataSourceRef = { type: 'prometheus', uid: `\${${PROMETHEUS_VARIABLE}}` };
export const LOKI: DataSourceRef = { type: 'loki', uid: `\${${LOKI_VARIABLE}}` };

/** Label matchers of every series that an exporter gives. */
export const EXPORTER = 'job=~"$job",instance=~"$instance"';
/** Label matchers of series by realm. */
export const REALM: string = `${EXPORTER},realm=~"$realm"`;
/** Label matchers of series by realm and server. */
export const SERVER: string = `${REALM},server=~"$server"`;
/** Label matchers of series by source. */
export const SOURCE: string = `${EXPORTER},source=~"$source"`;

/** A query that gives one line of a graph for each series; `legend` may hold `{{label}}`. */
export function promRange(expr: string, legend: string): PrometheusQuery {
  return new PrometheusQuery().datasource(PROMETHEUS).expr(expr).legendFormat(legend).range();
}

/** Like `promRange`, and the sessions behind it as dots (exemplars). */
export function promExemplars(expr: string, legend: string): PrometheusQuery {
  return promRange(expr, legend).exemplar(true);
}

/** A query for now only, as rows of a table; `refId` names its value column `Value #<refId>`. */
export function promTable(expr: string, refId: string): PrometheusQuery {
  return new PrometheusQuery()
    .datasource(PROMETHEUS)
    .expr(expr)
    .format(PromQueryFormat.Table)
    .instant()
    .refId(refId);
}

/** A query whose series are the buckets of a histogram over time. */
export function promHeatmap(expr: string): PrometheusQuery {
  return promRange(expr, '{{le}}').format(PromQueryFormat.Heatmap).exemplar(true);
}

/** A LogQL query that gives one line of a graph for each series. */
export function lokiRange(expr: string, legend: string): LokiQuery {
  return new LokiQuery().datasource(LOKI).expr(expr).legendFormat(legend).queryType('range');
}

/** A LogQL query for the whole range at once; `refId` names its value column `Value #<refId>`. */
export function lokiTable(expr: string, refId: string): LokiQuery {
  return new LokiQuery().datasource(LOKI).expr(expr).queryType('instant').refId(refId);
}

/** The log lines that a LogQL query finds, newest first, `maxLines` at most. */
export function lokiLines(expr: string, maxLines: number): LokiQuery {
  return new LokiQuery().datasource(LOKI).expr(expr).maxLines(maxLines).queryType('range');
}

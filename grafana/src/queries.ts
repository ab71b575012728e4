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
export const EXPORTER = 'job=~"$job",cluster=~"$cluster",instance=~"$instance"';
/** Label matchers of series by realm. */
export const REALM: string = `${EXPORTER},realm=~"$realm"`;
/** Label matchers of series by realm and server. */
export const SERVER: string = `${REALM},server=~"$server"`;
/** Label matchers of series by source. */
export const SOURCE: string = `${EXPORTER},source=~"$source"`;

/** Label matchers of recorded series by server, of which job and instance are summed away. */
export const RECORDED_SERVER = 'cluster=~"$cluster",server=~"$server"';

/** Series, the rate of series, or live sessions without the label that a pair may see differently. */
const COUNTED =
  /sum without \(relayed\) \(\w+\{[^}]*\}\)|(?:\b(?:rate|increase|deriv)\()?\b(?:coturn|process|nodejs|turn|stun|up)[a-z0-9_]*\{[^}]*\}(?:\[[^\]]*\]\))?/g;

/**
 * The expression with one exporter counted of each pair, whose series differ in the label `replica`
 * alone. Where there is no such label nothing changes.
 */
export function countPairsOnce(expr: string): string {
  return expr.replaceAll(COUNTED, (series) => `max without (replica) (${series})`);
}

/** A query that gives one line of a graph for each series; `legend` may hold `{{label}}`. */
export function promRange(expr: string, legend: string): PrometheusQuery {
  return eachReplica(countPairsOnce(expr), legend);
}

/** The same with a line for each exporter of a pair, for what is about the process itself. */
export function eachReplica(expr: string, legend: string): PrometheusQuery {
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
    .expr(countPairsOnce(expr))
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

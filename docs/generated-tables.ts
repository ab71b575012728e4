import { renderFlagTable } from '../src/config/options.ts';
import { Servers } from '../src/domain/servers.ts';
import { RECORD_FIELDS } from '../src/domain/session-record.ts';
import { Tracker } from '../src/domain/tracker.ts';
import { createRegistry, registerMetrics } from '../src/metrics/registry.ts';
import { USER_FAMILIES } from '../src/metrics/user-metrics.ts';
import { WebStats } from '../src/metrics/web-metrics.ts';
import { RecordStats } from '../src/records/record-queue.ts';
import { StateStats } from '../src/state/state-keeper.ts';
import { renderBrowserTable, renderDayTable, renderVersionTable } from './measured-tables.ts';

/** A document with a table that is made of the code, between two marks with its name. */
export interface GeneratedTable {
  readonly name: string;
  /** The document, in this folder. */
  readonly file: string;
  readonly render: () => string;
}

/** Every table that is made of the code. */
export const GENERATED_TABLES: readonly GeneratedTable[] = [
  { name: 'flags', file: 'configuration.md', render: renderFlagTable },
  { name: 'metrics', file: 'metrics.md', render: renderMetricTable },
  { name: 'records', file: 'records.md', render: renderRecordTable },
  { name: 'versions', file: '../README.md', render: renderVersionTable },
  { name: 'browsers', file: 'accounting.md', render: renderBrowserTable },
  { name: 'day', file: 'billing.md', render: renderDayTable },
];

/** What the type of a registered metric does not tell of it. */
interface RegisteredMetric {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly string[];
  readonly type?: string;
}

/** The text of a document with its table made anew. */
export function fillTable(text: string, { name, file, render }: GeneratedTable): string {
  const begin = `<!-- begin ${name} -->\n`;
  const end = `<!-- end ${name} -->`;
  const start = text.indexOf(begin);
  const stop = text.indexOf(end);
  if (start < 0 || stop < start) {
    throw new Error(`Cannot find the marks of "${name}" in docs/${file}`);
  }
  return `${text.slice(0, start + begin.length)}${render().trim()}\n${text.slice(stop)}`;
}

function renderMetricTable(): string {
  const rows = registeredMetrics().map((metric) => {
    const type = metric.type ?? 'histogram';
    return `| \`${metric.name}\` | ${type} | ${shownLabels(metric.labelNames ?? [])} | ${metric.help} |`;
  });
  const users = USER_FAMILIES.map(
    ({ name, help }) => `| \`${name}\` | gauge | realm, user | ${help} |`,
  );
  return ['| metric | type | labels | meaning |', '|---|---|---|---|', ...rows, ...users].join(
    '\n',
  );
}

/** A metric as the code registers it. */
export interface MetricFamily {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
}

/** Every metric that a scrape can show, `process_*` and `nodejs_*` of prom-client among them. */
export function metricFamilies(): MetricFamily[] {
  const registered = allRegisteredMetrics().map(({ name, type, labelNames }) => ({
    name,
    type: type ?? 'histogram',
    labels: (labelNames ?? []).filter((label) => label !== EXEMPLAR_LABEL),
  }));
  const users = USER_FAMILIES.map(({ name }) => ({
    name,
    type: 'gauge',
    labels: ['realm', 'user'],
  }));
  return [...registered, ...users];
}

function registeredMetrics(): RegisteredMetric[] {
  return allRegisteredMetrics().filter(({ name }) => name.startsWith('coturn_'));
}

function allRegisteredMetrics(): RegisteredMetric[] {
  const registry = createRegistry();
  const tracker = new Tracker({
    groupBy: 'user',
    lingerMs: 0,
    userName: (username) => username,
    newSessionId: () => '',
    maxUsers: 1,
    maxRealms: 1,
  });
  registerMetrics(registry, {
    tracker,
    servers: new Servers({ ledger: tracker.ledger, forgetAfterMs: 0 }),
    sources: { all: [], statsdb: [] },
    records: new RecordStats(),
    state: new StateStats(),
    web: new WebStats(),
    build: { version: '', revision: '', nodeVersion: '' },
    maxUsers: 1,
    nowMs: () => 0,
    wallOffsetMs: () => 0,
  });
  // The typings leave out the names of labels.
  const metrics: unknown = registry.getMetricsAsArray();
  return metrics as RegisteredMetric[];
}

/** Histograms take it for their exemplars only. */
const EXEMPLAR_LABEL = 'session_id';

function shownLabels(names: readonly string[]): string {
  return names.filter((name) => name !== EXEMPLAR_LABEL).join(', ');
}

/** The meaning of each field of a record, those that pino adds among them. */
export const RECORD_MEANINGS: Readonly<Record<string, string>> = {
  level: 'always `info`',
  time: 'when the record was written; RFC 3339, milliseconds, UTC, like all times',
  replica: 'which of a pair of exporters wrote it; missing without `--records.replica`',
  ...Object.fromEntries(
    Object.entries(RECORD_FIELDS).map(([name, { meaning }]) => [name, meaning]),
  ),
};

function renderRecordTable(): string {
  const rows = Object.entries(RECORD_MEANINGS).map(
    ([name, meaning]) => `| \`${name}\` | ${meaning} |`,
  );
  return ['| field | meaning |', '|---|---|', ...rows].join('\n');
}

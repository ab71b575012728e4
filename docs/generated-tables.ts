import { renderFlagTable } from '../src/config/options.ts';
import type { SessionRecord } from '../src/domain/session-record.ts';
import { Tracker } from '../src/domain/tracker.ts';
import { createRegistry, registerMetrics } from '../src/metrics/registry.ts';
import { USER_FAMILIES } from '../src/metrics/user-metrics.ts';
import { RecordStats } from '../src/records/record-queue.ts';
import { StateStats } from '../src/state/state-keeper.ts';

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
    sources: { all: [], statsdb: [] },
    records: new RecordStats(),
    state: new StateStats(),
    build: { version: '', revision: '', nodeVersion: '' },
    maxUsers: 1,
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

/** The meaning of each field of a record; the type makes sure that none is left out. */
export const RECORD_FIELDS: Readonly<Record<'level' | 'time' | keyof SessionRecord, string>> = {
  level: 'always `info`',
  time: 'when the record was written; RFC 3339, milliseconds, UTC, like all times',
  event: 'always `session_finished`',
  schema: 'version of this table: 1',
  session_id: 'unique; sorts by the time at which the session began',
  realm: 'as coturn published it; may be empty',
  user: 'the user behind the username (`--user.label`)',
  username: 'raw name of the first allocation; chosen by the client',
  server: 'coturn servers; several joined by `,`, like `transport`, `tls` and `client`',
  start: 'when the first allocation began',
  end: 'when the last allocation ended',
  duration_seconds: 'from `start` to `end`',
  reason:
    'how the last allocation ended: `deleted`, `expired`, `vanished`, `superseded`, `shutdown`',
  relayed: 'whether any bytes went to or came from peers; `false`: the call went peer to peer',
  complete: "every byte is accounted for by coturn's totals or an unbroken series of reports",
  start_known: 'the start was seen; `false`: it was adopted, and `start` is when it was noticed',
  allocations: 'how many allocations it had in all',
  transport:
    'how the client was connected: `udp`, `tcp`, `tls`, `dtls`, `sctp`, `tls_sctp`, `unknown`',
  tls: '`none`, or the version of TLS or DTLS',
  client: 'addresses of the client, without ports; empty before coturn 4.6',
  received_bytes: 'from the client',
  sent_bytes: 'to the client',
  received_packets: 'from the client',
  sent_packets: 'to the client',
  peer_received_bytes: 'from peers',
  peer_sent_bytes: 'to peers',
  peer_received_packets: 'from peers',
  peer_sent_packets: 'to peers',
  missed_bytes: "bytes that no report told and coturn's totals repaired; part of the sums above",
};

function renderRecordTable(): string {
  const rows = Object.entries(RECORD_FIELDS).map(
    ([name, meaning]) => `| \`${name}\` | ${meaning} |`,
  );
  return ['| field | meaning |', '|---|---|', ...rows].join('\n');
}

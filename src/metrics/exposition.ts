import type { MetricObjectWithValues, MetricValueWithName } from 'prom-client';
import {
  isOwnMetric,
  type LineMetric,
  labelPairs,
  type OwnMetric,
  type SampleLine,
  withBraces,
} from './live-metric.ts';
import type { MetricsRegistry } from './registry.ts';

/** The formats that a scrape can ask for. */
export type ExpositionFormat = 'text' | 'openmetrics';

/** `Content-Type` by format. */
export const CONTENT_TYPES: Record<ExpositionFormat, string> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** Ends an OpenMetrics exposition. */
export const OPENMETRICS_END = '# EOF\n';

/** A part of an exposition. */
export interface Piece {
  /** Pieces of a lower place stand before it; those of the same place in the order they come in. */
  readonly place: number;
  /** Its text, as long as nobody has asked for the next piece. */
  readonly text: () => string;
  /** An object that is the same one in a later scrape if the text is; absent: it never is. */
  readonly key?: () => object;
}

/** How many lines are written before the event loop gets its turn; less than 1 ms of work. */
const SLICE = 1000;

/** How much text is handed on at a time, in characters. */
const CHUNK_LENGTH = 64 * 1024;

/**
 * The text of every metric in a registry, without {@link OPENMETRICS_END}, in pieces. There can be
 * a hundred thousand series, so events are taken in while it is written. All gauges are read at one
 * moment, before the rest, so that those which count the same things agree.
 */
export async function* renderRegistry(
  registry: MetricsRegistry,
  format: ExpositionFormat,
): AsyncGenerator<string> {
  const metrics: readonly object[] = registry.getMetricsAsArray();
  const gauges = new Map<OwnMetric, Iterable<string>>();
  // A turn of their own: in the first scrape of a process, code that never ran takes most of it.
  await nextTurn();
  for (const metric of metrics) {
    if (!isOwnMetric(metric) || metric.type !== 'gauge') continue;
    gauges.set(metric, 'slices' in metric ? metric.slices() : [...renderLines(metric, format)]);
  }
  await nextTurn();
  let text = '';
  for (const metric of metrics) {
    const family = isOwnMetric(metric) ? metric : await readForeign(metric);
    text += renderHead(family, format);
    for (const slice of gauges.get(family) ?? slicesOf(family, format)) {
      text += slice;
      if (text.length < CHUNK_LENGTH) continue;
      yield text;
      text = '';
      await nextTurn();
    }
  }
  yield text;
}

function slicesOf(metric: OwnMetric, format: ExpositionFormat): Iterable<string> {
  return 'slices' in metric ? metric.slices() : renderLines(metric, format);
}

function* renderLines(metric: LineMetric, format: ExpositionFormat): Generator<string> {
  let text = '';
  let count = 0;
  for (const line of metric.lines()) {
    text += renderLine(metric, line, format);
    count += 1;
    if (count % SLICE !== 0) continue;
    yield text;
    text = '';
  }
  yield text;
}

/**
 * How many turns of the event loop others get after a slice of work. Node.js 20 takes in one
 * connection a turn, so that whoever came behind a crowd would wait a slice for each of it; an idle
 * turn costs a hundredth of a slice.
 */
const TURNS = 8;
/** What others may take of those, in ms: a source that sends as fast as it can fills every one. */
const TURNS_MS = 5;
/** Who has done a slice and waits for the next: one at a time, so that many take no more than one. */
const waiting: (() => void)[] = [];

/** Lets events be taken in, and whatever else is due. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) passTurns(TURNS, performance.now() + TURNS_MS);
  });
}

function passTurns(count: number, untilMs: number): void {
  setImmediate(() => {
    const nowMs = performance.now();
    if (count > 1 && nowMs < untilMs) return passTurns(count - 1, untilMs);
    waiting.shift()?.();
    if (waiting.length > 0) passTurns(TURNS, nowMs + TURNS_MS);
  });
}

/**
 * One of prom-client's own metrics. Its serialiser cannot show one registry in both formats (it
 * renames the counters for good), so we write the text from its numbers.
 */
async function readForeign(metric: object): Promise<LineMetric> {
  const { name, help, type, values } = await (
    metric as { get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> }
  ).get();
  const lines = values.map(({ metricName = name, labels, value }) => ({
    suffix: metricName.slice(name.length),
    labels: withBraces(labelPairs(textOf(labels))),
    value,
  }));
  // prom-client's typings say that the type is an enum of numbers; it is the word itself.
  return { name, help, type: String(type) as LineMetric['type'], labels: [], lines: () => lines };
}

/** In OpenMetrics the `_total` of a counter is of its series only. */
function renderHead({ name, help, type }: OwnMetric, format: ExpositionFormat): string {
  const isOpenCounter = format === 'openmetrics' && type === 'counter';
  const shown = isOpenCounter ? name.replace(/_total$/, '') : name;
  return `# HELP ${shown} ${escapeHelp(help, format)}\n# TYPE ${shown} ${type}\n`;
}

function renderLine(
  { name }: LineMetric,
  { suffix = '', labels, value, exemplar }: SampleLine,
  format: ExpositionFormat,
): string {
  const text = `${name}${suffix}${labels} ${renderNumber(value)}`;
  if (format === 'text' || exemplar === undefined) return `${text}\n`;
  const session = `{${labelPairs(exemplar.labels)}}`;
  return `${text} # ${session} ${renderNumber(exemplar.value)} ${exemplar.atSeconds}\n`;
}

function textOf(labels: object): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, String(value)]));
}

function renderNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}

function escapeHelp(help: string, format: ExpositionFormat): string {
  const escaped = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return format === 'openmetrics' ? escaped.replaceAll('"', '\\"') : escaped;
}

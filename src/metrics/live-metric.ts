import type { Metric } from 'prom-client';
import type { MetricsRegistry } from './registry.ts';

/** The values of one series: its labels and its number. */
export type Sample<L extends string> = readonly [labels: Record<L, string>, value: number];

/** A metric that is read from state at every scrape. */
export interface LiveMetric<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly L[];
  /** All series there are now, each once. */
  readonly read: () => Iterable<Sample<L>>;
}

/** A session that stands for a value (OpenMetrics). */
export interface Exemplar {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Unix time. */
  readonly atSeconds: number;
}

/** One line of an exposition, but for the name of its metric. */
export interface SampleLine {
  /** What follows the name of the metric, as in `_bucket`. */
  readonly suffix?: string;
  /** As they are written, with their braces; empty where there are none. */
  readonly labels: string;
  readonly value: number;
  readonly exemplar?: Exemplar;
}

/** A metric whose lines are made one after the other while they are written. */
export interface LineMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  readonly labels: readonly string[];
  readonly lines: () => Iterable<SampleLine>;
}

/** A metric that writes itself, the same in both formats. */
export interface TextMetric extends Omit<LineMetric, 'lines'> {
  /**
   * Its lines in slices, each of which is work for one turn of the event loop. A gauge is read when
   * this is called, whenever its text is made.
   */
  readonly slices: () => Iterable<string>;
}

/** A metric of ours, whichever way it is written. */
export type OwnMetric = LineMetric | TextMetric;

/** Registers a gauge whose series are read anew at every scrape, so that none can drift or stay. */
export function registerGauge<L extends string>(
  registry: MetricsRegistry,
  metric: LiveMetric<L>,
): void {
  registerOwn(registry, { ...metric, type: 'gauge', lines: linesOf(metric) });
}

/** Registers a counter that shows numbers which are kept, and only grow, elsewhere. */
export function registerCounter<L extends string>(
  registry: MetricsRegistry,
  metric: LiveMetric<L>,
): void {
  registerOwn(registry, { ...metric, type: 'counter', lines: linesOf(metric) });
}

function linesOf<L extends string>({ read }: LiveMetric<L>): () => Iterable<SampleLine> {
  return function* () {
    for (const [labels, value] of read()) yield { labels: withBraces(labelPairs(labels)), value };
  };
}

/**
 * Puts a metric in the order in which all are shown. prom-client's own kinds would keep a second copy
 * of every number under a key of joined labels, which odd names can make ambiguous.
 */
export function registerOwn(registry: MetricsRegistry, metric: OwnMetric): void {
  // The typings know prom-client's own classes only; the registry asks for no more than a name.
  registry.registerMetric({ ...metric, labelNames: metric.labels } as unknown as Metric<string>);
}

/** Whether a registered metric is one of ours. */
export function isOwnMetric(metric: object): metric is OwnMetric {
  return 'lines' in metric || 'slices' in metric;
}

/** Labels as both formats write them, without the braces. */
export function labelPairs(labels: Readonly<Record<string, string>>): string {
  let pairs = '';
  for (const name in labels) {
    pairs += `${pairs === '' ? '' : ','}${name}="${escapeLabelValue(labels[name] ?? '')}"`;
  }
  return pairs;
}

/** What {@link labelPairs} gave as it stands behind a name. */
export function withBraces(pairs: string): string {
  return pairs === '' ? '' : `{${pairs}}`;
}

/** A label value as both formats want it: backslash, double quote and line feed escaped. */
export function escapeLabelValue(value: string): string {
  // Most values need nothing, and this is asked a hundred thousand times in a large scrape.
  if (!SPECIAL.test(value)) return value;
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

const SPECIAL = /[\\"\n]/;

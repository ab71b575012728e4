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
  readonly labels: Readonly<Record<string, string>>;
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

/** Registers a gauge whose series are read anew at every scrape, so that none can drift or stay. */
export function registerGauge<L extends string>(
  registry: MetricsRegistry,
  metric: LiveMetric<L>,
): void {
  registerLive(registry, { ...metric, type: 'gauge', lines: linesOf(metric) });
}

/** Registers a counter that shows numbers which are kept, and only grow, elsewhere. */
export function registerCounter<L extends string>(
  registry: MetricsRegistry,
  metric: LiveMetric<L>,
): void {
  registerLive(registry, { ...metric, type: 'counter', lines: linesOf(metric) });
}

function linesOf<L extends string>({ read }: LiveMetric<L>): () => Iterable<SampleLine> {
  return function* () {
    for (const [labels, value] of read()) yield { labels, value };
  };
}

/**
 * In the form that a registry asks its metrics for. prom-client's own kinds would keep a second copy
 * of every number under a key of joined labels, which odd names can make ambiguous.
 */
export function registerLive(registry: MetricsRegistry, metric: LineMetric): void {
  const { name, help, type, labels, lines } = metric;
  const registered = {
    ...metric,
    labelNames: labels,
    aggregator: 'sum',
    async get() {
      const values = Array.from(lines(), ({ suffix, labels: of, value }) => ({
        labels: of,
        value,
        ...(suffix === undefined ? {} : { metricName: name + suffix }),
      }));
      return { name, help, type, values, aggregator: 'sum' };
    },
  };
  // The typings know prom-client's own classes only; the registry asks for no more than this.
  registry.registerMetric(registered as unknown as Metric<string>);
}

/** Whether a registered metric is one of ours. */
export function isLineMetric(metric: object): metric is LineMetric {
  return 'lines' in metric;
}

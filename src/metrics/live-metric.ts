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

/** Registers a gauge whose series are read anew at every scrape, so that none can drift or stay. */
export function registerGauge<L extends string>(
  registry: MetricsRegistry,
  metric: LiveMetric<L>,
): void {
  register(registry, metric, 'gauge');
}

/** Registers a counter that shows numbers which are kept, and only grow, elsewhere. */
export function registerCounter<L extends string>(
  registry: MetricsRegistry,
  metric: LiveMetric<L>,
): void {
  register(registry, metric, 'counter');
}

/**
 * In the form that a registry asks its metrics for. prom-client's own gauges and counters would keep
 * a second copy of every number under a key of joined labels, which odd names can make ambiguous.
 */
function register<L extends string>(
  registry: MetricsRegistry,
  { name, help, labels, read }: LiveMetric<L>,
  type: 'gauge' | 'counter',
): void {
  const metric = {
    name,
    help,
    type,
    labelNames: labels,
    aggregator: 'sum',
    async get() {
      const values = Array.from(read(), ([of, value]) => ({ labels: of, value }));
      return { name, help, type, values, aggregator: 'sum' };
    },
  };
  // The typings know prom-client's own classes only; the registry asks for no more than this.
  registry.registerMetric(metric as unknown as Metric<string>);
}

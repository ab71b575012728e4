import { Counter, Gauge } from 'prom-client';
import type { MetricsRegistry } from './registry.ts';

/** The values of one series: its labels and its number. */
export type Sample<L extends string> = readonly [labels: Record<L, string>, value: number];

/** A metric that is read from state at every scrape. */
export interface LiveMetric<L extends string> {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly L[];
  /** All series there are now. Two of the same labels are summed. */
  readonly read: () => Iterable<Sample<L>>;
}

/** Registers a gauge whose series are made anew at every scrape, so that none can drift or stay. */
export function registerGauge<L extends string>(
  registry: MetricsRegistry,
  metric: LiveMetric<L>,
): void {
  new Gauge({
    name: metric.name,
    help: metric.help,
    labelNames: [...metric.labels],
    registers: [registry],
    collect() {
      this.reset();
      for (const [labels, value] of metric.read()) this.inc(labels, value);
    },
  });
}

/** Registers a counter that shows numbers which are kept, and only grow, elsewhere. */
export function registerCounter<L extends string>(
  registry: MetricsRegistry,
  metric: LiveMetric<L>,
): void {
  new Counter({
    name: metric.name,
    help: metric.help,
    labelNames: [...metric.labels],
    registers: [registry],
    collect() {
      this.reset();
      for (const [labels, value] of metric.read()) this.inc(labels, value);
    },
  });
}

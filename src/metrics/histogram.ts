import type { Exemplar, SampleLine } from './live-metric.ts';
import { registerLive } from './live-metric.ts';
import type { MetricsRegistry } from './registry.ts';

/** What {@link registerHistogram} shows. */
export interface HistogramMetric {
  readonly name: string;
  readonly help: string;
  /** Upper bounds, ascending; `+Inf` comes by itself. */
  readonly buckets: readonly number[];
  /** Realms that are shown, also before anything was observed: `rate()` misses a first value. */
  readonly realms: () => Iterable<string>;
}

/** What was seen in one realm. */
interface Series {
  readonly counts: Float64Array;
  readonly exemplars: (Exemplar | undefined)[];
  sum: number;
}

/**
 * Registers a histogram by realm whose buckets remember a session each. Unlike that of prom-client
 * it is read line by line, so that a thousand realms do not hold up the event loop.
 *
 * @returns what takes a value
 */
export function registerHistogram(
  registry: MetricsRegistry,
  { name, help, buckets, realms }: HistogramMetric,
): (realm: string, value: number, sessionId: string) => void {
  const known = new Map<string, Series>();
  const bounds = [...buckets.map(String), '+Inf'];
  const seriesOf = (realm: string): Series => {
    let series = known.get(realm);
    if (series === undefined) {
      series = { counts: new Float64Array(bounds.length), exemplars: [], sum: 0 };
      known.set(realm, series);
    }
    return series;
  };
  function* lines(): Generator<SampleLine> {
    for (const realm of realms()) seriesOf(realm);
    for (const [realm, { counts, exemplars, sum }] of known) {
      let count = 0;
      for (const [index, le] of bounds.entries()) {
        count += counts[index] ?? 0;
        const exemplar = exemplars[index];
        const line = { suffix: '_bucket', labels: { le, realm }, value: count };
        yield exemplar === undefined ? line : { ...line, exemplar };
      }
      yield { suffix: '_sum', labels: { realm }, value: sum };
      yield { suffix: '_count', labels: { realm }, value: count };
    }
  }
  registerLive(registry, { name, help, type: 'histogram', labels: ['realm'], lines });
  return (realm, value, sessionId) => {
    const series = seriesOf(realm);
    const above = buckets.findIndex((bound) => value <= bound);
    const index = above === -1 ? buckets.length : above;
    series.counts[index] = (series.counts[index] ?? 0) + 1;
    series.sum += value;
    series.exemplars[index] = {
      labels: { session_id: sessionId },
      value,
      atSeconds: Date.now() / 1000,
    };
  };
}

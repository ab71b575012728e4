import type { StatsdbSource } from '../sources/statsdb-source.ts';
import { registerCounter, registerGauge } from './live-metric.ts';
import type { MetricsRegistry } from './registry.ts';

/** Registers what is known of the connections to the embedded statsdb. */
export function registerStatsdbMetrics(
  registry: MetricsRegistry,
  sources: readonly StatsdbSource[],
): void {
  registerGauge(registry, {
    name: 'coturn_exporter_statsdb_connections',
    help: 'Open connections of coturn servers to the embedded statsdb.',
    labels: ['source'],
    read: () => sources.map(({ stats, statsdb }) => [{ source: stats.name }, statsdb.connections]),
  });
  registerCounter(registry, {
    name: 'coturn_exporter_statsdb_connections_refused_total',
    help: 'Connections that the embedded statsdb turned away, by reason.',
    labels: ['source', 'reason'],
    *read() {
      for (const { stats, statsdb } of sources) {
        for (const [reason, count] of Object.entries(statsdb.refused)) {
          yield [{ source: stats.name, reason }, count];
        }
      }
    },
  });
  registerCounter(registry, {
    name: 'coturn_exporter_statsdb_dropped_replies_total',
    help: 'Replies not sent, to peers that no longer read them. Events are not concerned.',
    labels: ['source'],
    read: () =>
      sources.map(({ stats, statsdb }) => [{ source: stats.name }, statsdb.droppedReplies]),
  });
}

import type { ServerHealth, Servers } from '../domain/servers.ts';
import { registerGauge } from './live-metric.ts';
import type { MetricsRegistry } from './registry.ts';

/** What {@link registerServerMetrics} reads. */
export interface ServerMetricsInput {
  readonly servers: Servers;
  readonly nowMs: () => number;
  /** What to add to `nowMs` to get Unix time in ms. */
  readonly wallOffsetMs: () => number;
}

/** Registers how each coturn is by itself. */
export function registerServerMetrics(registry: MetricsRegistry, input: ServerMetricsInput): void {
  const { servers, nowMs, wallOffsetMs } = input;
  // Made once a scrape, by the metric that comes first: it takes a look at each realm of each server.
  let health: readonly ServerHealth[] = [];
  registerGauge(registry, {
    name: 'coturn_server_up',
    help: '1 if this coturn is connected (embedded statsdb), or holds allocations or was heard of within a lifetime (Redis), else 0. Leaves when the server is forgotten.',
    labels: ['server'],
    read() {
      health = servers.list(nowMs());
      return health.map(({ server, isUp }) => [{ server }, isUp ? 1 : 0]);
    },
  });
  registerGauge(registry, {
    name: 'coturn_server_connections',
    help: 'Connections of this coturn to the embedded statsdb; none of a coturn that publishes to a Redis.',
    labels: ['server'],
    *read() {
      for (const { server, connections } of health) {
        if (connections !== undefined) yield [{ server }, connections];
      }
    },
  });
  registerGauge(registry, {
    name: 'coturn_server_last_event_timestamp_seconds',
    help: 'Unix time of the last message of this coturn; 0 if there was none yet. An idle coturn is silent.',
    labels: ['server'],
    read: () =>
      health.map(({ server, lastEventMs }) => [
        { server },
        lastEventMs === 0 ? 0 : (lastEventMs + wallOffsetMs()) / 1000,
      ]),
  });
}

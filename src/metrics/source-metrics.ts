import type { SourceStats } from '../domain/source-stats.ts';
import type { Source } from '../sources/source.ts';
import type { StatsdbSource } from '../sources/statsdb/statsdb-source.ts';
import { registerCounter, registerGauge } from './live-metric.ts';
import type { MetricsRegistry } from './registry.ts';

/** What {@link registerSourceMetrics} reads. */
export interface SourceMetricsInput {
  readonly sources: readonly Source[];
  /** What to add to the time of `SourceStats` to get Unix time in ms. */
  readonly wallOffsetMs: () => number;
}

const COUNTERS: readonly [name: string, help: string, field: keyof SourceStats][] = [
  [
    'coturn_exporter_missed_bytes_total',
    "Bytes whose traffic reports were lost and that were added from coturn's totals, both sides together.",
    'missedBytes',
  ],
  [
    'coturn_exporter_allocation_collisions_total',
    'Allocations whose key was used by two servers at the same time.',
    'collisions',
  ],
  [
    'coturn_exporter_source_disconnects_total',
    'Connections to the source that were lost.',
    'disconnects',
  ],
  [
    'coturn_exporter_resyncs_total',
    'Completed comparisons of the live allocations with the status keys in Redis.',
    'resyncs',
  ],
];

/** Registers what is known of the sources of messages. */
export function registerSourceMetrics(registry: MetricsRegistry, input: SourceMetricsInput): void {
  const { sources, wallOffsetMs } = input;
  registerGauge(registry, {
    name: 'coturn_up',
    help: '1 if events can arrive (subscribed to Redis, or at least one coturn is connected), else 0.',
    labels: ['source'],
    read: () =>
      sources.map((source) => [{ source: source.stats.name }, source.status().up ? 1 : 0]),
  });
  registerGauge(registry, {
    name: 'coturn_exporter_last_event_timestamp_seconds',
    help: 'Unix time of the last event; 0 if there was none yet.',
    labels: ['source'],
    read: () =>
      sources.map(({ stats }) => [
        { source: stats.name },
        stats.lastEventMs === 0 ? 0 : (stats.lastEventMs + wallOffsetMs()) / 1000,
      ]),
  });
  registerGauge(registry, {
    name: 'coturn_exporter_source_wrong_database',
    help: '1 if the database number looks wrong: events arrive, but the status keys of live allocations are not in this database. Resync is off meanwhile.',
    labels: ['source'],
    read: () => sources.map(({ stats }) => [{ source: stats.name }, stats.isWrongDatabase ? 1 : 0]),
  });
  registerCounter(registry, {
    name: 'coturn_exporter_source_gap_seconds_total',
    help: 'Seconds during which no events could arrive because the connection was lost.',
    labels: ['source'],
    read: () => sources.map(({ stats }) => [{ source: stats.name }, stats.gapMs / 1000]),
  });
  for (const [name, help, field] of COUNTERS) {
    registerCounter(registry, {
      name,
      help,
      labels: ['source'],
      read: () => sources.map(({ stats }) => [{ source: stats.name }, Number(stats[field])]),
    });
  }
  registerEventCounters(registry, sources);
}

function registerEventCounters(registry: MetricsRegistry, sources: readonly Source[]): void {
  registerCounter(registry, {
    name: 'coturn_exporter_events_total',
    help: 'Messages from coturn, by kind; other is its keepalive.',
    labels: ['source', 'event'],
    *read() {
      for (const { stats } of sources) {
        for (const [event, count] of Object.entries(stats.events)) {
          yield [{ source: stats.name, event }, count];
        }
      }
    },
  });
  registerCounter(registry, {
    name: 'coturn_exporter_events_rejected_total',
    help: 'Messages that could not be read and were ignored, by reason.',
    labels: ['source', 'reason'],
    *read() {
      for (const { stats } of sources) {
        for (const [reason, count] of Object.entries(stats.rejected)) {
          yield [{ source: stats.name, reason }, count];
        }
      }
    },
  });
}

/** Registers what is known of the connections to the embedded statsdb. */
export function registerStatsdbMetrics(
  registry: MetricsRegistry,
  sources: readonly StatsdbSource[],
): void {
  registerGauge(registry, {
    name: 'coturn_exporter_statsdb_connections',
    help: 'Open connections from coturn servers to the embedded statsdb.',
    labels: ['source'],
    read: () => sources.map(({ stats, statsdb }) => [{ source: stats.name }, statsdb.connections]),
  });
  registerCounter(registry, {
    name: 'coturn_exporter_statsdb_connections_refused_total',
    help: 'Connections that the embedded statsdb refused or closed, by reason.',
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
    name: 'coturn_exporter_statsdb_wrong_passwords_total',
    help: 'Wrong passwords sent to the embedded statsdb.',
    labels: ['source'],
    read: () =>
      sources.map(({ stats, statsdb }) => [{ source: stats.name }, statsdb.wrongPasswords]),
  });
  registerCounter(registry, {
    name: 'coturn_exporter_statsdb_dropped_replies_total',
    help: 'Replies that the embedded statsdb dropped because the peer did not read them. No events are lost by this.',
    labels: ['source'],
    read: () =>
      sources.map(({ stats, statsdb }) => [{ source: stats.name }, statsdb.droppedReplies]),
  });
}

import { type OpenMetricsContentType, Registry } from 'prom-client';
import type { BuildInfo } from '../build-info.ts';
import type { Servers } from '../domain/servers.ts';
import type { Tracker } from '../domain/tracker.ts';
import type { RecordStats } from '../records/record-queue.ts';
import type { Sources } from '../sources/create-sources.ts';
import type { StateStats } from '../state/state-keeper.ts';
import { registerAccountMetrics } from './account-metrics.ts';
import { registerExporterMetrics } from './exporter-metrics.ts';
import { registerServerMetrics } from './server-metrics.ts';
import { registerSessionMetrics, type SessionObserver } from './session-metrics.ts';
import { registerSourceMetrics, registerStatsdbMetrics } from './source-metrics.ts';
import { registerWebMetrics, type WebStats } from './web-metrics.ts';

/** Where metrics are registered. Of the OpenMetrics kind, which alone takes exemplars. */
export type MetricsRegistry = Registry<OpenMetricsContentType>;

/** A registry of its own; the global one of prom-client is never used. */
export function createRegistry(): MetricsRegistry {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  return registry;
}

/** Everything that metrics are read from. */
export interface MetricsInput {
  readonly tracker: Tracker;
  readonly servers: Servers;
  readonly sources: Sources;
  readonly records: RecordStats;
  readonly state: StateStats;
  readonly web: WebStats;
  readonly build: BuildInfo;
  /** The most users with series of their own. */
  readonly maxUsers: number;
  /** The tracker's time, in ms. */
  readonly nowMs: () => number;
  /** What to add to the tracker's time to get Unix time in ms. */
  readonly wallOffsetMs: () => number;
}

/**
 * Registers every metric but those of users, which `renderUserMetrics` shows.
 *
 * @returns what takes each finished session
 */
export function registerMetrics(registry: MetricsRegistry, input: MetricsInput): SessionObserver {
  const { tracker, servers, sources, records, state, web, build, maxUsers } = input;
  const { nowMs, wallOffsetMs } = input;
  registerAccountMetrics(registry, tracker.ledger);
  registerServerMetrics(registry, { servers, nowMs, wallOffsetMs });
  const observer = registerSessionMetrics(registry, tracker.ledger);
  registerSourceMetrics(registry, { sources: sources.all, wallOffsetMs });
  registerStatsdbMetrics(registry, sources.statsdb);
  registerWebMetrics(registry, web);
  registerExporterMetrics(registry, { users: tracker.users, maxUsers, records, state, build });
  return observer;
}

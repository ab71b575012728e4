import { collectDefaultMetrics } from 'prom-client';
import type { BuildInfo } from '../build-info.ts';
import type { Users } from '../domain/user.ts';
import { REOPEN_REASONS } from '../records/record-file.ts';
import type { RecordStats } from '../records/record-queue.ts';
import type { StateStats } from '../state/state-keeper.ts';
import { registerCounter, registerGauge } from './live-metric.ts';
import type { MetricsRegistry } from './registry.ts';

/** What {@link registerExporterMetrics} reads. */
export interface ExporterMetricsInput {
  readonly users: Users;
  /** The most users with series of their own. */
  readonly maxUsers: number;
  readonly records: RecordStats;
  readonly state: StateStats;
  readonly build: BuildInfo;
}

/**
 * prom-client's gauges of these names end in `_total`, which promtool and OpenMetrics keep for
 * counters; what they tell is of no use to an operator of coturn.
 */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/** Registers what the exporter tells of itself, with the process and the runtime. */
export function registerExporterMetrics(
  registry: MetricsRegistry,
  input: ExporterMetricsInput,
): void {
  const { users, maxUsers, build } = input;
  registerGauge(registry, {
    name: 'coturn_exporter_users',
    help: 'Users with live sessions, including those summed as user ~other.',
    labels: [],
    read: () => [[{}, users.count]],
  });
  registerGauge(registry, {
    name: 'coturn_exporter_user_series_limit',
    help: 'How many users can have their own series (--user.max-series); the rest are summed as user ~other.',
    labels: [],
    read: () => [[{}, maxUsers]],
  });
  registerRecordMetrics(registry, input);
  registerGauge(registry, {
    name: 'coturn_exporter_build_info',
    help: 'Always 1; the labels tell which version runs.',
    labels: ['version', 'revision', 'node_version'],
    read: () => [
      [{ version: build.version, revision: build.revision, node_version: build.nodeVersion }, 1],
    ],
  });
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
}

function registerRecordMetrics(
  registry: MetricsRegistry,
  { records, state }: ExporterMetricsInput,
): void {
  registerCounter(registry, {
    name: 'coturn_exporter_records_total',
    help: 'Session records, by result: written, or failed at the first attempt (those are tried again).',
    labels: ['result'],
    read: () => [
      [{ result: 'written' }, records.written],
      [{ result: 'failed' }, records.failed],
    ],
  });
  registerGauge(registry, {
    name: 'coturn_exporter_records_queued',
    help: 'Session records waiting to be written.',
    labels: [],
    read: () => [[{}, records.queued]],
  });
  registerCounter(registry, {
    name: 'coturn_exporter_records_spilled_total',
    help: 'Session records that could not be written to their destination and went to standard error instead.',
    labels: [],
    read: () => [[{}, records.spilled]],
  });
  registerCounter(registry, {
    name: 'coturn_exporter_records_reopened_total',
    help: 'How often another record file was opened, by reason: signal (SIGHUP), day, replaced (renamed or replaced), or deleted (what it held is lost).',
    labels: ['reason'],
    read: () => REOPEN_REASONS.map((reason) => [{ reason }, records.reopened[reason]]),
  });
  registerCounter(registry, {
    name: 'coturn_exporter_state_saves_total',
    help: 'Attempts to save the state file (--state.file), by result.',
    labels: ['result'],
    read: () => [
      [{ result: 'saved' }, state.saved],
      [{ result: 'failed' }, state.failed],
    ],
  });
  registerGauge(registry, {
    name: 'coturn_exporter_state_bad_lines',
    help: 'Lines of the state file that could not be read at the start and were set aside in a file that ends in .bad; their sessions began anew.',
    labels: [],
    read: () => [[{}, state.badLines]],
  });
  registerGauge(registry, {
    name: 'coturn_exporter_state_saved_timestamp_seconds',
    help: 'Unix time at which the state file was last saved; 0 if it has not been saved yet.',
    labels: [],
    read: () => [[{}, state.lastSavedAtMs / 1000]],
  });
}

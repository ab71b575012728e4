import { collectDefaultMetrics, Registry } from 'prom-client';

const REALM_SERVER = ['realm', 'server'];
const SOURCE = ['source'];
const USER = ['realm', 'user'];

/** The exporter's own metrics with their labels: design, section 5. */
export const OWN_METRICS: Readonly<Record<string, readonly string[]>> = {
  ...traffic('coturn_client'),
  ...traffic('coturn_peer'),
  ...traffic('coturn_unallocated'),
  coturn_allocations: [...REALM_SERVER, 'transport'],
  coturn_allocations_created_total: [...REALM_SERVER, 'transport', 'tls', 'ip_family'],
  coturn_allocations_closed_total: [...REALM_SERVER, 'reason'],
  coturn_allocation_refreshes_total: REALM_SERVER,
  coturn_sessions: ['realm'],
  coturn_sessions_finished_total: ['realm', 'reason', 'relayed'],
  ...histogram('coturn_session_duration_seconds', ['realm']),
  ...histogram('coturn_session_relayed_bytes', ['realm']),
  coturn_user_sessions: USER,
  coturn_user_allocations: USER,
  coturn_user_session_start_time_seconds: USER,
  coturn_user_session_received_bytes: USER,
  coturn_user_session_sent_bytes: USER,
  coturn_up: SOURCE,
  coturn_exporter_events_total: ['source', 'event'],
  coturn_exporter_events_rejected_total: ['source', 'reason'],
  coturn_exporter_missed_bytes_total: SOURCE,
  coturn_exporter_allocation_collisions_total: SOURCE,
  coturn_exporter_source_disconnects_total: SOURCE,
  coturn_exporter_resyncs_total: SOURCE,
  coturn_exporter_last_event_timestamp_seconds: SOURCE,
  coturn_exporter_users: [],
  coturn_exporter_user_series_limit: [],
  coturn_exporter_records_total: ['result'],
  coturn_exporter_build_info: ['version', 'revision', 'node_version'],
};

/** Series that Prometheus adds to every target. */
const OF_PROMETHEUS: Readonly<Record<string, readonly string[]>> = {
  up: [],
  scrape_duration_seconds: [],
  scrape_samples_scraped: [],
};

/** Every series that a scrape of the exporter leaves in Prometheus, and its labels. */
export async function knownMetrics(): Promise<Map<string, ReadonlySet<string>>> {
  const target = ['job', 'instance'];
  const known = { ...OWN_METRICS, ...OF_PROMETHEUS, ...(await runtimeMetrics()) };
  return new Map(
    Object.entries(known).map(([name, labels]) => [name, new Set([...labels, ...target])]),
  );
}

/** What prom-client tells of the process; asked, so that an update cannot rename it unseen. */
async function runtimeMetrics(): Promise<Record<string, readonly string[]>> {
  const register = new Registry();
  collectDefaultMetrics({ register });
  const families = await register.getMetricsAsJSON();
  return Object.fromEntries(
    families.flatMap(({ name, type }) =>
      String(type) === 'histogram' ? Object.entries(histogram(name, ['kind'])) : [[name, []]],
    ),
  );
}

function traffic(prefix: string): Record<string, readonly string[]> {
  const names = ['received_bytes', 'sent_bytes', 'received_packets', 'sent_packets'];
  return Object.fromEntries(names.map((name) => [`${prefix}_${name}_total`, REALM_SERVER]));
}

function histogram(name: string, labels: readonly string[]): Record<string, readonly string[]> {
  return {
    [`${name}_bucket`]: [...labels, 'le'],
    [`${name}_sum`]: labels,
    [`${name}_count`]: labels,
  };
}

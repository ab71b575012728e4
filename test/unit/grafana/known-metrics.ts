import { metricFamilies } from '../../../docs/generated-tables.ts';

/** A series as it is in Prometheus, and its labels. */
export type KnownMetrics = ReadonlyMap<string, ReadonlySet<string>>;

/** Labels that Prometheus, or the installation by relabelling, gives every series of a target. */
const OF_TARGET = ['job', 'instance', 'cluster', 'replica'];
/** Series that Prometheus adds to every target. */
const OF_PROMETHEUS = ['up', 'scrape_duration_seconds', 'scrape_samples_scraped'];

const FAMILIES = metricFamilies();

/** What the code registers, as series: a histogram is three of them. */
export const REGISTERED: KnownMetrics = new Map(
  FAMILIES.flatMap(({ name, type, labels }) =>
    type === 'histogram'
      ? [
          [`${name}_bucket`, new Set([...labels, 'le'])] as const,
          [`${name}_sum`, new Set(labels)] as const,
          [`${name}_count`, new Set(labels)] as const,
        ]
      : [[name, new Set(labels)] as const],
  ),
);

/** Of coturn's own endpoint (4.17.1, src/apps/relay/prom_server.c), where that is scraped too. */
export const OF_COTURN: KnownMetrics = new Map(
  Object.entries({
    stun_binding_request: [],
    stun_binding_error: [],
    turn_unauthenticated_401_requests: [],
    turn_unauthenticated_401_dropped_responses: [],
    turn_packet_dropped: [],
    turn_total_allocations: ['type'],
  }).map(([name, labels]) => [name, new Set([...labels, 'cluster'])]),
);

/** Every series that a scrape of the exporter leaves in Prometheus, and its labels. */
export const KNOWN_METRICS: KnownMetrics = new Map([
  ...[...REGISTERED].map(([name, labels]) => [name, new Set([...labels, ...OF_TARGET])] as const),
  ...OF_PROMETHEUS.map((name) => [name, new Set(OF_TARGET)] as const),
]);

/** The metrics by which the exporter tells whether it is well itself. */
export const HEALTH_METRICS: readonly string[] = FAMILIES.map(({ name }) => name).filter(
  (name) => name.startsWith('coturn_exporter_') || name === 'coturn_up',
);

import { metricFamilies } from '../../../docs/generated-tables.ts';

/** A series as it is in Prometheus, and its labels. */
export type KnownMetrics = ReadonlyMap<string, ReadonlySet<string>>;

/** Labels that Prometheus, or the installation by relabelling, gives every series of a target. */
const OF_TARGET = ['job', 'instance'];
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

/** Every series that a scrape of the exporter leaves in Prometheus, and its labels. */
export const KNOWN_METRICS: KnownMetrics = new Map([
  ...[...REGISTERED].map(([name, labels]) => [name, new Set([...labels, ...OF_TARGET])] as const),
  ...OF_PROMETHEUS.map((name) => [name, new Set(OF_TARGET)] as const),
]);

/** The metrics by which the exporter tells whether it is well itself. */
export const HEALTH_METRICS: readonly string[] = FAMILIES.map(({ name }) => name).filter(
  (name) => name.startsWith('coturn_exporter_') || name === 'coturn_up',
);

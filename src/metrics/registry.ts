import { type OpenMetricsContentType, Registry } from 'prom-client';

/** Where metrics are registered. Of the OpenMetrics kind, which alone takes exemplars. */
export type MetricsRegistry = Registry<OpenMetricsContentType>;

/** A registry of its own; the global one of prom-client is never used. */
export function createRegistry(): MetricsRegistry {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  return registry;
}

import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { coturnExporter } from './coturn-exporter.ts';
import { coturnOverview } from './coturn-overview.ts';
import { coturnSessions } from './coturn-sessions.ts';

/** Every dashboard of this project, as provisioned. */
export function allDashboards(): Dashboard[] {
  return [coturnOverview(), coturnSessions(), coturnExporter()];
}

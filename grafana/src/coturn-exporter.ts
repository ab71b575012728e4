import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { exporterStarts } from './annotations.ts';
import { createDashboard } from './dashboard.ts';
import { eventsRow } from './exporter/events.ts';
import { healthRow, processRow } from './exporter/health.ts';
import { keepingRow } from './exporter/keeping.ts';
import { sourcesRow } from './exporter/sources.ts';
import { webRow } from './exporter/web.ts';
import { EXPORTER_UID } from './links.ts';
import { exporterVariables, prometheusVariable, sourceVariable } from './variables.ts';

/** The dashboard *coturn-exporter*: the exporter's own health. */
export function coturnExporter(): Dashboard {
  return createDashboard({
    uid: EXPORTER_UID,
    title: 'coturn-exporter',
    description:
      'Whether the exporter receives, reads and writes all it should, and what it costs.',
    last: '3h',
    annotations: [exporterStarts()],
    variables: [prometheusVariable(), ...exporterVariables(), sourceVariable()],
    rows: [healthRow(), eventsRow(), sourcesRow(), keepingRow(), webRow(), processRow()],
  });
}

import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  type AnnotationQuery,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  type Panel,
  RowBuilder,
  type RowPanel,
  type VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { otherDashboards, TAG } from './links.ts';

/** A titled part of a dashboard. */
export interface Row {
  readonly title: string;
  readonly panels: Builder<Panel>[];
}

export interface DashboardOptions {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** The range shown at first, back from now: `6h`. */
  readonly last: string;
  readonly variables: Builder<VariableModel>[];
  readonly annotations?: Builder<AnnotationQuery>[];
  readonly rows: readonly Row[];
}

/** A dashboard whose panels are numbered from 1, in order. */
export function createDashboard(options: DashboardOptions): Dashboard {
  const builder = new DashboardBuilder(options.title)
    .uid(options.uid)
    .description(options.description)
    .tags([TAG])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: `now-${options.last}`, to: 'now' })
    .refresh('1m')
    .variables(options.variables)
    .annotations(options.annotations ?? [])
    .link(otherDashboards());
  for (const { title, panels } of options.rows) {
    builder.withRow(new RowBuilder(title));
    for (const panel of panels) builder.withPanel(panel);
  }
  const dashboard = builder.build();
  const hasServer = dashboard.templating.list?.some(({ name }) => name === 'server') ?? false;
  dashboard.panels =
    dashboard.panels?.map((panel, index) => ({
      ...(hasServer ? withoutServerNote(panel) : panel),
      // Without ids Grafana numbers them when it loads the file, and links to a panel break.
      id: index + 1,
    })) ?? [];
  return dashboard;
}

/** A panel that the choice of servers does not filter says so: sessions may use several. */
function withoutServerNote<P extends Panel | RowPanel>(panel: P): P {
  if (!('targets' in panel) || JSON.stringify(panel.targets).includes('$server')) return panel;
  return {
    ...panel,
    description: `${panel.description} The choice of servers does not filter it.`,
  };
}

import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import {
  BigValueColorMode,
  BigValueGraphMode,
  type DataSourceRef,
  LegendDisplayMode,
  LegendPlacement,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TableSortByFieldStateBuilder,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  type DataTransformerConfig,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard';
import {
  PanelBuilder as HeatmapPanel,
  YAxisConfigBuilder,
} from '@grafana/grafana-foundation-sdk/heatmap';
import { PanelBuilder as StatPanel } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TablePanel } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeSeriesPanel } from '@grafana/grafana-foundation-sdk/timeseries';
import { type Column, columnOverrides, onlyColumns } from './columns.ts';
import { PROMETHEUS } from './queries.ts';

/** What every panel needs; a panel without a description does not pass the tests. */
export interface PanelOptions {
  readonly title: string;
  readonly description: string;
  /** A unit id of Grafana: `bps`, `bytes`, `s`, `percentunit`, `short`. */
  readonly unit: string;
  readonly targets: Builder<Dataquery>[];
  readonly datasource?: DataSourceRef;
  /** Width in 24ths of the row; 12 when left out. */
  readonly span?: number;
  /** Height in units of 30 px; 8 when left out. */
  readonly height?: number;
  /** The shortest step, which also makes `$__rate_interval` longer: "2m". */
  readonly interval?: string;
}

export interface TableOptions extends PanelOptions {
  readonly columns: readonly Column[];
  readonly transformations: DataTransformerConfig[];
  /** Heading of the column by which the rows are sorted, greatest first. */
  readonly sortBy?: string;
}

/**
 * The step of panels that show traffic. coturn reports each allocation every 4096 packets, which
 * is every 20 s for one audio call: shorter windows show bursts and gaps that are not there.
 */
export const TRAFFIC_INTERVAL = '2m';
/** The step of panels about things that happen once per session. */
export const SESSION_INTERVAL = '5m';

const GREEN: Threshold = { value: null, color: 'green' };

/** Lines over time, with a table of last and greatest values below. */
export function timeSeries(options: PanelOptions): TimeSeriesPanel {
  const panel = new TimeSeriesPanel()
    .title(options.title)
    .description(options.description)
    .unit(options.unit)
    .datasource(options.datasource ?? PROMETHEUS)
    .targets(options.targets)
    .span(options.span ?? 12)
    .height(options.height ?? 8)
    .fillOpacity(10)
    .showPoints(VisibilityMode.Never)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(['lastNotNull', 'max']),
    )
    .tooltip(
      new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending),
    );
  return options.interval === undefined ? panel : panel.interval(options.interval);
}

/** Like `timeSeries`, one on top of the other. */
export function stacked(options: PanelOptions): TimeSeriesPanel {
  return timeSeries(options)
    .fillOpacity(60)
    .min(0)
    .stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'));
}

/** Like `timeSeries`; the lines whose name matches the pattern go downwards from zero. */
export function mirrored(options: PanelOptions, downwards: string): TimeSeriesPanel {
  return timeSeries(options)
    .axisCenteredZero(true)
    .overrideByRegexp(downwards, [{ id: 'custom.transform', value: 'negative-Y' }]);
}

/** One big number; `alarm` is the value from which on it is red. */
export function stat(options: PanelOptions & { readonly alarm?: number }): StatPanel {
  const steps = options.alarm === undefined ? [] : [{ value: options.alarm, color: 'red' }];
  const panel = new StatPanel()
    .title(options.title)
    .description(options.description)
    .unit(options.unit)
    .datasource(options.datasource ?? PROMETHEUS)
    .targets(options.targets)
    .span(options.span ?? 4)
    .height(options.height ?? 4)
    .graphMode(BigValueGraphMode.Area)
    .colorMode(BigValueColorMode.Value)
    .thresholds(
      new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([GREEN, ...steps]),
    );
  return options.interval === undefined ? panel : panel.interval(options.interval);
}

/** Rows and columns; `transformations` make fields of the answer, `columns` choose among them. */
export function table(options: TableOptions): TablePanel {
  const { columns } = options;
  const panel = new TablePanel()
    .title(options.title)
    .description(options.description)
    .unit(options.unit)
    .datasource(options.datasource ?? PROMETHEUS)
    .targets(options.targets)
    .transformations([...options.transformations, ...onlyColumns(columns)])
    .span(options.span ?? 12)
    .height(options.height ?? 9)
    .filterable(true);
  for (const { heading, properties } of columnOverrides(columns)) {
    panel.overrideByName(heading, properties);
  }
  if (options.sortBy !== undefined) {
    panel.sortBy([new TableSortByFieldStateBuilder().displayName(options.sortBy).desc(true)]);
  }
  return options.interval === undefined ? panel : panel.interval(options.interval);
}

/** A Prometheus histogram over time; `unit` is that of the bucket bounds. */
export function heatmap(options: PanelOptions): HeatmapPanel {
  return new HeatmapPanel()
    .title(options.title)
    .description(options.description)
    .datasource(options.datasource ?? PROMETHEUS)
    .targets(options.targets)
    .span(options.span ?? 12)
    .height(options.height ?? 8)
    .interval(options.interval ?? SESSION_INTERVAL)
    .yAxis(new YAxisConfigBuilder().unit(options.unit));
}

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT: string = fileURLToPath(new URL('../../..', import.meta.url));

/** What the tests look at in a dashboard's JSON; the rest is Grafana's business. */
export interface DashboardJson {
  readonly uid: string;
  readonly title: string;
  readonly description?: string;
  readonly editable: boolean;
  readonly tags: readonly string[];
  readonly links: readonly Record<string, unknown>[];
  readonly panels: readonly PanelJson[];
  readonly annotations?: { readonly list: readonly AnnotationJson[] };
  readonly templating: { readonly list: readonly VariableJson[] };
  readonly __inputs?: readonly Record<string, unknown>[];
}

export interface PanelJson {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: DataSourceJson;
  readonly targets?: readonly TargetJson[];
  readonly options?: Record<string, unknown>;
  readonly fieldConfig?: {
    readonly defaults: { readonly unit?: string };
    readonly overrides: ReadonlyArray<{
      readonly matcher: { readonly id: string; readonly options: string };
      readonly properties: ReadonlyArray<{ readonly id: string; readonly value: unknown }>;
    }>;
  };
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
}

export interface DataSourceJson {
  readonly type: string;
  readonly uid: string;
}

export interface TargetJson {
  readonly expr: string;
  readonly datasource: DataSourceJson;
  readonly refId?: string;
  readonly queryType?: string;
}

export interface VariableJson {
  readonly name: string;
  readonly label?: string;
  readonly type: string;
  readonly query?: unknown;
  readonly refresh?: number;
  readonly multi?: boolean;
  readonly includeAll?: boolean;
  readonly allValue?: string;
  readonly datasource?: DataSourceJson;
  readonly current?: { readonly value: unknown };
}

export interface AnnotationJson {
  readonly name: string;
  readonly expr?: string;
}

/** A query of a panel, and where it stands: "coturn overview / Live sessions / A". */
export interface PanelQuery {
  readonly where: string;
  readonly expr: string;
  readonly kind: string;
  readonly dashboard: DashboardJson;
  readonly panel: PanelJson;
}

/** The provisioned dashboards, or the importable ones, by file name. */
export function readDashboards(folder: 'dashboards' | 'importable'): Map<string, DashboardJson> {
  const path = join(ROOT, 'grafana', folder);
  const files = readdirSync(path).filter((name) => name.endsWith('.json'));
  return new Map(files.map((name) => [name, parseDashboard(join(path, name))]));
}

/** Every query of every panel of the provisioned dashboards. */
export function panelQueries(): PanelQuery[] {
  return [...readDashboards('dashboards').values()].flatMap((dashboard) =>
    dashboard.panels.flatMap((panel) =>
      (panel.targets ?? []).map((target, index) => ({
        where: `${dashboard.title} / ${panel.title} / ${target.refId ?? index}`,
        expr: target.expr,
        kind: target.datasource.type,
        dashboard,
        panel,
      })),
    ),
  );
}

function parseDashboard(path: string): DashboardJson {
  return JSON.parse(readFileSync(path, 'utf8')) as DashboardJson;
}

import { join } from 'node:path';
import { allDashboards } from './all.ts';
import { toImportable } from './importable.ts';
import { renderMixin } from './mixin.ts';
import { toAlerts, toPrometheusRule, toRecordingRules } from './rule-files.ts';

/** A file whose content follows from sources in this repository. */
export interface GeneratedFile {
  readonly path: string;
  readonly text: string;
}

/** All generated files below `root`, with the content they should have. */
export function generatedFiles(root: string): GeneratedFile[] {
  const dashboards = allDashboards().flatMap((dashboard) => [
    json(join(root, 'grafana/dashboards', `${dashboard.uid}.json`), dashboard),
    json(join(root, 'grafana/importable', `${dashboard.uid}.json`), toImportable(dashboard)),
  ]);
  const mixin = renderMixin(join(root, 'grafana'));
  return [
    ...dashboards,
    { path: join(root, 'deploy/prometheus/recording-rules.yml'), text: toRecordingRules(mixin) },
    { path: join(root, 'deploy/prometheus/alerts.yml'), text: toAlerts(mixin) },
    {
      path: join(root, 'deploy/kubernetes/monitoring/prometheus-rule.yaml'),
      text: toPrometheusRule(mixin),
    },
  ];
}

function json(path: string, value: unknown): GeneratedFile {
  return { path, text: `${JSON.stringify(value, undefined, 2)}\n` };
}

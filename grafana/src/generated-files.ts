import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { allDashboards } from './all.ts';
import { toImportable } from './importable.ts';
import { toPrometheusRule } from './prometheus-rule.ts';

/** A file whose content follows from sources in this repository. */
export interface GeneratedFile {
  readonly path: string;
  readonly text: string;
}

const RULE_FILES = ['deploy/prometheus/recording-rules.yml', 'deploy/prometheus/alerts.yml'];

/** All generated files below `root`, with the content they should have. */
export function generatedFiles(root: string): GeneratedFile[] {
  const dashboards = allDashboards().flatMap((dashboard) => [
    json(join(root, 'grafana/dashboards', `${dashboard.uid}.json`), dashboard),
    json(join(root, 'grafana/importable', `${dashboard.uid}.json`), toImportable(dashboard)),
  ]);
  const rules = RULE_FILES.map((file) => readFileSync(join(root, file), 'utf8'));
  const path = join(root, 'deploy/kubernetes/prometheus-rule.yaml');
  return [...dashboards, { path, text: toPrometheusRule(rules) }];
}

function json(path: string, value: unknown): GeneratedFile {
  return { path, text: `${JSON.stringify(value, undefined, 2)}\n` };
}

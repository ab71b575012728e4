import { parse, stringify } from 'yaml';

const HEADER =
  '# Generated from deploy/prometheus/*.yml by grafana/generate.ts: edit there, then run it.\n';

/**
 * The rule files of Prometheus as one PrometheusRule of the Prometheus operator, which takes rules
 * only inside its own resource. Throws on a file without groups.
 */
export function toPrometheusRule(ruleFiles: readonly string[]): string {
  const groups = ruleFiles.flatMap((text) => {
    const file: unknown = parse(text);
    if (typeof file !== 'object' || file === null || !('groups' in file)) {
      throw new SyntaxError('Cannot find groups in a rule file');
    }
    return Array.isArray(file.groups) ? file.groups : [];
  });
  const rule = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'coturn-exporter' },
    spec: { groups },
  };
  return `${HEADER}${stringify(rule, { lineWidth: 0 })}`;
}

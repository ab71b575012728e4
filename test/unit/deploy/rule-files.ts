import { at, listAt, readYaml } from './files.ts';

/** A recording rule or an alert. */
export interface Rule {
  readonly name: string;
  readonly expr: string;
  readonly isAlert: boolean;
  /** All of it, as YAML has it. */
  readonly rule: unknown;
}

/** The rule files of Prometheus, in the order in which they are loaded. */
export const RULE_FILES: readonly string[] = [
  'deploy/prometheus/recording-rules.yml',
  'deploy/prometheus/alerts.yml',
];

/** The rules of a file, in order. */
export function rulesOf(file: string): Rule[] {
  return listAt(readYaml(file), 'groups').flatMap((group) =>
    listAt(group, 'rules').map((rule) => {
      const alert = at(rule, 'alert');
      return {
        name: String(alert ?? at(rule, 'record')),
        expr: String(at(rule, 'expr')),
        isAlert: alert !== undefined,
        rule,
      };
    }),
  );
}

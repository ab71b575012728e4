import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Defer } from '../../support/cleanup.ts';
import { runPromtool } from '../../support/promtool.ts';
import { createTempFolder } from '../../support/temp-folder.ts';
import { selectedMetrics } from '../grafana/promql.ts';
import { at, listAt, readYaml } from './files.ts';
import { RULE_FILES, type Rule, rulesOf } from './rule-files.ts';

const RULES = RULE_FILES.flatMap(rulesOf);

/** The tests of the file that look at this alert. */
export function testsOfAlert(file: string, alert: string): unknown[] {
  return listAt(readYaml(file), 'tests').filter((test) =>
    listAt(test, 'alert_rule_test').some((expected) => at(expected, 'alertname') === alert),
  );
}

/**
 * Runs these tests with the alert and what it reads, and without all other rules: promtool evaluates
 * every rule of a file at every minute of every test, which takes most of a minute for all of them.
 */
export function runRuleTests(
  defer: Defer,
  options: { readonly alert: string; readonly tests: readonly unknown[] },
): { readonly exitCode: number | null; readonly output: string } {
  const folder = createTempFolder(defer);
  const rules = neededBy(options.alert).map(({ rule }) => rule);
  // promtool reads YAML, and JSON is YAML.
  writeFileSync(join(folder, 'rules.json'), JSON.stringify({ groups: [{ name: 'all', rules }] }));
  const tests = { rule_files: ['rules.json'], evaluation_interval: '1m', tests: options.tests };
  writeFileSync(join(folder, 'tests.json'), JSON.stringify(tests));
  return runPromtool(['test', 'rules', join(folder, 'tests.json')]);
}

/** The alert and the recording rules below it, in the order in which they are evaluated. */
function neededBy(alert: string): Rule[] {
  const needed = new Set([alert]);
  for (const name of needed) {
    for (const { expr } of RULES.filter((rule) => rule.name === name)) {
      for (const read of selectedMetrics(expr)) needed.add(read);
    }
  }
  const [limits, others] = [true, false].map((isLimit) =>
    RULES.filter(({ name }) => needed.has(name) && name.endsWith(':limit') === isLimit),
  );
  return [...(limits ?? []), ...(others ?? [])];
}

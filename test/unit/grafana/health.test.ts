import { describe, expect, it } from 'vitest';
import { RULE_FILES, rulesOf } from '../deploy/rule-files.ts';
import { panelQueries } from './dashboards.ts';
import { substitute } from './grafana-variables.ts';
import { HEALTH_METRICS } from './known-metrics.ts';
import { selectedMetrics } from './promql.ts';

/** What no alert is needed for, and why. */
const NO_ALARM: Readonly<Record<string, string>> = {
  coturn_exporter_build_info: 'names what runs; no value of it is a fault',
};

const SHOWN = new Set(panelQueries().flatMap(({ expr }) => [...selectedMetrics(substitute(expr))]));
const WATCHED = new Set(
  RULE_FILES.flatMap(rulesOf)
    .filter(({ isAlert }) => isAlert)
    .flatMap(({ expr }) => [...selectedMetrics(expr)]),
);

describe("metrics of the exporter's own health", () => {
  it('are found in the registry', () => {
    expect(HEALTH_METRICS.length).toBeGreaterThan(20);
    expect(HEALTH_METRICS).toContain('coturn_exporter_state_saves_total');
  });

  it.each(HEALTH_METRICS)('%s stands in a dashboard (add a panel to grafana/src)', (name) => {
    expect([...SHOWN]).toContain(name);
  });

  it.each(HEALTH_METRICS.filter((name) => NO_ALARM[name] === undefined))(
    '%s stands in an alert (add one with a severity and a paragraph in docs/runbook.md)',
    (name) => {
      expect([...WATCHED]).toContain(name);
    },
  );

  it('are left without an alert only where that is still so', () => {
    for (const name of Object.keys(NO_ALARM)) {
      expect(HEALTH_METRICS).toContain(name);
      expect([...WATCHED]).not.toContain(name);
    }
  });
});

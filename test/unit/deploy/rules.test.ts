import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { runPromtool } from '../../support/promtool.ts';
import { KNOWN_METRICS } from '../grafana/known-metrics.ts';
import { parseLogQl, STREAM_LABELS } from '../grafana/logql.ts';
import { parseErrors, selectedMetrics, selectorsOf } from '../grafana/promql.ts';
import { at, listAt, pathOf, readText, readYaml } from './files.ts';
import { RULE_FILES, rulesOf } from './rule-files.ts';
import { runRuleTests, testsOfAlert } from './rule-tests.ts';

const ALERT_TESTS = 'deploy/prometheus/tests/alerts.test.yml';
const RECORDING_TESTS = 'deploy/prometheus/tests/recording-rules.test.yml';
const LOKI_RULES = 'deploy/loki/rules/fake/coturn.yaml';

const RULES = RULE_FILES.flatMap(rulesOf);
const ALERTS = RULES.filter(({ isAlert }) => isAlert);
const RECORDS = RULES.filter(({ isAlert }) => !isAlert);
const LOKI_ALERTS = rulesOf(LOKI_RULES);

describe('rules of Prometheus', () => {
  it('pass promtool check rules', () => {
    const { exitCode, output } = runPromtool(['check', 'rules', ...RULE_FILES.map(pathOf)]);
    expect(output).not.toMatch(/FAILED|duplicate/);
    expect(exitCode).toBe(0);
  });

  it(`pass promtool test rules ${RECORDING_TESTS}`, () => {
    const { exitCode, output } = runPromtool(['test', 'rules', pathOf(RECORDING_TESTS)]);
    expect(output).toMatch(/SUCCESS$/);
    expect(exitCode).toBe(0);
  });

  it.each(RULES)('$name uses metrics and labels that exist', ({ expr }) => {
    const known = KNOWN_METRICS;
    const recorded = RECORDS.map(({ name }) => name);
    for (const name of selectedMetrics(expr))
      expect([...known.keys(), ...recorded]).toContain(name);
    for (const { name, matchers } of selectorsOf(expr)) {
      if (recorded.includes(name)) continue;
      for (const [label] of matchers.matchAll(/\w+(?=[=!])/g))
        expect(known.get(name)).toContain(label);
    }
  });

  it.each(RECORDS)('$name is named level:metric:operations', ({ name }) => {
    expect(name).toMatch(/^[a-z_]+:[a-z0-9_]+:[a-z0-9_]+$/);
  });

  it('take the job that prometheus.yml gives the exporter', () => {
    for (const file of ['prometheus.yml', 'deploy/compose/prometheus.yml']) {
      expect(listAt(readYaml(file), 'scrape_configs').map((job) => at(job, 'job_name'))).toEqual([
        'coturn-exporter',
      ]);
    }
    const jobs = ALERTS.flatMap(({ expr }) =>
      [...expr.matchAll(/job="([^"]+)"/g)].map(([, job]) => job),
    );
    expect(new Set(jobs)).toEqual(new Set(['coturn-exporter']));
  });

  it('count a pair once, which prometheus.yml shows in a comment', () => {
    const text = readText('prometheus.yml').replaceAll(
      /^( *)# (- targets: \["turn-| {2}labels: )/gm,
      '$1$2',
    );
    const [job] = listAt(parse(text), 'scrape_configs');
    expect(listAt(job, 'static_configs').map((target) => at(target, 'labels'))).toEqual([
      undefined,
      { instance: 'turn', replica: 'a' },
      { instance: 'turn', replica: 'b' },
    ]);
  });

  it('are loaded by prometheus.yml', () => {
    expect(listAt(readYaml('prometheus.yml'), 'rule_files')).toEqual(RULE_FILES);
    expect(listAt(readYaml('deploy/compose/prometheus.yml'), 'rule_files')).toEqual([
      'rules/*.yml',
    ]);
  });
});

describe('alerts', () => {
  it('are all that the issue asks for', () => {
    expect(ALERTS.map(({ name }) => name)).toEqual([
      'CoturnWatchdog',
      'CoturnExporterDown',
      'CoturnReplicaDown',
      'CoturnSourceDown',
      'CoturnNeverConnected',
      'CoturnNoEvents',
      'CoturnServerSilent',
      'CoturnEventsRejected',
      'CoturnBytesMissed',
      'CoturnUserSeriesLimitReached',
      'CoturnRealmLimitReached',
      'CoturnRecordWritesFailing',
      'CoturnRecordsQueued',
      'CoturnRecordsSpilled',
      'CoturnRecordFileDeleted',
      'CoturnStateFileDamaged',
      'CoturnStateSavesFailing',
      'CoturnWrongDatabase',
      'CoturnConnectionsRefused',
      'CoturnWrongPasswords',
      'CoturnRepliesDropped',
      'CoturnWebRequestsRefused',
      'CoturnWebLoginsRefused',
      'CoturnWebConfigBad',
      'CoturnEventGap',
      'CoturnSourceUnstable',
      'CoturnIdsCollide',
      'CoturnResyncStopped',
      'CoturnExporterRestarting',
      'CoturnRecordsIncomplete',
      'CoturnBandwidthNearLimit',
      'CoturnRelayPortsNearLimit',
      'CoturnUnallocatedTrafficSurge',
      'CoturnSessionsDropped',
      'CoturnUserDominates',
    ]);
  });

  it.each(ALERTS)('$name fires when it must and only then, says promtool', ({ name }) => {
    const tests = testsOfAlert(ALERT_TESTS, name);
    const expected = tests.flatMap((test) => listAt(test, 'alert_rule_test'));
    const firing = expected.filter((test) => listAt(test, 'exp_alerts').length > 0);
    expect(firing.length).toBeGreaterThan(0);
    if (name !== 'CoturnWatchdog') expect(firing.length).toBeLessThan(expected.length);
    const { exitCode, output } = runRuleTests(onTestFinished, { alert: name, tests });
    expect(output).toMatch(/SUCCESS$/);
    expect(exitCode).toBe(0);
  });

  it('are all known to the tests', () => {
    const names = listAt(readYaml(ALERT_TESTS), 'tests').flatMap((test) =>
      listAt(test, 'alert_rule_test').map((expected) => String(at(expected, 'alertname'))),
    );
    expect(new Set(names)).toEqual(new Set(ALERTS.map(({ name }) => name)));
  });

  it.each([...ALERTS, ...LOKI_ALERTS])(
    '$name has a severity, words, and a paragraph in the runbook',
    ({ name, rule }) => {
      expect(at(rule, 'labels', 'severity')).toMatch(
        name === 'CoturnWatchdog' ? /^none$/ : /^(warning|critical)$/,
      );
      expect(at(rule, 'annotations', 'summary')).toMatch(/\w{3}/);
      expect(at(rule, 'annotations', 'description')).toMatch(/\.$/);
      expect(at(rule, 'annotations', 'runbook_url')).toBe(`docs/runbook.md#${name.toLowerCase()}`);
      const [, paragraph = ''] = readText('docs/runbook.md').split(`\n### ${name}\n`);
      expect(paragraph.split('\n### ')[0]?.length).toBeGreaterThan(300);
    },
  );

  it('are the only ones in the runbook', () => {
    const headings = [...readText('docs/runbook.md').matchAll(/^### (\w+)$/gm)].map(
      ([, name]) => name,
    );
    expect(new Set(headings)).toEqual(new Set([...ALERTS, ...LOKI_ALERTS].map(({ name }) => name)));
  });

  it('keep the limits of the installation in one group, and the runbook names them', () => {
    const limits = RECORDS.filter(({ name }) => /^coturn:.*:limit$/.test(name));
    expect(limits.length).toBe(11);
    for (const { name, expr } of limits) {
      expect(expr).toMatch(/^vector\([\d.e]+\)$/);
      expect(RULES.some((rule) => rule.expr.includes(name))).toBe(true);
      expect(readText('docs/runbook.md')).toContain(name);
    }
  });
});

describe('rules of Loki', () => {
  it.each(LOKI_ALERTS)('$name is taken by the grammar and filters lines first', ({ expr }) => {
    const { errors, streamLabels } = parseLogQl(expr);
    expect(errors).toEqual([]);
    for (const label of streamLabels) expect(STREAM_LABELS).toContain(label);
    expect(expr).toContain('|= `session_finished`');
  });

  it('are found where loki.yaml looks for them', () => {
    expect(
      at(readYaml('deploy/loki/loki.yaml'), 'common', 'storage', 'filesystem', 'rules_directory'),
    ).toBe('/etc/loki/rules');
    expect(at(readYaml('deploy/loki/loki.yaml'), 'auth_enabled')).toBe(false);
    expect(LOKI_RULES).toContain('/rules/fake/');
  });
});

describe('PrometheusRule', () => {
  it('holds expressions that parse', () => {
    const groups = listAt(
      readYaml('deploy/kubernetes/monitoring/prometheus-rule.yaml'),
      'spec',
      'groups',
    );
    const expressions = groups.flatMap((group) =>
      listAt(group, 'rules').map((rule) => String(at(rule, 'expr'))),
    );
    expect(expressions).toEqual(RULES.map(({ expr }) => expr));
    expect(parseErrors(onTestFinished, expressions)).toBe('');
  });
});

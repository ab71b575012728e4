import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type RenderedMixin, renderMixin } from '../../../grafana/src/mixin.ts';
import { ROOT, readDashboards } from './dashboards.ts';
import { parseErrors } from './promql.ts';

const FOLDER = join(ROOT, 'grafana');

/** All that can be configured: rendering takes seconds, and nothing of it meets anything else. */
const CONFIG = `{
  job: 'turn', clusterLabel: 'region', replicaLabel: 'ha',
  runbookUrlPattern: 'https://wiki.example.org/turn/%s.html',
  limits+: { 'coturn:relay_ports:limit'+: { value: 1000 } },
  serverLimits: { 'coturn:relay_ports:limit': { turn1: 2000 } },
  dashboardNamePrefix: 'TURN / ', dashboardTags: ['turn'],
}`;

// That its rules and alerts are the shipped ones is in generated.test.ts.
describe('mixin', () => {
  let mixin: RenderedMixin;
  beforeAll(() => {
    mixin = renderMixin(FOLDER, CONFIG);
  });

  it('gives the shipped dashboards when nothing is configured', () => {
    expect(renderMixin(FOLDER).dashboards).toEqual(
      Object.fromEntries(readDashboards('dashboards')),
    );
  });

  it('takes job, cluster, replica and the place of the runbook from _config', () => {
    const text = JSON.stringify([mixin.rules, mixin.alerts]);
    expect(text).toContain('up{job=\\"turn\\"}');
    expect(text).toContain('https://wiki.example.org/turn/coturnsourcedown.html');
    expect(text).not.toMatch(/coturn-exporter\\"|\bcluster\b|\breplica\b(?=[),])|docs\/runbook/);
    expect(text).toMatch(/sum by \(region, realm\)/);
    expect(text).toMatch(/max without \(ha\)/);
    expect(parseErrors(onTestFinished, expressionsOf(mixin))).toBe('');
    const dashboards = JSON.stringify(mixin.dashboards);
    expect(dashboards).toContain('max without (ha)');
    expect(dashboards).toContain('region=~\\"$cluster\\"');
    expect(dashboards).not.toMatch(/without \(replica\)|[{,]cluster=~/);
  });

  it('takes limits, for all servers and for one', () => {
    const limits = mixin.rules.flatMap((group) =>
      group.rules.filter(({ record }) => record === 'coturn:relay_ports:limit'),
    );
    expect(limits).toEqual([
      { record: 'coturn:relay_ports:limit', expr: 'vector(1000)' },
      { record: 'coturn:relay_ports:limit', expr: 'vector(2000)', labels: { server: 'turn1' } },
    ]);
  });

  it('names its dashboards as configured', () => {
    for (const dashboard of Object.values(mixin.dashboards)) {
      expect(dashboard).toMatchObject({ tags: ['turn'], links: [{ tags: ['turn'] }] });
      expect(JSON.stringify(dashboard)).toContain('"title":"TURN / coturn');
    }
  });

  it('says what is wrong with it', () => {
    expect(() => renderMixin(FOLDER, '{ job: }')).toThrow(
      /Cannot render the mixin: .*STATIC ERROR/,
    );
  });
});

function expressionsOf({ rules, alerts }: RenderedMixin): string[] {
  return [...rules, ...alerts].flatMap((group) => group.rules.map(({ expr }) => String(expr)));
}

import { PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule';
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { Service } from 'kubernetes-models/v1/Service';
import { describe, expect, it } from 'vitest';
import { at, exists, listAt, readText, readYaml } from './files.ts';
import { parseFlags } from './flags.ts';

const FOLDER = 'deploy/kubernetes';
const deployment = readYaml(`${FOLDER}/deployment.yaml`);
const service = readYaml(`${FOLDER}/service.yaml`);
const monitor = readYaml(`${FOLDER}/service-monitor.yaml`);
const container = at(deployment, 'spec', 'template', 'spec', 'containers', 0);
const MAX_CONFIG_MAP_BYTES = 1_048_576;

describe('manifests', () => {
  it.each([
    ['deployment.yaml', Deployment],
    ['service.yaml', Service],
    ['service-monitor.yaml', ServiceMonitor],
    ['prometheus-rule.yaml', PrometheusRule],
  ])('%s follows the schema of its kind', (file, Kind) => {
    const manifest = readYaml(`${FOLDER}/${file}`);
    expect(() => new Kind(manifest as never).validate()).not.toThrow();
    expect(at(manifest, 'kind')).toBe(Kind.kind);
    expect(at(manifest, 'apiVersion')).toBe(Kind.apiVersion);
  });

  it('would be refused with a wrong field', () => {
    expect(() => new Service({ spec: { ports: [{ port: 'x' }] } } as never).validate()).toThrow();
  });

  it.each([FOLDER, 'grafana'])(
    'are all listed in %s/kustomization.yaml, and are there',
    (folder) => {
      const kustomization = readYaml(`${folder}/kustomization.yaml`);
      const files = [
        ...listAt(kustomization, 'resources'),
        ...listAt(kustomization, 'configMapGenerator').flatMap((map) => listAt(map, 'files')),
      ];
      expect(files.length).toBeGreaterThan(2);
      for (const file of files)
        expect(exists(`${folder}/${String(file)}`), String(file)).toBe(true);
    },
  );

  it('bring each dashboard as a ConfigMap that is small enough', () => {
    const maps = listAt(readYaml('grafana/kustomization.yaml'), 'configMapGenerator');
    const files = maps.flatMap((map) => listAt(map, 'files').map(String));
    expect(files.map((file) => file.replace(/^.*\//, ''))).toEqual([
      'coturn-overview.json',
      'coturn-sessions.json',
      'coturn-exporter.json',
    ]);
    for (const file of files) {
      // kustomize reads no file outside of its own folder.
      expect(file).not.toContain('..');
      expect(Buffer.byteLength(readText(`grafana/${file}`))).toBeLessThan(MAX_CONFIG_MAP_BYTES);
    }
  });
});

describe('deployment', () => {
  const flags = parseFlags(listAt(container, 'args').map(String));
  const ports = Object.fromEntries(
    listAt(container, 'ports').map((port) => [String(at(port, 'name')), at(port, 'containerPort')]),
  );

  it('opens the ports that the exporter listens on', () => {
    expect(ports).toEqual({
      http: flags['web.listen-address'].port,
      statsdb: flags['statsdb.listen-address'][0]?.port,
    });
    for (const port of listAt(service, 'spec', 'ports')) {
      expect(at(port, 'port')).toBe(ports[String(at(port, 'targetPort'))]);
    }
  });

  it('asks paths that the exporter answers', () => {
    const routes = readText('src/http/health-routes.ts');
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      const path = String(at(container, probe, 'httpGet', 'path'));
      expect(routes).toContain(`'${path}'`);
      expect(Object.keys(ports)).toContain(at(container, probe, 'httpGet', 'port'));
    }
  });

  it('is selected by its service, and that by its monitor', () => {
    const labels = at(deployment, 'spec', 'template', 'metadata', 'labels');
    expect(at(deployment, 'spec', 'selector', 'matchLabels')).toEqual(labels);
    expect(at(service, 'spec', 'selector')).toEqual(labels);
    expect(at(monitor, 'spec', 'selector', 'matchLabels')).toEqual(
      at(service, 'metadata', 'labels'),
    );
    expect(at(monitor, 'spec', 'endpoints', 0, 'path')).toBe(flags['web.telemetry-path']);
    expect(listAt(service, 'spec', 'ports').map((port) => at(port, 'name'))).toContain(
      at(monitor, 'spec', 'endpoints', 0, 'port'),
    );
  });

  it('gives Prometheus the job that the alerts look for', () => {
    const label = String(at(monitor, 'spec', 'jobLabel'));
    expect(at(service, 'metadata', 'labels', label)).toBe('coturn-exporter');
  });

  it('may not run as root, write or gain privileges', () => {
    expect(at(container, 'securityContext')).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(at(deployment, 'spec', 'template', 'spec', 'securityContext', 'runAsNonRoot')).toBe(
      true,
    );
    expect(at(deployment, 'spec', 'template', 'spec', 'automountServiceAccountToken')).toBe(false);
  });

  it('never runs twice at once', () => {
    expect(at(deployment, 'spec', 'replicas')).toBe(1);
    expect(at(deployment, 'spec', 'strategy', 'type')).toBe('Recreate');
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { DEFAULT_STATSDB_ADDRESS } from '../../../src/config/options.ts';
import { createCleanup } from '../../support/cleanup.ts';
import { createTempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';
import { at, exists, listAt, pathOf, readText, readYaml } from './files.ts';
import { parseFlags } from './flags.ts';
import { buildObjects, canBuild, checkObject, objectOf } from './kubernetes-objects.ts';

const FOLDER = 'deploy/kubernetes';
const TOPOLOGIES = ['region', 'pair', 'sidecar'] as const;
const MAX_CONFIG_MAP_BYTES = 1_048_576;
const ROUTES = readText('src/http/health-routes.ts');

const cleanup = createCleanup();
afterAll(() => cleanup.run());

describe('the schemas of Kubernetes', () => {
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'x' } };

  it('take what is right', () => {
    expect(() => checkObject({ ...service, spec: { ports: [{ port: 1 }] } })).not.toThrow();
  });

  it.each([
    ['a wrong type', { ...service, spec: { ports: [{ port: 'x' }] } }],
    ['an unknown field', { ...service, sepc: {} }],
    ['an unknown field within', { ...service, spec: { ports: [{ port: 1, targetprot: 2 }] } }],
    ['an unknown kind', { ...service, apiVersion: 'v2' }],
  ])('refuse %s', (_, object) => {
    expect(() => checkObject(object)).toThrow();
  });
});

describe('kustomizations', () => {
  const folders = ['grafana', 'deploy/alloy', `${FOLDER}/exporter`, `${FOLDER}/monitoring`];
  it.each([...folders, ...TOPOLOGIES.map((name) => `${FOLDER}/${name}`)])(
    '%s lists what is there',
    (folder) => {
      const kustomization = readYaml(`${folder}/kustomization.yaml`);
      const files = [
        ...listAt(kustomization, 'resources'),
        ...listAt(kustomization, 'configMapGenerator').flatMap((map) => listAt(map, 'files')),
      ].map(String);
      expect(files.length).toBeGreaterThan(0);
      for (const file of files) expect(exists(`${folder}/${file}`), file).toBe(true);
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

describe.skipIf(!canBuild)('built by kustomize', () => {
  const copy = copyOfManifests();
  const built = new Map(
    TOPOLOGIES.map((name) => [name, canBuild ? buildObjects(join(copy, FOLDER, name)) : []]),
  );
  const workloadOf = (name: (typeof TOPOLOGIES)[number]) =>
    objectOf(built.get(name) ?? [], name === 'sidecar' ? 'DaemonSet' : 'StatefulSet');
  const podOf = (name: (typeof TOPOLOGIES)[number]) => at(workloadOf(name), 'spec', 'template');
  const containersOf = (name: (typeof TOPOLOGIES)[number]) => [
    ...listAt(podOf(name), 'spec', 'initContainers'),
    ...listAt(podOf(name), 'spec', 'containers'),
  ];
  const containerOf = (name: (typeof TOPOLOGIES)[number], container: string) =>
    containersOf(name).find((found) => at(found, 'name') === container);
  const flagsOf = (name: (typeof TOPOLOGIES)[number]) =>
    parseFlags(listAt(containerOf(name, 'coturn-exporter'), 'args').map(String));

  it('has no servers for the statsdb until somebody names them', () => {
    const other = copyOfManifests();
    rmSync(join(other, FOLDER, 'region/statsdb-servers'));
    expect(() => buildObjects(join(other, FOLDER, 'region'))).toThrow('statsdb-servers');
  });

  describe.each(TOPOLOGIES)('%s', (name) => {
    const objects = built.get(name) ?? [];
    const containers = containersOf(name);
    const labels = at(podOf(name), 'metadata', 'labels');

    it('is made of objects that follow the schemas of their kinds', () => {
      expect(objects.length).toBeGreaterThan(6);
      for (const object of objects) checkObject(object);
      const ids = objects.map(
        (object) => `${at(object, 'kind')} ${at(object, 'metadata', 'name')}`,
      );
      expect(new Set(ids).size).toBe(ids.length);
    });

    it('runs nobody as root, and nobody may write but to volumes', () => {
      expect(at(podOf(name), 'spec', 'securityContext')).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 65532,
        fsGroup: 65532,
      });
      expect(at(podOf(name), 'spec', 'automountServiceAccountToken')).toBe(false);
      for (const container of containers) {
        expect(at(container, 'securityContext'), String(at(container, 'name'))).toMatchObject({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      }
    });

    it('mounts volumes that there are, and config maps and secrets that are made', () => {
      const volumes = [
        ...listAt(podOf(name), 'spec', 'volumes'),
        ...listAt(workloadOf(name), 'spec', 'volumeClaimTemplates').map((claim) => ({
          name: at(claim, 'metadata', 'name'),
        })),
      ];
      const names = volumes.map((volume) => at(volume, 'name'));
      for (const container of containers) {
        for (const mount of listAt(container, 'volumeMounts'))
          expect(names).toContain(at(mount, 'name'));
      }
      const made = objects.map((object) => at(object, 'metadata', 'name'));
      for (const volume of volumes) {
        const from = at(volume, 'configMap', 'name') ?? at(volume, 'secret', 'secretName');
        if (from !== undefined) expect(made).toContain(from);
      }
    });

    it('starts the exporter with flags that it takes, and asks it what it answers', () => {
      const exporter = containerOf(name, 'coturn-exporter');
      const flags = flagsOf(name);
      const ports = new Map(
        listAt(exporter, 'ports').map((port) => [at(port, 'name'), at(port, 'containerPort')]),
      );
      expect(ports.get('http')).toBe(flags['web.listen-address'].port);
      expect(ports.get('statsdb')).toBe(
        name === 'region' ? flags['statsdb.listen-address'][0]?.port : undefined,
      );
      for (const probe of ['startupProbe', 'livenessProbe']) {
        const { path, port } = at(exporter, probe, 'httpGet') as { path: string; port: string };
        expect(ROUTES).toContain(`'${path}'`);
        expect(ports.has(port)).toBe(true);
      }
    });

    it('is found by what selects it', () => {
      const selectors = objects.flatMap((object) => [
        at(object, 'spec', 'selector', 'matchLabels'),
        at(object, 'kind') === 'Service' ? at(object, 'spec', 'selector') : undefined,
        at(object, 'spec', 'podSelector', 'matchLabels'),
      ]);
      const found = selectors.filter((selector) => selector !== undefined);
      expect(found.length).toBeGreaterThanOrEqual(name === 'sidecar' ? 2 : 4);
      for (const selector of found) expect(labels).toMatchObject(selector as object);
    });

    it('gives Prometheus the job that the alerts look for, and an instance that stays', () => {
      const kind = name === 'sidecar' ? 'PodMonitor' : 'ServiceMonitor';
      const spec = at(objectOf(objects, kind), 'spec');
      const [endpoint] = listAt(spec, name === 'sidecar' ? 'podMetricsEndpoints' : 'endpoints');
      expect(at(endpoint, 'path')).toBe(flagsOf(name)['web.telemetry-path']);
      const relabelings = listAt(endpoint, 'relabelings');
      const targets = relabelings.map((relabeling) => at(relabeling, 'targetLabel'));
      expect(targets).toContain('instance');
      if (name === 'sidecar') {
        expect(relabelings).toContainEqual({ targetLabel: 'job', replacement: 'coturn-exporter' });
      } else {
        const label = String(at(spec, 'jobLabel'));
        expect(at(objectOf(objects, 'Service'), 'metadata', 'labels', label)).toBe(
          'coturn-exporter',
        );
      }
      expect(targets.includes('replica')).toBe(name === 'pair');
    });
  });

  describe.each(['region', 'pair'] as const)('%s', (name) => {
    it('keeps state and daily record files on its volume, where Alloy reads them', () => {
      const flags = flagsOf(name);
      const [folder = ''] = /^.*(?=\/)/.exec(flags['records.file']) ?? [];
      expect(flags['records.file']).toBe(`${folder}/sessions-%Y-%m-%d.jsonl`);
      expect(flags['state.file']).toBe(`${folder}/state`);
      const data = { name: 'data', mountPath: folder };
      for (const container of ['coturn-exporter', 'alloy', 'retention'])
        expect(listAt(containerOf(name, container), 'volumeMounts')).toContainEqual(data);
      const alloy = containerOf(name, 'alloy');
      expect(listAt(alloy, 'env')).toContainEqual({
        name: 'COTURN_EXPORTER_RECORDS_FILE',
        value: flags['records.file'],
      });
      expect(listAt(alloy, 'args').map(String)).toContain(`--storage.path=${folder}/alloy`);
      expect(listAt(containerOf(name, 'retention'), 'env')).toEqual([
        { name: 'RECORDS', value: folder },
      ]);
    });

    it('opens to the network only the ports that it has', () => {
      const policy = objectOf(built.get(name) ?? [], 'NetworkPolicy');
      const open = listAt(policy, 'spec', 'ingress').flatMap((rule) => listAt(rule, 'ports'));
      const served = listAt(objectOf(built.get(name) ?? [], 'Service'), 'spec', 'ports');
      expect(open.map((port) => at(port, 'port'))).toEqual(
        served.map((port) => at(port, 'targetPort')),
      );
    });
  });

  it('region: knows each coturn by the name and password in its Secret', () => {
    const file = flagsOf('region')['statsdb.servers-file'];
    const mount = listAt(containerOf('region', 'coturn-exporter'), 'volumeMounts').find(
      (found) => at(found, 'name') === 'statsdb',
    );
    const secret = objectOf(built.get('region') ?? [], 'Secret');
    expect(Object.keys(at(secret, 'data') as object)).toEqual(['servers']);
    expect(file).toBe(`${at(mount, 'mountPath')}/servers`);
    expect(at(workloadOf('region'), 'spec', 'replicas')).toBe(1);
  });

  it('pair: two on one Redis, on two nodes, each with its name in the records', () => {
    const flags = flagsOf('pair');
    expect(at(workloadOf('pair'), 'spec', 'replicas')).toBe(2);
    expect(flags['redis.url']).toHaveLength(1);
    expect(listAt(containerOf('pair', 'coturn-exporter'), 'env')).toEqual([
      {
        name: 'COTURN_EXPORTER_RECORDS_REPLICA',
        valueFrom: { fieldRef: { fieldPath: 'metadata.name' } },
      },
    ]);
    expect(at(podOf('pair'), 'spec', 'affinity', 'podAntiAffinity')).toBeDefined();
  });

  it('sidecar: the exporter is there before coturn and after it, over loopback', () => {
    const [exporter] = listAt(podOf('sidecar'), 'spec', 'initContainers');
    expect(at(exporter, 'restartPolicy')).toBe('Always');
    expect(at(podOf('sidecar'), 'spec', 'hostNetwork')).toBe(true);
    expect(flagsOf('sidecar')['statsdb.listen-address']).toEqual([]);
    const { host, port } = DEFAULT_STATSDB_ADDRESS;
    const conf = readText(`${FOLDER}/sidecar/turnserver.conf`);
    expect(conf).toContain(`\nredis-statsdb="ip=${host} port=${port}"\n`);
    // Nobody relays by it until somebody says who may.
    expect(conf).toContain('\nlt-cred-mech\n');
  });

  it('sidecar: its logs are those that Alloy reads', () => {
    const alloy = readText('deploy/alloy/kubernetes.alloy');
    const label = 'app.kubernetes.io/name';
    const value = at(podOf('sidecar'), 'metadata', 'labels', label);
    expect(alloy).toContain(`label = "${label}=${value}"`);
    expect(alloy).toContain('regex         = "coturn-exporter"');
    expect(containerOf('sidecar', 'coturn-exporter')).toBeDefined();
  });

  it('retention: compresses the files of days that are over, removes old ones, stops at once', async () => {
    const folder = createTempFolder(onTestFinished);
    for (const days of [0, 1, 3, 399, 401]) {
      const file = join(folder, `sessions-${days}.jsonl`);
      writeFileSync(file, '{}\n');
      const seconds = Date.now() / 1000 - days * 86_400;
      utimesSync(file, seconds, seconds);
    }
    const [command = '', ...args] = listAt(containerOf('region', 'retention'), 'command').map(
      String,
    );
    const running = spawn(command, args, { env: { ...process.env, RECORDS: folder } });
    const ended = once(running, 'exit');
    onTestFinished(() => void running.kill('SIGKILL'));
    const kept = ['0.jsonl', '1.jsonl', '3.jsonl.gz', '399.jsonl.gz'];
    await until(() => readdirSync(folder).sort(), {
      what: 'old files to be compressed or removed',
      isDone: (files) => files.join() === kept.map((file) => `sessions-${file}`).join(),
    });
    running.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });
});

/** The manifests in a folder of their own, with the servers that an operator would name. */
function copyOfManifests(): string {
  const folder = createTempFolder(cleanup.defer);
  for (const part of [FOLDER, 'deploy/alloy', 'grafana/kustomization.yaml', 'grafana/dashboards'])
    cpSync(pathOf(part), join(folder, part), { recursive: true });
  writeFileSync(join(folder, FOLDER, 'region/statsdb-servers'), 'turn-1:wonderland\n');
  return folder;
}

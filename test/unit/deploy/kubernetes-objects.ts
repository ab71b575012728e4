import { spawnSync } from 'node:child_process';
import { PodMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor';
import { PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule';
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';
import { DaemonSet } from 'kubernetes-models/apps/v1/DaemonSet';
import { StatefulSet } from 'kubernetes-models/apps/v1/StatefulSet';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { Secret } from 'kubernetes-models/v1/Secret';
import { Service } from 'kubernetes-models/v1/Service';
import { parseAllDocuments } from 'yaml';
import { isObject } from '../../support/json-lines.ts';
import { at } from './files.ts';

const KINDS = [
  ...[ConfigMap, Secret, Service, DaemonSet, StatefulSet, NetworkPolicy, PodDisruptionBudget],
  ...[PodMonitor, PrometheusRule, ServiceMonitor],
];

/** Programs that build a kustomization, and the arguments before its folder. */
const BUILDERS = [
  ['kubectl', 'kustomize'],
  ['kustomize', 'build'],
] as const;

/** The first of them that is here and knows what is used: kustomize 5, in kubectl since 1.27. */
const BUILDER = BUILDERS.find(([command]) => {
  const asked = command === 'kubectl' ? ['version', '--client'] : ['version'];
  const { status, stdout } = spawnSync(command, asked, { encoding: 'utf8' });
  return status === 0 && (command === 'kustomize' || /Kustomize Version: v5\./.test(stdout));
});

/** Whether kustomizations can be built on this machine. Debian 12 has only a kubectl that is too old. */
export const canBuild: boolean = BUILDER !== undefined;

/** The objects that a kustomization makes. Throws what the builder says. */
export function buildObjects(folder: string): unknown[] {
  const [command = '', ...args] = BUILDER ?? [];
  const { status, stdout, stderr } = spawnSync(command, [...args, folder], {
    encoding: 'utf8',
    maxBuffer: 16 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`Cannot build ${folder}: ${stderr}`);
  return parseAllDocuments(stdout).map((document) => document.toJS({ maxAliasCount: -1 }));
}

/** The one object of this kind. Throws when there are none or several. */
export function objectOf(objects: readonly unknown[], kind: string): unknown {
  const found = objects.filter((object) => at(object, 'kind') === kind);
  if (found.length !== 1) throw new Error(`There are ${found.length} of kind ${kind}`);
  return found[0];
}

/**
 * Throws when an object is not as the schema of its kind says. The schemas let unknown fields pass, as
 * an API server does that warns and drops them, so whatever they never looked at is refused, too.
 */
export function checkObject(object: unknown): void {
  const [apiVersion, kind] = [at(object, 'apiVersion'), at(object, 'kind')];
  const Kind = KINDS.find((known) => known.kind === kind && known.apiVersion === apiVersion);
  if (Kind === undefined) throw new RangeError(`No schema of ${kind} in ${apiVersion}`);
  const seen = new Set<string>();
  const model = new Kind(object as never);
  observeReads(model, '', seen).validate();
  const unknown = pathsOf(object, '').filter((path) => !seen.has(path));
  if (unknown.length > 0) throw new RangeError(`${kind} has no ${unknown.join(', ')}`);
}

/** The same value, which tells the path of everything that is read of it. */
function observeReads<Value extends object>(value: Value, path: string, seen: Set<string>): Value {
  return new Proxy(value, {
    get(target, key) {
      const found: unknown = Reflect.get(target, key);
      if (typeof key === 'symbol') return found;
      seen.add(`${path}/${key}`);
      return typeof found === 'object' && found !== null
        ? observeReads(found, `${path}/${key}`, seen)
        : found;
    },
  });
}

/** The paths of all that is in a value. */
function pathsOf(value: unknown, path: string): string[] {
  if (!isObject(value) && !Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => [
    `${path}/${key}`,
    ...pathsOf(inner, `${path}/${key}`),
  ]);
}

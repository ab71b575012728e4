import { spawnSync } from 'node:child_process';

/** A limit of the installation: `_config.limits` of the mixin. */
export interface Limit {
  readonly value: number;
  readonly help: string;
}

/** A group of rules, as Prometheus reads it. */
export interface RuleGroup {
  readonly name: string;
  readonly rules: ReadonlyArray<Readonly<Record<string, unknown>>>;
}

/** What the mixin makes of its `_config`. */
export interface RenderedMixin {
  readonly limits: Readonly<Record<string, Limit>>;
  readonly rules: readonly RuleGroup[];
  readonly alerts: readonly RuleGroup[];
  /** Dashboards by file name. */
  readonly dashboards: Readonly<Record<string, unknown>>;
}

/**
 * The mixin (`grafana/mixin.libsonnet`), rendered by the `jsonnet` of the machine.
 *
 * @param folder the folder `grafana`
 * @param config jsonnet that overrides fields of `_config`: `{ job: 'turn' }`
 * @throws {Error} with what jsonnet says, or when it is not installed (Debian: `jsonnet`)
 */
export function renderMixin(folder: string, config = '{}'): RenderedMixin {
  const code = `local mixin = (import 'mixin.libsonnet') + { _config+:: ${config} };
    {
      limits: mixin._config.limits,
      rules: mixin.prometheusRules.groups,
      alerts: mixin.prometheusAlerts.groups,
      dashboards: mixin.grafanaDashboards,
    }`;
  const { status, stdout, stderr, error } = spawnSync('jsonnet', ['-J', folder, '-e', code], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`Cannot render the mixin: ${error?.message ?? stderr.trim()}`);
  return JSON.parse(stdout) as RenderedMixin;
}

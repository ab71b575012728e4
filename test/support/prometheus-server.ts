import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Defer } from './cleanup.ts';
import { isObject } from './json-lines.ts';
import { claimPorts } from './port-block.ts';
import { createTempFolder } from './temp-folder.ts';
import { TestProcess } from './test-process.ts';
import { until } from './until.ts';

export interface PrometheusServer {
  /** "127.0.0.1:34567". */
  readonly address: string;
  /** An instant query, of now or of a Unix time; one entry per series of the answer. Throws when refused. */
  query(
    expression: string,
    unixSeconds?: number,
  ): Promise<Array<{ readonly labels: Record<string, unknown>; readonly value: number }>>;
}

export const SHIPPED_CONFIG: string = fileURLToPath(
  new URL('../../prometheus.yml', import.meta.url),
);
const SHIPPED_TARGET = '127.0.0.1:10641';

/**
 * A running `prometheus` with the shipped configuration, aimed at `target` ("127.0.0.1:34567") and at
 * coturn's own endpoint, where there is one. `history` is a folder with blocks to begin with.
 */
export async function startPrometheusServer(
  defer: Defer,
  options: { readonly target: string; readonly ownEndpoint?: string; readonly history?: string },
): Promise<PrometheusServer> {
  const { target, ownEndpoint, history } = options;
  const config = aimConfig(readFileSync(SHIPPED_CONFIG, 'utf8'), target);
  return runPrometheus(defer, {
    config: ownEndpoint === undefined ? config : withCoturn(config, ownEndpoint),
    ...(history === undefined ? {} : { data: history }),
    args: ['--storage.tsdb.retention.time=90d'],
  });
}

/** A running `prometheus` with this configuration, as an agent or as a server with blocks in `data`. */
export async function runPrometheus(
  defer: Defer,
  options: {
    readonly config: string;
    readonly data?: string;
    readonly isAgent?: boolean;
    readonly args?: readonly string[];
  },
): Promise<PrometheusServer> {
  const { first: port } = await claimPorts(defer);
  const folder = createTempFolder(defer);
  const configFile = join(folder, 'prometheus.yml');
  writeFileSync(configFile, options.config);
  const address = `127.0.0.1:${port}`;
  const server = new TestProcess(defer, {
    command: 'prometheus',
    args: [
      `--config.file=${configFile}`,
      `--web.listen-address=${address}`,
      '--log.level=warn',
      // Debian's has a folder of the machine as its default.
      `--storage.${options.isAgent ? 'agent' : 'tsdb'}.path=${options.data ?? join(folder, 'data')}`,
      ...(options.args ?? []),
    ],
    cwd: folder,
  });
  await until(() => fetch(`http://${address}/-/ready`), {
    what: 'Prometheus to be ready',
    timeoutMs: 20_000,
    isDone: ({ ok }) => ok,
    show: ({ status }) => `${status}\n${server.describe()}`,
  });
  return { address, query: (...asked) => queryPrometheus(address, ...asked) };
}

/**
 * The shipped configuration with another target, adapted. Throws when the shipped target or interval is
 * not found.
 */
export function aimConfig(shipped: string, target: string): string {
  if (!shipped.includes(SHIPPED_TARGET) || !/\bscrape_interval:/.test(shipped)) {
    throw new Error(`prometheus.yml has no target ${SHIPPED_TARGET} or no scrape_interval`);
  }
  return adaptConfig(shipped).replaceAll(SHIPPED_TARGET, target);
}

/** A configuration with short intervals, whose relative rule files keep pointing at the repository. */
export function adaptConfig(config: string): string {
  return config
    .replace(/\b(scrape_interval|scrape_timeout|evaluation_interval):\s*\w+/g, '$1: 500ms')
    .replace(
      /^(\s*-\s+)(['"]?)([^'"\s:]+\.ya?ml)\2$/gm,
      (_, dash: string, quote: string, file: string) =>
        `${dash}${quote}${resolve(dirname(SHIPPED_CONFIG), file)}${quote}`,
    );
}

/** The configuration with the pair of its comment in place of its target. */
export function withPair(config: string, addresses: readonly [a: string, b: string]): string {
  const pair = /^ +- targets: \["127\.0\.0\.1:10641"\]\n(?: +#.*\n)+/m.exec(config)?.[0] ?? '';
  const lines = pair.match(/^ +# (?:- targets| {2}labels):.*$/gm) ?? [];
  if (lines.length !== 4) throw new Error('prometheus.yml has no pair in a comment');
  const [a, b] = addresses;
  return config.replace(
    pair,
    `${lines.join('\n')}\n`
      .replaceAll(/^( +)# /gm, '$1')
      .replace('turn-a.example.org:10641', a)
      .replace('turn-b.example.org:10641', b),
  );
}

/** The configuration with coturn's own endpoint, whose lines in it are no comment any more. */
export function withCoturn(config: string, target: string): string {
  const [before = '', job] = config.split(/^(?= *# - job_name: coturn$)/m);
  if (job === undefined) throw new Error('prometheus.yml has no job for coturn itself');
  return `${before}${job.replaceAll(/^( *)# /gm, '$1').replace(/127\.0\.0\.1:9641/, target)}`;
}

/** An answer as values by their labels, in which it does not matter who was scraped. */
export function valuesByLabels(
  series: Awaited<ReturnType<PrometheusServer['query']>>,
): ReadonlyMap<string, number> {
  return new Map(
    series.map(({ labels, value }) => {
      const { instance: _, ...others } = labels;
      return [JSON.stringify(Object.entries(others).sort()), value];
    }),
  );
}

/** An instant query, also of what answers like a Prometheus. */
export async function queryPrometheus(
  address: string,
  expression: string,
  unixSeconds: number = Date.now() / 1000,
): ReturnType<PrometheusServer['query']> {
  const parameters = new URLSearchParams({ query: expression, time: String(unixSeconds) });
  const response = await fetch(`http://${address}/api/v1/query?${parameters}`);
  const answer: unknown = await response.json();
  const { data } = isObject(answer) ? answer : {};
  const { result } = isObject(data) ? data : {};
  if (!Array.isArray(result)) {
    throw new Error(`Cannot query ${expression}: ${JSON.stringify(answer)}`);
  }
  return result.map((series: unknown) => {
    const { metric, value } = isObject(series) ? series : {};
    const sample: unknown = Array.isArray(value) ? value[1] : undefined;
    return { labels: isObject(metric) ? metric : {}, value: Number(sample) };
  });
}

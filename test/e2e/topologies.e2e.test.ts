import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningFleet, startFleet } from '../../src/simulator/run-simulation.ts';
import type { RealmTruth } from '../../src/simulator/truth.ts';
import { TARGET } from '../../src/simulator/wire.ts';
import { createCleanup } from '../support/cleanup.ts';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import { claimPorts } from '../support/port-block.ts';
import {
  adaptConfig,
  type PrometheusServer,
  queryPrometheus,
  runPrometheus,
} from '../support/prometheus-server.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { TestProcess } from '../support/test-process.ts';
import { until } from '../support/until.ts';
import { readText } from '../unit/deploy/files.ts';
import { panelQueries } from '../unit/grafana/dashboards.ts';
import { DEFAULT_VALUES, substitute } from '../unit/grafana/grafana-variables.ts';

/**
 * The sidecars of docs/topologies.md: an exporter beside each of three coturn servers, a Prometheus of
 * the site `west` and an agent of the site `east`, and what sees them all. The configurations are those
 * of the page; only addresses and intervals are others.
 */
const PAGE = readText('docs/topologies.md');
const SERVERS = ['turn-1', 'turn-2', 'turn-3'] as const;
const SITES = { west: ['turn-1', 'turn-2'], east: ['turn-3'] } as const;
const FLEET = {
  servers: 1,
  flavours: ['4.17.1'],
  realms: ['example.org', 'example.net'],
  users: 40,
  arrivalRate: 6,
  callLengthSeconds: 3,
  peerToPeerShare: 0.3,
  abandonedShare: 0,
  noiseRate: 1,
} as const;
const COUNTERS = [
  ['coturn_client_received_bytes_total', (truth: RealmTruth) => truth.client.receivedBytes],
  ['coturn_client_sent_bytes_total', (truth: RealmTruth) => truth.client.sentBytes],
  ['coturn_peer_received_bytes_total', (truth: RealmTruth) => truth.peer.receivedBytes],
  ['coturn_peer_sent_packets_total', (truth: RealmTruth) => truth.peer.sentPackets],
  ['coturn_allocations_created_total', (truth: RealmTruth) => truth.allocations],
] as const;
const UNTIL_TOLD = { timeoutMs: 60_000 } as const;

type Query = PrometheusServer['query'];

const cleanup = createCleanup();
const addresses = new Map<string, string>();
const exporters = new Map<string, ExporterProcess>();
const fleets = new Map<string, RunningFleet>();
const truths = new Map<string, readonly RealmTruth[]>();
let ask: Record<'global' | 'victoriaMetrics', Query>;

beforeAll(async () => {
  for (const [index, server] of SERVERS.entries()) await startSidecar(server, index);
  const storage = await startVictoriaMetrics();
  addresses.set('victoria-metrics.example.org:8428', storage);
  const west = await runPrometheus(cleanup.defer, { config: recipe('prometheus-west.yml') });
  addresses.set('prometheus-west.example.org:9090', west.address);
  // `east` stands for both kinds of a site: its agent has no queries, so federation has a server of it.
  const east = await runPrometheus(cleanup.defer, {
    config: recipe('prometheus-agent.yml').split('\nremote_write:')[0] ?? '',
  });
  addresses.set('prometheus-east.example.org:9090', east.address);
  await runPrometheus(cleanup.defer, {
    config: recipe('prometheus-agent.yml'),
    isAgent: true,
    args: [agentFlag()],
  });
  const global = await runPrometheus(cleanup.defer, { config: recipe('prometheus-global.yml') });
  ask = {
    global: global.query,
    victoriaMetrics: (expression) => queryPrometheus(storage, expression),
  };
  for (const [server, fleet] of fleets) truths.set(server, (await fleet.done).realms);
}, 180_000);

afterAll(() => cleanup.run());

describe.each(['global', 'victoriaMetrics'] as const)('three sidecars, as seen by %s', (name) => {
  it.each(COUNTERS)('%s is the truth, by site and realm', async (metric, truthOf) => {
    const expected = new Map<string, number>();
    for (const [site, servers] of Object.entries(SITES)) {
      for (const truth of servers.flatMap((server) => truths.get(server) ?? [])) {
        const key = `${site} ${truth.realm}`;
        expected.set(key, (expected.get(key) ?? 0) + truthOf(truth));
      }
    }
    expect(expected.size).toBe(4);
    const query = `sum by (cluster, realm) (${metric}{job="coturn-exporter"})`;
    const sums = await until(() => sumsOf(ask[name], query, ['cluster', 'realm']), {
      ...UNTIL_TOLD,
      what: `${name} to know everything`,
      isDone: (seen) => same(seen, expected),
      show: (seen) => JSON.stringify([...seen, 'expected', ...expected]),
    });
    expect(sums).toEqual(expected);
  });

  it('finished sessions are those of the records, by machine', async () => {
    const query = 'sum by (instance) (coturn_sessions_finished_total)';
    const expected = new Map(
      SERVERS.map((server) => {
        const records = exporters.get(server)?.records ?? [];
        return [addressOf(server), records.length];
      }),
    );
    const sums = await until(() => sumsOf(ask[name], query, ['instance']), {
      ...UNTIL_TOLD,
      what: 'every session to be counted',
      isDone: (seen) => same(seen, expected),
    });
    expect(Math.min(...sums.values())).toBeGreaterThan(0);
  });
});

describe('VictoriaMetrics', () => {
  it('answers the queries of every shipped panel', async () => {
    const queries = panelQueries().filter(({ kind }) => kind === 'prometheus');
    expect(queries.length).toBeGreaterThan(80);
    for (const { where, expr } of queries) {
      const query = substitute(expr, { ...DEFAULT_VALUES, __rate_interval: '1m', __range: '5m' });
      await expect(ask.victoriaMetrics(query), where).resolves.toBeInstanceOf(Array);
    }
  });
});

async function startSidecar(server: string, index: number): Promise<void> {
  const { first: port } = await claimPorts(cleanup.defer);
  const statsdb = `127.0.0.1:${port}`;
  const exporter = await startExporter(cleanup.defer, {
    args: ['--statsdb.listen-address', statsdb],
  });
  exporters.set(server, exporter);
  addresses.set(`${server}.example.org:10641`, exporter.address.replace('http://', ''));
  const target = TARGET.parse(statsdb);
  if (!target.ok) throw new Error(`Not a target: ${statsdb}`);
  const fleet = await startFleet({
    target: target.value,
    options: { ...FLEET, seed: index + 1 },
    pace: { speed: 1, durationMs: 5_000 },
  });
  cleanup.defer(async () => void (await fleet.stop()));
  fleets.set(server, fleet);
}

async function startVictoriaMetrics(): Promise<string> {
  const { first: port } = await claimPorts(cleanup.defer);
  const address = `127.0.0.1:${port}`;
  const [, command = ''] = /`(victoria-metrics -[^`]*)`/.exec(PAGE) ?? [];
  const data = join(createTempFolder(cleanup.defer), 'data');
  const [program = '', ...args] = command
    .replace('/var/lib/victoria-metrics', data)
    .split(' ')
    // What is younger than this is not shown: half a minute, which nobody waits for here.
    .concat(`-httpListenAddr=${address}`, '-search.latencyOffset=1s', '-loggerLevel=WARN');
  const server = new TestProcess(cleanup.defer, { command: program, args });
  await until(() => fetch(`http://${address}/health`), {
    what: 'VictoriaMetrics to answer',
    timeoutMs: 30_000,
    isDone: ({ ok }) => ok,
    show: () => server.describe(),
  });
  return address;
}

/** A configuration of the page, with the addresses of this run. */
function recipe(file: string): string {
  const [, text] = PAGE.match(new RegExp(`\`\`\`yaml\n# ${file}\n(.*?)\`\`\``, 's')) ?? [];
  if (text === undefined) throw new Error(`docs/topologies.md has no ${file}`);
  const aimed = text.replaceAll(/[\w-]+\.example\.org:\d+/g, (name) => addressOf(name));
  return adaptConfig(aimed);
}

function agentFlag(): string {
  const [, flag = ''] = /`prometheus (--enable-feature=agent) --config\.file=/.exec(PAGE) ?? [];
  return flag;
}

function addressOf(name: string): string {
  const address = addresses.get(name) ?? addresses.get(`${name}.example.org:10641`);
  if (address === undefined) throw new Error(`Nobody is ${name}`);
  return address;
}

async function sumsOf(
  query: Query,
  expression: string,
  labels: readonly string[],
): Promise<Map<string, number>> {
  const series = await query(expression);
  return new Map(
    series.map((one) => [labels.map((label) => String(one.labels[label])).join(' '), one.value]),
  );
}

function same(left: ReadonlyMap<string, number>, right: ReadonlyMap<string, number>): boolean {
  return left.size === right.size && [...left].every(([key, value]) => right.get(key) === value);
}

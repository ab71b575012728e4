import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCleanup } from '../support/cleanup.ts';
import { startExporter } from '../support/exporter-process.ts';
import { type PrometheusServer, startPrometheusServer } from '../support/prometheus-server.ts';
import { runPromtool } from '../support/promtool.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { until } from '../support/until.ts';
import {
  describeExactRelay,
  type RelayCall,
  type RelayScene,
  relayCalls,
  relayedBy,
  SET_UP_MS,
} from './relay.suite.ts';

const DATABASE = 2;
/** Two realms, each of a server: on one Redis they could not share users. */
const REALMS = [
  { realm: 'example.org', address: '127.0.0.1' },
  { realm: 'example.net', address: '127.0.0.2' },
] as const;
/** Who relays what: in each realm a user over UDP and one over TCP, no two sums alike. */
const CALLS: readonly RelayCall[] = [
  {
    server: '127.0.0.1',
    username: 'alice',
    transport: 'udp',
    clients: 2,
    messages: 300,
    messageLength: 170,
  },
  {
    server: '127.0.0.1',
    username: 'bob',
    transport: 'tcp',
    clients: 2,
    messages: 250,
    messageLength: 120,
  },
  {
    server: '127.0.0.2',
    username: 'alice',
    transport: 'udp',
    clients: 4,
    messages: 110,
    messageLength: 99,
  },
  {
    server: '127.0.0.2',
    username: 'carol',
    transport: 'tcp',
    clients: 2,
    messages: 180,
    messageLength: 333,
  },
];

const cleanup = createCleanup();
let prometheus: PrometheusServer;
let scene: RelayScene;

beforeAll(async () => {
  const redis = await startRedisServer(cleanup.defer);
  const exporter = await startExporter(cleanup.defer, {
    args: ['--redis.url', `redis://127.0.0.1:${redis.port}/${DATABASE}`],
  });
  prometheus = await startPrometheusServer(cleanup.defer, {
    target: new URL(exporter.address).host,
  });
  const statsdb = { port: redis.port, database: DATABASE };
  const servers = REALMS.map((place) => ({ ...place, statsdb }));
  scene = await relayCalls(cleanup.defer, { exporter, servers, calls: CALLS });
}, SET_UP_MS);

afterAll(() => cleanup.run());

describe('the exporter beside two real turnservers and a Redis', () => {
  describeExactRelay(() => scene, CALLS);

  it('shows each user while the session lives', () => {
    const { during } = scene;
    for (const { username, server } of CALLS) {
      const realm = REALMS.find(({ address }) => address === server)?.realm ?? '';
      const labels = { realm, user: username };
      expect(during.value('coturn_user_sessions', labels)).toBe(1);
      expect(during.value('coturn_user_allocations', labels)).toBeGreaterThan(0);
      expect(during.value('coturn_user_session_start_time_seconds', labels)).toBeGreaterThan(1.7e9);
    }
    expect(during.value('coturn_exporter_users')).toBe(CALLS.length);
  });

  it.each(REALMS)('tells the transports of the allocations in $realm', ({ realm, address }) => {
    for (const { transport, clients } of CALLS.filter(({ server }) => server === address)) {
      const labels = { realm, transport, tls: 'none', ip_family: 'ipv4' };
      const created = scene.after.value('coturn_allocations_created_total', labels);
      expect(created).toBe(clients * 1.5);
    }
  });
});

describe('Prometheus with the shipped configuration', () => {
  it('has a configuration that promtool accepts', () => {
    expect(runPromtool(['check', 'config', 'prometheus.yml']).exitCode).toBe(0);
  });

  it('finds the exporter up', async () => {
    expect(await prometheus.query('up')).toEqual([
      { labels: expect.objectContaining({ job: 'coturn-exporter' }), value: 1 },
    ]);
  });

  it.each(['received', 'sent'] as const)('gives the same %s bytes for each realm', async (way) => {
    const expected = REALMS.map(({ realm, address }) => ({
      labels: { realm },
      value: relayedBy(CALLS.filter(({ server }) => server === address))[`peer_${way}_bytes`],
    }));
    const series = await until(
      () => prometheus.query(`sum by (realm) (coturn_peer_${way}_bytes_total)`),
      {
        what: 'the last scrape',
        isDone: (answer) =>
          answer.length === REALMS.length &&
          answer.every(({ value }) => expected.some((one) => one.value === value)),
      },
    );
    expect(series).toEqual(expect.arrayContaining(expected));
  });
});

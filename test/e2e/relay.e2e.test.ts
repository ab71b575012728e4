import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCleanup } from '../support/cleanup.ts';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import type { Exposition } from '../support/exposition.ts';
import { type PrometheusServer, startPrometheusServer } from '../support/prometheus-server.ts';
import { runPromtool } from '../support/promtool.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { runTurnClient, type TurnClientReport } from '../support/turn-client.ts';
import { startTurnServer, type TurnServer } from '../support/turn-server.ts';
import { until } from '../support/until.ts';

const DATABASE = 2;
const PASSWORD = 'correct-horse';
// Above the length of a uclient run, which refreshes every 30 s only: its abandoned probe
// allocation ends by this.
const LIFETIME_SECONDS = 20;
const SET_UP_MS = 90_000;

/** Who relays what: two realms, in each a user over UDP and one over TCP, no two sums alike. */
const CALLS = [
  {
    realm: 'example.org',
    username: 'alice',
    transport: 'udp',
    clients: 2,
    messages: 300,
    messageLength: 170,
  },
  {
    realm: 'example.org',
    username: 'bob',
    transport: 'tcp',
    clients: 2,
    messages: 250,
    messageLength: 120,
  },
  {
    realm: 'example.net',
    username: 'alice',
    transport: 'udp',
    clients: 4,
    messages: 110,
    messageLength: 99,
  },
  {
    realm: 'example.net',
    username: 'carol',
    transport: 'tcp',
    clients: 2,
    messages: 180,
    messageLength: 333,
  },
] as const;
const REALMS = [
  { realm: 'example.org', address: '127.0.0.1', users: { alice: PASSWORD, bob: PASSWORD } },
  { realm: 'example.net', address: '127.0.0.2', users: { alice: PASSWORD, carol: PASSWORD } },
] as const;
/** Counter to the record field that must add up to it. */
const COUNTED = [
  ['coturn_client_received_bytes_total', 'received_bytes'],
  ['coturn_client_sent_bytes_total', 'sent_bytes'],
  ['coturn_client_received_packets_total', 'received_packets'],
  ['coturn_client_sent_packets_total', 'sent_packets'],
  ['coturn_peer_received_bytes_total', 'peer_received_bytes'],
  ['coturn_peer_sent_bytes_total', 'peer_sent_bytes'],
  ['coturn_peer_received_packets_total', 'peer_received_packets'],
  ['coturn_peer_sent_packets_total', 'peer_sent_packets'],
] as const;

const cleanup = createCleanup();
let servers: ReadonlyMap<string, TurnServer>;
let exporter: ExporterProcess;
let prometheus: PrometheusServer;
let reports: readonly TurnClientReport[];
let during: Exposition;
let after: Exposition;

beforeAll(async () => {
  const redis = await startRedisServer(cleanup.defer);
  exporter = await startExporter(cleanup.defer, {
    args: ['--redis.url', `redis://127.0.0.1:${redis.port}/${DATABASE}`],
  });
  prometheus = await startPrometheusServer(cleanup.defer, {
    target: new URL(exporter.address).host,
  });
  const started = await Promise.all(
    REALMS.map(({ realm, address, users }) =>
      startTurnServer(cleanup.defer, {
        realm,
        address,
        users,
        statsdb: { port: redis.port, database: DATABASE },
        maxAllocateLifetime: LIFETIME_SECONDS,
      }),
    ),
  );
  servers = new Map(started.map((server) => [server.realm, server]));

  const running = Promise.all(
    CALLS.map((call) =>
      runTurnClient(cleanup.defer, { ...call, server: serverOf(call.realm), password: PASSWORD }),
    ),
  );
  during = await exporter.untilMetrics(
    (metrics) => metrics.sum('coturn_sessions') === CALLS.length,
    { what: 'all sessions to be live' },
  );
  reports = await running;
  after = await exporter.untilMetrics(
    // A user's series stay until the record is written.
    (metrics) =>
      metrics.sum('coturn_sessions_finished_total') === CALLS.length &&
      metrics.value('coturn_exporter_users') === 0,
    { what: 'all sessions to finish', timeoutMs: (LIFETIME_SECONDS + 10) * 1_000 },
  );
  await exporter.untilRecords(CALLS.length);
}, SET_UP_MS);

afterAll(() => cleanup.run(), 30_000);

describe('the exporter beside two real turnservers', () => {
  it('has clients that lost nothing to measure against', () => {
    for (const [index, { clients, messages, messageLength }] of CALLS.entries()) {
      expect(reports[index]).toMatchObject({
        exitCode: 0,
        sentMessages: clients * messages,
        receivedMessages: clients * messages,
        sentBytes: clients * messages * messageLength,
        receivedBytes: clients * messages * messageLength,
      });
    }
  });

  it.each(REALMS)(
    'counts on the peer side of $realm exactly what its clients report',
    ({ realm }) => {
      const relayed = relayedIn(realm);
      const labels = { realm, server: serverOf(realm).address };
      expect(after.value('coturn_peer_received_packets_total', labels)).toBe(
        relayed.received.messages,
      );
      expect(after.value('coturn_peer_received_bytes_total', labels)).toBe(relayed.received.bytes);
      expect(after.value('coturn_peer_sent_packets_total', labels)).toBe(relayed.sent.messages);
      expect(after.value('coturn_peer_sent_bytes_total', labels)).toBe(relayed.sent.bytes);
    },
  );

  it.each(REALMS)('puts all that it counts for $realm under its server', ({ realm }) => {
    for (const [counter] of COUNTED) {
      expect(after.sum(counter, { realm }), counter).toBe(
        after.sum(counter, { realm, server: serverOf(realm).address }),
      );
    }
  });

  it.each(REALMS)('counts on both sides of $realm the sum of its session records', ({ realm }) => {
    const records = exporter.records.filter((record) => record.realm === realm);
    for (const [counter, field] of COUNTED) {
      const sum = records.reduce((total, record) => total + Number(record[field]), 0);
      expect(after.sum(counter, { realm }), counter).toBe(sum);
      expect(sum, field).toBeGreaterThan(0);
    }
  });

  it.each(CALLS)('writes one record for $username over $transport in $realm', (call) => {
    const records = exporter.records.filter(
      (record) => record.realm === call.realm && record.username === call.username,
    );
    expect(records).toEqual([
      expect.objectContaining({
        event: 'session_finished',
        schema: 1,
        session_id: expect.stringMatching(/./),
        user: call.username,
        server: serverOf(call.realm).address,
        transport: call.transport,
        tls: 'none',
        client: '127.0.0.1',
        reason: 'deleted',
        relayed: true,
        complete: true,
        start_known: true,
        // uclient makes one probe allocation for each pair of clients.
        allocations: call.clients + call.clients / 2,
        missed_bytes: 0,
        peer_received_packets: call.clients * call.messages,
        peer_received_bytes: call.clients * call.messages * call.messageLength,
        peer_sent_packets: call.clients * call.messages,
        peer_sent_bytes: call.clients * call.messages * call.messageLength,
      }),
    ]);
  });

  it('writes records whose duration is the time between start and end', () => {
    for (const record of exporter.records) {
      const seconds = (Date.parse(String(record.end)) - Date.parse(String(record.start))) / 1_000;
      expect(record.duration_seconds).toBeCloseTo(seconds, 2);
      expect(seconds).toBeGreaterThan(0.5);
      expect(seconds).toBeLessThan(LIFETIME_SECONDS + 5);
    }
  });

  it('writes no other record, and each with an id of its own', () => {
    expect(exporter.records).toHaveLength(CALLS.length);
    expect(new Set(exporter.records.map((record) => record.session_id)).size).toBe(CALLS.length);
  });

  it('shows each user while the session lives', () => {
    for (const { realm, username } of CALLS) {
      const labels = { realm, user: username };
      expect(during.value('coturn_user_sessions', labels)).toBe(1);
      expect(during.value('coturn_user_allocations', labels)).toBeGreaterThan(0);
      expect(during.value('coturn_user_session_start_time_seconds', labels)).toBeGreaterThan(1.7e9);
    }
    expect(during.value('coturn_exporter_users')).toBe(CALLS.length);
  });

  it('shows nobody and no allocation afterwards', () => {
    const live = after.select('coturn_allocations');
    expect(live.length).toBeGreaterThan(0);
    expect(live.filter(({ value }) => value !== 0)).toEqual([]);
    expect(after.samples.filter(({ name }) => name.startsWith('coturn_user_'))).toEqual([]);
    expect(after.sum('coturn_sessions')).toBe(0);
    expect(after.value('coturn_exporter_users')).toBe(0);
  });

  it.each(CALLS)(
    'counts the allocations of $realm over $transport as created and closed',
    (call) => {
      const count = call.clients + call.clients / 2;
      const { realm, transport } = call;
      expect(
        after.value('coturn_allocations_created_total', {
          realm,
          transport,
          tls: 'none',
          ip_family: 'ipv4',
        }),
      ).toBe(count);
      expect(after.sum('coturn_allocations_closed_total', { realm })).toBe(
        after.sum('coturn_allocations_created_total', { realm }),
      );
      expect(after.sum('coturn_allocations_closed_total', { realm, reason: 'deleted' })).toBe(
        after.sum('coturn_allocations_closed_total', { realm }),
      );
    },
  );

  it('counts each finished session as relayed, in both histograms', () => {
    for (const { realm } of REALMS) {
      expect(
        after.value('coturn_sessions_finished_total', {
          realm,
          reason: 'deleted',
          relayed: 'true',
        }),
      ).toBe(2);
      expect(after.value('coturn_session_duration_seconds_count', { realm })).toBe(2);
      expect(after.value('coturn_session_relayed_bytes_sum', { realm })).toBe(
        after.sum('coturn_client_received_bytes_total', { realm }) +
          after.sum('coturn_client_sent_bytes_total', { realm }),
      );
    }
  });

  it('finds nothing wrong with what coturn sent', () => {
    for (const trouble of [
      'coturn_exporter_events_rejected_total',
      'coturn_exporter_missed_bytes_total',
      'coturn_exporter_allocation_collisions_total',
      'coturn_exporter_source_disconnects_total',
    ]) {
      expect(after.sum(trouble), trouble).toBe(0);
    }
    expect(after.sum('coturn_up')).toBe(1);
    expect(after.value('coturn_exporter_records_total', { result: 'written' })).toBe(CALLS.length);
  });

  it('has its scrapes pass promtool, with live sessions and without', () => {
    for (const { text } of [during, after]) {
      expect(runPromtool(['check', 'metrics'], text)).toEqual({ exitCode: 0, output: '' });
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
    const expected = REALMS.map(({ realm }) => ({
      labels: { realm },
      value: relayedIn(realm)[way].bytes,
    }));
    const series = await until(
      () => prometheus.query(`sum by (realm) (coturn_peer_${way}_bytes_total)`),
      {
        what: 'the last scrape',
        isDone: (answer) =>
          answer.every(({ value }) => value > 0) && answer.length === REALMS.length,
      },
    );
    expect(series).toHaveLength(expected.length);
    expect(series).toEqual(expect.arrayContaining(expected));
  });
});

function serverOf(realm: string): TurnServer {
  const server = servers.get(realm);
  if (server === undefined) throw new Error(`No server for ${realm}`);
  return server;
}

/** What the clients of a realm say they sent and received: the relay's peer side mirrors it. */
function relayedIn(realm: string) {
  const received = { messages: 0, bytes: 0 };
  const sent = { messages: 0, bytes: 0 };
  for (const [index, call] of CALLS.entries()) {
    const report = reports[index];
    if (call.realm !== realm || report === undefined) continue;
    received.messages += report.receivedMessages;
    received.bytes += report.receivedMessages * call.messageLength;
    sent.messages += report.sentMessages;
    sent.bytes += report.sentMessages * call.messageLength;
  }
  return { received, sent };
}

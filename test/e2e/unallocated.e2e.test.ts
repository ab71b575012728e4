import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCleanup } from '../support/cleanup.ts';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import type { Exposition } from '../support/exposition.ts';
import { type RecordedMessage, recordMessages, sumOf } from '../support/message-recorder.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { BINDING_REQUEST_BYTES, bindOverTcp } from '../support/stun-over-tcp.ts';
import { runTurnClient, type TurnClientReport } from '../support/turn-client.ts';
import { startTurnServer } from '../support/turn-server.ts';
import { until } from '../support/until.ts';

const REALM = 'example.org';
const INVENTED = 'mallory-the-invented';
const BINDINGS = 3;
const UNALLOCATED = [
  ['coturn_unallocated_received_packets_total', 'rcvp'],
  ['coturn_unallocated_received_bytes_total', 'rcvb'],
  ['coturn_unallocated_sent_packets_total', 'sentp'],
  ['coturn_unallocated_sent_bytes_total', 'sentb'],
] as const;

const cleanup = createCleanup();
let exporter: ExporterProcess;
let messages: readonly RecordedMessage[];
let clients: readonly TurnClientReport[];
let metrics: Exposition;

beforeAll(async () => {
  const redis = await startRedisServer(cleanup.defer);
  messages = await recordMessages(cleanup.defer, redis.port);
  exporter = await startExporter(cleanup.defer, {
    args: ['--redis.url', `redis://127.0.0.1:${redis.port}/0`, '--log.level', 'info'],
  });
  const server = await startTurnServer(cleanup.defer, {
    realm: REALM,
    users: { alice: 'right' },
    statsdb: { port: redis.port, database: 0 },
  });

  for (let binding = 0; binding < BINDINGS; binding += 1) await bindOverTcp(server);
  const login = { server, transport: 'tcp', messages: 20, password: 'wrong' } as const;
  clients = [
    await runTurnClient(cleanup.defer, { ...login, username: INVENTED }),
    await runTurnClient(cleanup.defer, { ...login, username: 'alice' }),
  ];
  await until(() => messages.map(({ key }) => key), {
    what: 'coturn to publish the failed logins',
    isDone: (keys) => [INVENTED, 'alice'].every((name) => keys.some(hasTrafficOf(name))),
  });
  metrics = await exporter.untilMetrics(
    (scrape) =>
      scrape.sum('coturn_unallocated_received_bytes_total') ===
      sumOf(messages, { topic: 'traffic', field: 'rcvb' }),
    // What has no allocation waits for proof of one first.
    { what: 'the traffic to be counted as unallocated', timeoutMs: 30_000 },
  );
}, 60_000);

afterAll(() => cleanup.run(), 30_000);

describe('clients that never held an allocation', () => {
  it('really failed to log in', () => {
    expect(clients.map(({ sentMessages }) => sentMessages)).toEqual([0, 0]);
    expect(messages.filter(({ key }) => key.endsWith('/status'))).toEqual([]);
  });

  it.each(UNALLOCATED)('are counted in %s and by coturn alike', (counter, field) => {
    expect(metrics.value(counter, { realm: REALM })).toBe(
      sumOf(messages, { topic: 'traffic', field }),
    );
  });

  it('include plain STUN clients', () => {
    const anonymous = messages.filter(({ key }) => key.includes('/user//allocation/'));
    // More than the test made: those that wait for turnserver to start.
    expect(sumOf(anonymous, { topic: 'traffic', field: 'rcvb' })).toBeGreaterThan(
      BINDINGS * BINDING_REQUEST_BYTES,
    );
  });

  it('make no allocation, no session, no user series and no record', () => {
    for (const name of [
      'coturn_allocations',
      'coturn_allocations_created_total',
      'coturn_sessions',
      'coturn_sessions_finished_total',
      'coturn_client_received_bytes_total',
      'coturn_client_sent_bytes_total',
      'coturn_exporter_users',
      'coturn_exporter_events_rejected_total',
    ]) {
      expect(metrics.sum(name), name).toBe(0);
    }
    expect(metrics.samples.filter(({ name }) => name.startsWith('coturn_user_'))).toEqual([]);
    expect(exporter.records).toEqual([]);
  });

  it('leave the name they invented nowhere', async () => {
    for (const path of ['/metrics', '/', '/readyz', '/drain']) {
      expect((await exporter.get(path)).body, path).not.toContain(INVENTED);
    }
    expect(exporter.process.stderr.join('\n')).not.toContain(INVENTED);
    expect(exporter.process.stdout.join('\n')).not.toContain(INVENTED);
  });
});

function hasTrafficOf(username: string): (key: string) => boolean {
  return (key) => key.includes(`/user/${username}/`) && key.endsWith('/traffic');
}

import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createCleanup } from '../support/cleanup.ts';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import type { Exposition } from '../support/exposition.ts';
import { claimPorts } from '../support/port-block.ts';
import { runPromtool } from '../support/promtool.ts';
import { connectFrom } from '../support/source-address.ts';
import { runTurnClient, type TurnClientReport } from '../support/turn-client.ts';
import { startTurnServer, type TurnServer } from '../support/turn-server.ts';

const REALM = 'example.org';
const PASSWORD = 'correct-horse';
// Above the length of a uclient run, which refreshes every 30 s only: its abandoned probe
// allocation ends by this.
const LIFETIME_SECONDS = 15;

/**
 * Who relays what on which server. The realm is one, and alice is on both: her allocations have the
 * same keys there, which on a Redis nobody could tell apart. No two sums are alike.
 */
const CALLS = [
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
] as const;
const SERVERS = ['127.0.0.1', '127.0.0.2'] as const;
const USERS = { alice: PASSWORD, bob: PASSWORD, carol: PASSWORD };
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
const TROUBLES = [
  'coturn_exporter_events_rejected_total',
  'coturn_exporter_missed_bytes_total',
  'coturn_exporter_allocation_collisions_total',
  'coturn_exporter_source_disconnects_total',
  'coturn_exporter_statsdb_connections_refused_total',
  'coturn_exporter_statsdb_dropped_replies_total',
] as const;

const cleanup = createCleanup();
const servers = new Map<string, TurnServer>();
let exporter: ExporterProcess;
let reports: readonly TurnClientReport[];
let during: Exposition;
let after: Exposition;

beforeAll(async () => {
  const { first: port } = await claimPorts(cleanup.defer);
  exporter = await startExporter(cleanup.defer, {
    args: ['--statsdb.listen-address', `127.0.0.1:${port}`],
  });
  const elsewhere = await connectFrom(cleanup.defer, { address: '127.0.0.2', port });
  for (const [address, statsdb] of [
    ['127.0.0.1', { port, database: 0 }],
    ['127.0.0.2', { port: elsewhere.port, database: 7 }],
  ] as const) {
    const server = await startTurnServer(cleanup.defer, {
      realm: REALM,
      address,
      users: USERS,
      statsdb,
      maxAllocateLifetime: LIFETIME_SECONDS,
    });
    servers.set(address, server);
  }
  const running = Promise.all(
    CALLS.map((call) =>
      runTurnClient(cleanup.defer, { ...call, server: at(call.server), password: PASSWORD }),
    ),
  );
  during = await exporter.untilMetrics(
    (metrics) => SERVERS.every((server) => metrics.sum('coturn_allocations', { server }) > 3),
    { what: 'allocations on both servers' },
  );
  reports = await running;
  after = await exporter.untilMetrics(
    // A user's series stay until the record is written.
    (metrics) =>
      metrics.sum('coturn_sessions_finished_total') >= 3 &&
      metrics.value('coturn_exporter_users') === 0,
    { what: 'all sessions to finish', timeoutMs: (LIFETIME_SECONDS + 10) * 1_000 },
  );
  await exporter.untilRecords(after.sum('coturn_sessions_finished_total'));
}, 60_000);

afterAll(() => cleanup.run(), 30_000);

describe('the exporter as the statsdb of two real turnservers', () => {
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

  it.each(SERVERS)('counts on the peer side of %s exactly what its clients relayed', (server) => {
    const relayed = sumCalls((call) => call.server === server);
    const labels = { realm: REALM, server };
    expect(after.value('coturn_peer_received_packets_total', labels)).toBe(relayed.messages);
    expect(after.value('coturn_peer_received_bytes_total', labels)).toBe(relayed.bytes);
    expect(after.value('coturn_peer_sent_packets_total', labels)).toBe(relayed.messages);
    expect(after.value('coturn_peer_sent_bytes_total', labels)).toBe(relayed.bytes);
  });

  it('counts on both sides the sum of the session records', () => {
    for (const [counter, field] of COUNTED) {
      const sum = exporter.records.reduce((total, record) => total + Number(record[field]), 0);
      expect(after.sum(counter), counter).toBe(sum);
      expect(sum, field).toBeGreaterThan(0);
    }
  });

  it('names two servers, by the address that connected', () => {
    const names = after.select('coturn_client_received_bytes_total').map(({ labels }) => labels);
    expect(names.map(({ server }) => server).toSorted()).toEqual(SERVERS);
  });

  it.each([
    { username: 'alice', server: '127.0.0.1,127.0.0.2', transport: 'udp' },
    { username: 'bob', server: '127.0.0.1', transport: 'tcp' },
    { username: 'carol', server: '127.0.0.2', transport: 'tcp' },
  ])(
    'writes one record for the call of $username, with all that was relayed on $server',
    (wanted) => {
      const relayed = sumCalls(({ username }) => username === wanted.username);
      // A probe allocation of uclient over TCP may end just before the call begins: an idle session.
      const records = exporter.records.filter(
        ({ username, relayed: isRelayed }) => username === wanted.username && isRelayed === true,
      );
      expect(records).toEqual([
        expect.objectContaining({
          ...wanted,
          event: 'session_finished',
          realm: REALM,
          tls: 'none',
          client: '127.0.0.1',
          reason: 'deleted',
          relayed: true,
          complete: true,
          start_known: true,
          missed_bytes: 0,
          peer_received_packets: relayed.messages,
          peer_received_bytes: relayed.bytes,
          peer_sent_packets: relayed.messages,
          peer_sent_bytes: relayed.bytes,
        }),
      ]);
    },
  );

  it('closes each allocation as deleted, and none is live afterwards', () => {
    for (const server of SERVERS) {
      const created = after.sum('coturn_allocations_created_total', { server });
      const deleted = after.sum('coturn_allocations_closed_total', { server, reason: 'deleted' });
      expect(deleted).toBe(created);
      expect(after.sum('coturn_allocations_closed_total', { server })).toBe(created);
      expect(after.sum('coturn_allocations', { server })).toBe(0);
    }
    for (const name of ['coturn_sessions', 'coturn_user_sessions', 'coturn_user_allocations']) {
      expect(after.sum(name), name).toBe(0);
    }
  });

  it('finds nothing wrong with what coturn sent', () => {
    for (const trouble of TROUBLES) expect(after.sum(trouble), trouble).toBe(0);
    expect(after.value('coturn_up', { source: 'statsdb' })).toBe(1);
  });

  it('has its scrapes pass promtool, with live sessions and without', () => {
    for (const { text } of [during, after]) {
      expect(runPromtool(['check', 'metrics'], text)).toEqual({ exitCode: 0, output: '' });
    }
  });
});

describe('a turnserver that connects over IPv6', () => {
  it.skipIf(!hasIpv6())(
    'is another server than one that connects over IPv4',
    async () => {
      const { first: port } = await claimPorts(onTestFinished);
      const own = await startExporter(onTestFinished, {
        args: [
          ...['--statsdb.listen-address', `127.0.0.1:${port}`],
          ...['--statsdb.listen-address', `[::1]:${port}`],
        ],
      });
      const calls = [
        { address: '127.0.0.1', messages: 40, messageLength: 100 },
        { address: '::1', messages: 30, messageLength: 200 },
      ];
      for (const { address, messages, messageLength } of calls) {
        const server = await startTurnServer(onTestFinished, {
          realm: REALM,
          users: USERS,
          statsdb: { address, port, database: 0 },
        });
        const account = { server, username: 'bob', password: PASSWORD, transport: 'tcp' } as const;
        await runTurnClient(onTestFinished, { ...account, messages, messageLength });
      }
      const metrics = await own.untilMetrics(
        (seen) => seen.sum('coturn_allocations') === 0 && seen.sum('coturn_sessions') === 0,
        { what: 'both calls to end' },
      );
      for (const { address, messages, messageLength } of calls) {
        expect(metrics.value('coturn_peer_sent_bytes_total', { server: address })).toBe(
          2 * messages * messageLength,
        );
      }
      expect(metrics.sum('coturn_exporter_allocation_collisions_total')).toBe(0);
    },
    30_000,
  );
});

function at(address: string): TurnServer {
  const server = servers.get(address);
  if (server === undefined) throw new Error(`No server at ${address}`);
  return server;
}

/** What crosses the relay in these calls, in each direction. */
function sumCalls(isWanted: (call: (typeof CALLS)[number]) => boolean) {
  const sum = { messages: 0, bytes: 0 };
  for (const call of CALLS.filter(isWanted)) {
    sum.messages += call.clients * call.messages;
    sum.bytes += call.clients * call.messages * call.messageLength;
  }
  return sum;
}

function hasIpv6(): boolean {
  return Object.values(networkInterfaces())
    .flat()
    .some((each) => each?.address === '::1');
}

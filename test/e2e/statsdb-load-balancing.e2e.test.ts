import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCleanup } from '../support/cleanup.ts';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import type { Exposition } from '../support/exposition.ts';
import { claimPorts } from '../support/port-block.ts';
import { connectFrom } from '../support/source-address.ts';
import { runTurnClient, type TurnClientReport } from '../support/turn-client.ts';
import { startTurnServer, type TurnServer } from '../support/turn-server.ts';

const REALM = 'north.gov';
const USERS = { gorst: 'hero' };
const MASTER = '127.0.0.1';
const SLAVES = ['127.0.0.2', '127.0.0.3'] as const;
const CALL = { clients: 6, messages: 200, messageLength: 170 } as const;
const PACKETS = CALL.clients * CALL.messages;
const BYTES = PACKETS * CALL.messageLength;

const cleanup = createCleanup();
let exporter: ExporterProcess;
let report: TurnClientReport;
let after: Exposition;

/**
 * The set-up of coturn's examples/scripts/loadbalance: a master that answers every allocation with
 * "300 Try Alternate", and slaves that relay. All three publish.
 */
beforeAll(async () => {
  const { first: port } = await claimPorts(cleanup.defer);
  exporter = await startExporter(cleanup.defer, {
    args: ['--statsdb.listen-address', `127.0.0.1:${port}`, '--server.name', MASTER],
  });
  const start = async (address: string, extraLines: readonly string[]): Promise<TurnServer> => {
    const statsdb = await connectFrom(cleanup.defer, { address, port });
    return startTurnServer(cleanup.defer, {
      realm: REALM,
      address,
      users: USERS,
      statsdb: { port: statsdb.port, database: 0 },
      extraLines,
    });
  };
  const slaves = await Promise.all(SLAVES.map((address) => start(address, [])));
  const master = await start(
    MASTER,
    slaves.map((slave) => `alternate-server=${slave.address}:${slave.port}`),
  );
  report = await runTurnClient(cleanup.defer, {
    ...CALL,
    server: master,
    username: 'gorst',
    password: USERS.gorst,
    transport: 'tcp',
  });
  after = await exporter.untilMetrics(
    (metrics) =>
      metrics.sum('coturn_sessions_finished_total', { relayed: 'true' }) > 0 &&
      metrics.sum('coturn_allocations') === 0 &&
      metrics.value('coturn_exporter_users') === 0,
    { what: 'the call to end' },
  );
  await exporter.untilRecords(after.sum('coturn_sessions_finished_total'));
}, 45_000);

afterAll(() => cleanup.run(), 30_000);

describe('the exporter as the statsdb of servers behind an alternate-server master', () => {
  it('has clients that lost nothing to measure against', () => {
    expect(report).toMatchObject({
      exitCode: 0,
      sentMessages: PACKETS,
      receivedMessages: PACKETS,
      receivedBytes: BYTES,
    });
  });

  it('counts over all slaves exactly what the clients relayed', () => {
    expect(after.sum('coturn_peer_sent_packets_total')).toBe(PACKETS);
    expect(after.sum('coturn_peer_sent_bytes_total')).toBe(BYTES);
    expect(after.sum('coturn_peer_received_packets_total')).toBe(PACKETS);
    expect(after.sum('coturn_peer_received_bytes_total')).toBe(BYTES);
  });

  it.each(SLAVES)('shows %s as a server that relayed its part', (server) => {
    const bytes = after.value('coturn_peer_sent_bytes_total', { realm: REALM, server });
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(BYTES);
    expect(Number(bytes) % CALL.messageLength).toBe(0);
    expect(after.sum('coturn_allocations_closed_total', { server, reason: 'deleted' })).toBe(
      after.sum('coturn_allocations_created_total', { server }),
    );
  });

  it('counts what the master turned away as clients without an allocation', () => {
    expect(after.sum('coturn_allocations_created_total', { server: MASTER })).toBe(0);
    expect(after.sum('coturn_peer_sent_bytes_total', { server: MASTER })).toBe(0);
  });

  it('records one user on all slaves, with every byte', () => {
    const relayed = exporter.records.filter(({ relayed: isRelayed }) => isRelayed === true);
    expect(relayed).toEqual([
      expect.objectContaining({
        user: 'gorst',
        realm: REALM,
        server: SLAVES.join(','),
        complete: true,
        peer_sent_packets: PACKETS,
        peer_sent_bytes: BYTES,
        peer_received_bytes: BYTES,
      }),
    ]);
  });

  it('takes no two servers for one', () => {
    expect(after.sum('coturn_exporter_allocation_collisions_total')).toBe(0);
    expect(after.sum('coturn_exporter_missed_bytes_total')).toBe(0);
    expect(after.sum('coturn_allocations_closed_total', { reason: 'superseded' })).toBe(0);
  });
});

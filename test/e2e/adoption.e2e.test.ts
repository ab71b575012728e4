import { describe, expect, it, onTestFinished } from 'vitest';
import { startExporter } from '../support/exporter-process.ts';
import { recordMessages, sumOf } from '../support/message-recorder.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { runTurnClient } from '../support/turn-client.ts';
import { startTurnServer } from '../support/turn-server.ts';
import { until } from '../support/until.ts';

const REALM = 'example.org';
const CLIENTS = 2;
const MESSAGES = 6_000;
const MESSAGE_LENGTH = 170;
const RELAYED_BYTES = CLIENTS * MESSAGES * MESSAGE_LENGTH;

describe('an exporter that starts amid a call', () => {
  it('adopts it, counts only what it heard, and records all that coturn says', async () => {
    const redis = await startRedisServer(onTestFinished);
    const server = await startTurnServer(onTestFinished, {
      realm: REALM,
      users: { alice: 'secret' },
      statsdb: { port: redis.port, database: 2 },
    });
    const messages = await recordMessages(onTestFinished, redis.port);
    const relayed = () => sumOf(messages, { topic: 'traffic/peer', field: 'sentb' });
    const running = runTurnClient(onTestFinished, {
      server,
      username: 'alice',
      password: 'secret',
      transport: 'tcp',
      clients: CLIENTS,
      messages: MESSAGES,
      messageLength: MESSAGE_LENGTH,
      packetIntervalMs: 1,
    });
    await until(relayed, {
      what: 'coturn to publish the first bytes',
      timeoutMs: 20_000,
      isDone: (bytes) => bytes > 0,
    });

    const exporter = await startExporter(onTestFinished, {
      args: ['--redis.url', `redis://127.0.0.1:${redis.port}/2`],
    });
    const during = await exporter.untilMetrics(
      // A scrape is written in pieces, between which the second may be adopted.
      (metrics) =>
        metrics.value('coturn_user_allocations', { user: 'alice' }) === CLIENTS &&
        metrics.sum('coturn_sessions') > 0,
      { what: 'both allocations to be adopted' },
    );
    expect(during.sum('coturn_sessions')).toBe(1);
    const report = await running;
    expect(report).toMatchObject({ exitCode: 0, sentBytes: RELAYED_BYTES });
    const after = await exporter.untilMetrics(
      (metrics) => metrics.sum('coturn_sessions_finished_total') === 1,
      { what: 'the session to finish' },
    );

    expect(relayed()).toBe(RELAYED_BYTES);
    // Each client is the peer of the other, over UDP, of which a busy machine drops some on the way.
    const received = sumOf(messages, { topic: 'traffic/peer', field: 'rcvb' });
    expect(received).toBeGreaterThanOrEqual(report.receivedBytes);
    expect(received).toBeGreaterThan(RELAYED_BYTES * 0.9);
    expect(after.sum('coturn_peer_sent_bytes_total')).toBeGreaterThan(0);
    expect(after.sum('coturn_peer_sent_bytes_total')).toBeLessThan(RELAYED_BYTES);
    expect(after.sum('coturn_exporter_missed_bytes_total')).toBe(0);
    expect(after.sum('coturn_allocations')).toBe(0);
    expect(await exporter.untilRecords(1)).toEqual([
      expect.objectContaining({
        user: 'alice',
        reason: 'deleted',
        start_known: false,
        complete: true,
        relayed: true,
        allocations: CLIENTS,
        transport: 'tcp',
        peer_sent_packets: CLIENTS * MESSAGES,
        peer_sent_bytes: RELAYED_BYTES,
        peer_received_bytes: received,
      }),
    ]);
  }, 60_000);
});

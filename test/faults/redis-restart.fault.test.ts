import { describe, expect, it, onTestFinished } from 'vitest';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import {
  BYTES_IN_ALL,
  countersOf,
  recordSums,
  ScriptedCoturn,
  sumsOf,
} from '../support/scripted-coturn.ts';
import { runTurnClient } from '../support/turn-client.ts';
import { startTurnServer } from '../support/turn-server.ts';
import { until } from '../support/until.ts';

const RECONNECT_MS = 15_000;

async function untilSubscribedAgain(exporter: ExporterProcess): Promise<void> {
  await exporter.untilMetrics(
    (metrics) =>
      metrics.sum('coturn_exporter_source_disconnects_total') === 1 &&
      metrics.sum('coturn_exporter_resyncs_total') >= 2 &&
      metrics.sum('coturn_up') === 1,
    { what: 'the exporter to be subscribed again', timeoutMs: RECONNECT_MS },
  );
}

describe('a Redis that is restarted amid traffic', () => {
  it('costs only what no total can repair', async () => {
    const redis = await startRedisServer(onTestFinished);
    const exporter = await startExporter(onTestFinished, {
      args: ['--redis.url', `redis://127.0.0.1:${redis.port}/0`],
    });
    const coturn = new ScriptedCoturn(onTestFinished, { port: redis.port });
    await coturn.connected();
    const lasting = [coturn.begin('alice'), coturn.begin('alice'), coturn.begin('bob')];
    const endsUnheard = coturn.begin('carol');
    for (const allocation of [...lasting, endsUnheard]) coturn.relay(allocation, 1000);
    const heard = sumsOf([...lasting, endsUnheard]);
    await exporter.untilMetrics((metrics) => countersOf([metrics]).sent_bytes === 8000, {
      what: 'all bytes before the restart',
    });
    expect(countersOf([await exporter.metrics()])).toEqual(heard);

    await redis.stop();
    for (const allocation of lasting) coturn.relay(allocation, 200);
    const lostBytes = 3 * 200;
    coturn.end(endsUnheard);
    const beginsUnheard = coturn.begin('dave');
    coturn.relay(beginsUnheard, 50);
    await coturn.said();
    await redis.start();
    await coturn.connected();
    await untilSubscribedAgain(exporter);
    const between = await exporter.metrics();
    expect(between.sum('coturn_allocations_closed_total')).toBe(0);
    expect(between.sum('coturn_exporter_source_gap_seconds_total')).toBeGreaterThan(0);
    expect(between.sum('coturn_exporter_missed_bytes_total')).toBe(0);

    for (const allocation of [...lasting, beginsUnheard]) {
      coturn.relay(allocation, 30);
      coturn.end(allocation);
    }
    const records = await exporter.untilRecords(3);
    const after = await exporter.metrics();
    const heardOfDave = { username: 'dave', id: '', bytes: 30, packets: 1 };
    expect(countersOf([after])).toEqual(sumsOf([...lasting, endsUnheard, heardOfDave]));
    expect(after.sum('coturn_exporter_missed_bytes_total')).toBe(lostBytes * BYTES_IN_ALL);
    for (const user of ['alice', 'bob']) {
      const own = lasting.filter(({ username }) => username === user);
      expect(records.filter((record) => record['user'] === user)).toEqual([
        expect.objectContaining({
          ...sumsOf(own),
          reason: 'deleted',
          complete: true,
          start_known: true,
          allocations: own.length,
          missed_bytes: own.length * 200 * BYTES_IN_ALL,
        }),
      ]);
    }
    expect(records.filter(({ username }) => username === 'dave')).toEqual([
      expect.objectContaining({
        ...sumsOf([beginsUnheard]),
        complete: true,
        start_known: false,
        missed_bytes: 0,
      }),
    ]);

    // Nobody said that carol had gone: she counts as live until her lifetime is over.
    expect(after.sum('coturn_sessions')).toBe(1);
    await exporter.stop();
    expect(exporter.records.slice(3)).toEqual([
      expect.objectContaining({
        ...sumsOf([endsUnheard]),
        username: 'carol',
        reason: 'shutdown',
        complete: false,
      }),
    ]);
  }, 60_000);

  it('costs nothing of a real call that outlasts it', async () => {
    const redis = await startRedisServer(onTestFinished);
    const exporter = await startExporter(onTestFinished, {
      args: ['--redis.url', `redis://127.0.0.1:${redis.port}/2`],
    });
    const server = await startTurnServer(onTestFinished, {
      realm: 'example.org',
      users: { alice: 'secret' },
      statsdb: { port: redis.port, database: 2 },
    });
    const clients = 2;
    const messages = 8000;
    const running = runTurnClient(onTestFinished, {
      server,
      username: 'alice',
      password: 'secret',
      transport: 'tcp',
      clients,
      messages,
      messageLength: 170,
      packetIntervalMs: 1,
    });
    await exporter.untilMetrics((metrics) => metrics.sum('coturn_peer_sent_bytes_total') > 0, {
      what: 'bytes of the call',
      timeoutMs: 20_000,
    });
    await redis.stop();
    // Long enough for coturn to report some of its 4096 packets to nobody.
    const stoppedMs = Date.now();
    await until(() => Date.now() - stoppedMs, {
      what: 'the outage to pass',
      isDone: (ms) => ms >= 3000,
    });
    await redis.start();
    await untilSubscribedAgain(exporter);
    expect(await running).toMatchObject({ exitCode: 0 });

    // uclient's first allocation, a probe, may be a session of its own on a slow machine.
    const ofCall = () => exporter.records.filter(({ relayed }) => relayed === true);
    const [record] = await until(ofCall, {
      what: 'the record of the call',
      isDone: (records) => records.length > 0,
    });
    expect(ofCall()).toHaveLength(1);
    const relayed = clients * messages * 170;
    expect(record).toMatchObject({
      user: 'alice',
      reason: 'deleted',
      complete: true,
      start_known: true,
      peer_sent_bytes: relayed,
      peer_sent_packets: clients * messages,
    });
    // Each is the peer of the other, over UDP, of which a busy machine drops some on the way.
    const received = Number(record?.['peer_received_bytes']);
    expect(received).toBe(Number(record?.['peer_received_packets']) * 170);
    expect(received).toBeGreaterThan(relayed * 0.9);
    const after = await exporter.metrics();
    expect(record?.['missed_bytes']).toBeGreaterThan(0);
    expect(after.sum('coturn_exporter_missed_bytes_total')).toBe(record?.['missed_bytes']);
    expect(countersOf([after])).toEqual(recordSums(exporter.records));
  }, 60_000);
});

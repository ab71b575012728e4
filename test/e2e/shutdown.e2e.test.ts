import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { launchExporter, startExporter } from '../support/exporter-process.ts';
import { readJsonLines } from '../support/json-lines.ts';
import { prepareRedisServer, startRedisServer } from '../support/redis-server.ts';
import { connectStatsPublisher, type PublishedAllocation } from '../support/stats-publisher.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { startTurnClient } from '../support/turn-client.ts';
import { startTurnServer } from '../support/turn-server.ts';
import { until } from '../support/until.ts';

const REALM = 'example.org';

describe('SIGTERM', () => {
  it('ends the exporter amid a real call with a record of it and exit code 0', async () => {
    const redis = await startRedisServer(onTestFinished);
    const exporter = await startExporter(onTestFinished, {
      args: ['--redis.url', `redis://127.0.0.1:${redis.port}/2`],
    });
    const turn = await startTurnServer(onTestFinished, {
      realm: REALM,
      users: { alice: 'secret' },
      statsdb: { port: redis.port, database: 2 },
    });
    startTurnClient(onTestFinished, {
      server: turn,
      username: 'alice',
      password: 'secret',
      transport: 'tcp',
      messages: 100_000,
      packetIntervalMs: 1,
    });
    // coturn reports every 4096 packets, so the first bytes are some seconds away.
    await exporter.untilMetrics((metrics) => metrics.sum('coturn_peer_sent_bytes_total') > 0, {
      what: 'bytes of the live call',
      timeoutMs: 20_000,
    });

    expect(await exporter.stop()).toEqual({ code: 0, signal: null });
    expect(exporter.records).toEqual([
      expect.objectContaining({
        event: 'session_finished',
        reason: 'shutdown',
        realm: REALM,
        user: 'alice',
        transport: 'tcp',
        relayed: true,
      }),
    ]);
    const [record] = exporter.records;
    expect(record?.peer_sent_bytes).toBeGreaterThan(0);
  }, 60_000);

  it('ends an exporter whose Redis is away', async () => {
    const redis = await prepareRedisServer(onTestFinished);
    const exporter = launchExporter(onTestFinished, {
      args: ['--redis.url', `redis://127.0.0.1:${redis.port}/0`],
    });
    await exporter.listening();
    expect(await exporter.stop()).toEqual({ code: 0, signal: null });
  });
});

describe('SIGINT', () => {
  it('ends the exporter with exit code 0', async () => {
    const redis = await startRedisServer(onTestFinished);
    const exporter = await startExporter(onTestFinished, {
      args: ['--redis.url', `redis://127.0.0.1:${redis.port}/0`],
    });
    exporter.process.kill('SIGINT');
    expect(await exporter.process.exited).toEqual({ code: 0, signal: null });
  });
});

describe('--records.file', () => {
  it('is opened anew on SIGHUP, and every record is in one file or the other', async () => {
    const file = join(createTempFolder(onTestFinished), 'sessions.jsonl');
    const redis = await startRedisServer(onTestFinished);
    const exporter = await startExporter(onTestFinished, {
      args: ['--redis.url', `redis://127.0.0.1:${redis.port}/0`, '--records.file', file],
    });
    const publisher = connectStatsPublisher(onTestFinished, { port: redis.port, database: 0 });
    const call = async (username: string, id: string) => {
      const allocation: PublishedAllocation = { realm: REALM, username, id };
      await publisher.begin(allocation);
      await publisher.relay(allocation, 10);
      await publisher.end(allocation);
    };

    await call('alice', '000000000000000001');
    await until(() => readJsonLines(file), {
      what: 'the record of alice',
      isDone: (records) => records.length === 1,
    });
    renameSync(file, `${file}.1`);
    exporter.process.kill('SIGHUP');
    await call('bob', '000000000000000002');
    await until(() => readJsonLines(file), {
      what: 'the record of bob',
      isDone: (records) => records.length === 1,
    });
    await publisher.begin({ realm: REALM, username: 'carol', id: '000000000000000003' });
    await exporter.untilMetrics((metrics) => metrics.sum('coturn_sessions') === 1, {
      what: 'the session of carol',
    });
    expect((await exporter.stop()).code).toBe(0);

    expect(readJsonLines(`${file}.1`)).toMatchObject([{ user: 'alice', reason: 'deleted' }]);
    expect(readJsonLines(file)).toMatchObject([
      { user: 'bob', reason: 'deleted' },
      { user: 'carol', reason: 'shutdown' },
    ]);
    expect(exporter.process.stdout).toEqual([]);
  }, 40_000);
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { launchExporter, startExporter } from '../support/exporter-process.ts';
import { prepareRedisServer, startRedisServer } from '../support/redis-server.ts';
import { connectStatsPublisher, type PublishedAllocation } from '../support/stats-publisher.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';

const ALLOCATION: PublishedAllocation = {
  realm: 'example.org',
  username: 'alice',
  id: '001000000000000001',
};
// Reconnects back off.
const RECONNECT_MS = 20_000;

describe('a Redis that is away when the exporter starts', () => {
  it('leaves the metrics up, the exporter not ready, and is found when it comes', async () => {
    const redis = await prepareRedisServer(onTestFinished);
    const exporter = launchExporter(onTestFinished, {
      args: ['--redis.url', `redis://127.0.0.1:${redis.port}/0#main-redis`],
    });
    await exporter.listening();

    expect((await exporter.metrics()).value('coturn_up', { source: 'main-redis' })).toBe(0);
    const readiness = await exporter.get('/readyz');
    expect(readiness.status).toBe(503);
    expect(readiness.body).toContain('main-redis');
    expect((await exporter.get('/livez')).status).toBe(200);
    expect((await exporter.get('/healthz')).status).toBe(200);

    await redis.start();
    await until(() => exporter.get('/readyz'), {
      what: 'the exporter to find Redis',
      timeoutMs: RECONNECT_MS,
      isDone: ({ status }) => status === 200,
    });
    const publisher = connectStatsPublisher(onTestFinished, { port: redis.port, database: 0 });
    await publisher.begin(ALLOCATION);
    await publisher.relay(ALLOCATION, 1_234);
    const metrics = await exporter.untilMetrics(
      (scrape) => scrape.sum('coturn_peer_sent_bytes_total') === 1_234,
      { what: 'the published bytes' },
    );
    expect(metrics.value('coturn_up', { source: 'main-redis' })).toBe(1);
    expect(metrics.value('coturn_user_sessions', { user: 'alice' })).toBe(1);
    expect(
      metrics.value('coturn_exporter_source_disconnects_total', { source: 'main-redis' }),
    ).toBe(0);
  }, 40_000);
});

describe('a Redis that restarts', () => {
  it('is found again, counted as one disconnect, and heard from then on', async () => {
    const redis = await startRedisServer(onTestFinished);
    const exporter = await startExporter(onTestFinished, {
      args: ['--redis.url', `redis://127.0.0.1:${redis.port}/0#main-redis`],
    });
    const publisher = connectStatsPublisher(onTestFinished, { port: redis.port, database: 0 });
    await publisher.begin(ALLOCATION);
    await publisher.relay(ALLOCATION, 100);
    await exporter.untilMetrics((scrape) => scrape.sum('coturn_peer_sent_bytes_total') === 100, {
      what: 'the bytes before the restart',
    });

    await redis.stop();
    await exporter.untilMetrics((scrape) => scrape.sum('coturn_up') === 0, {
      what: 'the exporter to notice',
    });
    expect((await exporter.get('/readyz')).status).toBe(503);
    await redis.start();
    await exporter.untilMetrics((scrape) => scrape.sum('coturn_up') === 1, {
      what: 'the exporter to reconnect',
      timeoutMs: RECONNECT_MS,
    });
    expect((await exporter.get('/readyz')).status).toBe(200);

    await publisher.relay(ALLOCATION, 23);
    const metrics = await exporter.untilMetrics(
      (scrape) => scrape.sum('coturn_peer_sent_bytes_total') === 123,
      { what: 'the bytes after the restart' },
    );
    expect(
      metrics.value('coturn_exporter_source_disconnects_total', { source: 'main-redis' }),
    ).toBe(1);
    await publisher.end(ALLOCATION);
    const [record] = await exporter.untilRecords(1);
    // Nobody knows what was said during the outage.
    expect(record).toMatchObject({ reason: 'deleted', complete: false, peer_sent_bytes: 123 });
  }, 60_000);
});

describe('a Redis that refuses the password', () => {
  it('is reported with the reason, without the password, and leaves the exporter not ready', async () => {
    const redis = await startRedisServer(onTestFinished, { password: 'right-password' });
    const exporter = launchExporter(onTestFinished, {
      args: [
        ...['--redis.url', `redis://:wrong-pass%2Fword@127.0.0.1:${redis.port}/0#main-redis`],
        ...['--log.level', 'trace'],
      ],
    });
    await exporter.listening();
    await until(() => exporter.process.stderr, {
      what: 'the log to say why',
      isDone: (lines) => lines.some((line) => /WRONGPASS|invalid.*password/i.test(line)),
      show: (lines) => lines.join('\n'),
    });

    const readiness = await exporter.get('/readyz');
    expect(readiness.status).toBe(503);
    expect(readiness.body).toContain('main-redis');
    const scrape = await exporter.get('/metrics');
    expect(scrape.status).toBe(200);
    const landing = await exporter.get('/');
    const { code } = await exporter.stop();
    expect(code).toBe(0);
    const said = [
      ...exporter.process.stderr,
      ...exporter.process.stdout,
      readiness.body,
      scrape.body,
      landing.body,
    ].join('\n');
    expect(said).toContain('main-redis');
    expect(said).not.toMatch(/wrong-pass/);
  });

  it('is heard when the password is right, from the URL or from a file', async () => {
    const redis = await startRedisServer(onTestFinished, { password: 'right-password' });
    const passwordFile = join(createTempFolder(onTestFinished), 'password');
    writeFileSync(passwordFile, 'right-password\n');
    for (const args of [
      ['--redis.url', `redis://:right-password@127.0.0.1:${redis.port}/0`],
      [
        ...['--redis.url', `redis://127.0.0.1:${redis.port}/0`],
        ...['--redis.password-file', passwordFile],
      ],
    ]) {
      const exporter = await startExporter(onTestFinished, {
        args: [...args, '--log.level', 'trace'],
      });
      expect((await exporter.metrics()).sum('coturn_up')).toBe(1);
      await exporter.stop();
      expect(exporter.process.stderr.join('\n')).not.toContain('right-password');
    }
  });
});

describe('a Redis that drops the connection', () => {
  it('is subscribed to again, and the session goes on', async () => {
    const redis = await startRedisServer(onTestFinished);
    const exporter = await startExporter(onTestFinished, {
      args: ['--redis.url', `redis://127.0.0.1:${redis.port}/0#main-redis`],
    });
    const publisher = connectStatsPublisher(onTestFinished, { port: redis.port, database: 0 });
    await publisher.begin(ALLOCATION);
    await publisher.relay(ALLOCATION, 100);
    await exporter.untilMetrics((scrape) => scrape.sum('coturn_peer_sent_bytes_total') === 100, {
      what: 'the bytes before the drop',
    });

    const operator = new Redis({ host: '127.0.0.1', port: redis.port });
    onTestFinished(() => operator.disconnect());
    await operator.client('KILL', 'TYPE', 'pubsub');
    await exporter.untilMetrics(
      (scrape) =>
        scrape.sum('coturn_exporter_source_disconnects_total') === 1 &&
        scrape.sum('coturn_up') === 1,
      { what: 'the exporter to reconnect', timeoutMs: RECONNECT_MS },
    );
    await publisher.relay(ALLOCATION, 23);
    const metrics = await exporter.untilMetrics(
      (scrape) => scrape.sum('coturn_peer_sent_bytes_total') === 123,
      { what: 'the bytes after the drop' },
    );
    expect(metrics.value('coturn_user_sessions', { user: 'alice' })).toBe(1);
    expect(metrics.value('coturn_exporter_users')).toBe(1);
    expect(metrics.sum('coturn_allocations_created_total')).toBe(1);
    expect(exporter.records).toEqual([]);
  }, 40_000);
});

describe('one Redis of two that is away', () => {
  it('is the one that /readyz names, while the other is heard', async () => {
    const here = await startRedisServer(onTestFinished);
    const away = await prepareRedisServer(onTestFinished);
    const exporter = launchExporter(onTestFinished, {
      args: [
        ...['--redis.url', `redis://127.0.0.1:${here.port}/0#redis-here`],
        ...['--redis.url', `redis://127.0.0.1:${away.port}/0#redis-away`],
      ],
    });
    await exporter.listening();
    await exporter.untilMetrics((scrape) => scrape.sum('coturn_up') === 1, {
      what: 'one source to be up',
    });
    const publisher = connectStatsPublisher(onTestFinished, { port: here.port, database: 0 });
    await publisher.begin(ALLOCATION);
    await publisher.relay(ALLOCATION, 100);
    const metrics = await exporter.untilMetrics(
      (scrape) => scrape.sum('coturn_peer_sent_bytes_total') === 100,
      { what: 'the bytes of the other' },
    );
    expect(metrics.value('coturn_up', { source: 'redis-here' })).toBe(1);
    expect(metrics.value('coturn_up', { source: 'redis-away' })).toBe(0);
    const { status, body } = await exporter.get('/readyz');
    expect(status).toBe(503);
    expect(body).toMatch(/^not ready: redis-away\b/m);
    expect(body).not.toMatch(/^not ready: redis-here\b/m);
  });
});

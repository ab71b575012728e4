import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { startExporter } from '../support/exporter-process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { connectStatsPublisher } from '../support/stats-publisher.ts';
import { until } from '../support/until.ts';

const DEAF_MS = 2_000;

it('an exporter that was stopped, and cut off meanwhile, tells how long it was deaf', async () => {
  const { port } = await startRedisServer(onTestFinished);
  const exporter = await startExporter(onTestFinished, {
    args: ['--redis.url', `redis://127.0.0.1:${port}/0#main`],
  });
  const redis = new Redis({ port });
  onTestFinished(() => redis.disconnect());
  const publisher = connectStatsPublisher(onTestFinished, { port, database: 0 });
  const allocation = { realm: 'r', username: 'alice', id: '001000000000000001' };
  await publisher.begin(allocation);
  await exporter.untilMetrics((scrape) => scrape.sum('coturn_allocations') === 1, {
    what: 'the allocation',
  });

  exporter.process.kill('SIGSTOP');
  const stoppedAt = Date.now();
  // What it had not read when it was stopped still comes, and is no sign of life.
  await publisher.relay(allocation, 100);
  await redis.client('KILL', 'TYPE', 'pubsub');
  await until(() => Date.now() - stoppedAt, {
    what: 'the time to pass',
    isDone: (ms) => ms >= DEAF_MS,
  });
  exporter.process.kill('SIGCONT');
  const metrics = await exporter.untilMetrics(
    (scrape) =>
      scrape.sum('coturn_exporter_source_disconnects_total') === 1 && scrape.sum('coturn_up') === 1,
    { what: 'the new subscription' },
  );
  const gapSeconds = metrics.value('coturn_exporter_source_gap_seconds_total', { source: 'main' });
  expect(gapSeconds).toBeGreaterThanOrEqual(DEAF_MS / 1000);
  await publisher.end(allocation);
  const [record] = await exporter.untilRecords(1);
  expect(record?.['gap_seconds']).toBeGreaterThanOrEqual(DEAF_MS / 1000);
  expect(record).toMatchObject({ complete: false });
});

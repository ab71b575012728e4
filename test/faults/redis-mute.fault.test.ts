import { describe, expect, it } from 'vitest';
import { startExporter } from '../support/exporter-process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

/** As long as a stalled subscription may take to be noticed. */
const NOTICED_MS = 30_000;

// Both do nothing but wait for a time-out of the exporter's; at the same time, they wait once.
describe.concurrent('a connection that is accepted and never answered', () => {
  it('is given up by the subscriber, which gets through at a later attempt', async ({
    onTestFinished,
  }) => {
    const redis = await startRedisServer(onTestFinished);
    const proxy = await startTcpProxy(onTestFinished, { port: redis.port });
    const exporter = await startExporter(onTestFinished, {
      args: ['--redis.url', `redis://127.0.0.1:${proxy.port}/0`],
    });
    proxy.holdNext(1);
    proxy.cut();
    const metrics = await exporter.untilMetrics(
      (seen) =>
        seen.sum('coturn_exporter_source_disconnects_total') === 1 && seen.sum('coturn_up') === 1,
      { what: 'the exporter to be back', timeoutMs: NOTICED_MS },
    );
    expect(metrics.sum('coturn_exporter_source_gap_seconds_total')).toBeGreaterThan(1);
  }, 60_000);
});

describe.concurrent('a reading of the status keys that is never answered', () => {
  it('is given up, and later ones come to their end', async ({ onTestFinished }) => {
    const redis = await startRedisServer(onTestFinished);
    const proxy = await startTcpProxy(onTestFinished, { port: redis.port });
    const exporter = await startExporter(onTestFinished, {
      args: [
        ...['--redis.url', `redis://127.0.0.1:${proxy.port}/0`],
        ...['--redis.resync-interval', '1s'],
      ],
    });
    const before = await exporter.untilMetrics(
      (seen) => seen.sum('coturn_exporter_resyncs_total') > 0,
      { what: 'the first resync' },
    );
    const taken = proxy.taken;
    proxy.holdNext(1);
    const after = await exporter.untilMetrics(
      (seen) =>
        proxy.taken > taken &&
        seen.sum('coturn_exporter_resyncs_total') >=
          before.sum('coturn_exporter_resyncs_total') + 2,
      { what: 'further resyncs', timeoutMs: NOTICED_MS },
    );
    expect(after.sum('coturn_up')).toBe(1);
    expect(after.sum('coturn_exporter_source_disconnects_total')).toBe(0);
  }, 60_000);
});

import { describe, expect, it, onTestFinished } from 'vitest';
import { startExporter } from '../support/exporter-process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { countersOf, ScriptedCoturn, sumsOf } from '../support/scripted-coturn.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

describe('a status key that is read before its message arrives', () => {
  it('and the message are one allocation and one session', async () => {
    const redis = await startRedisServer(onTestFinished);
    const proxy = await startTcpProxy(onTestFinished, { port: redis.port });
    const exporter = await startExporter(onTestFinished, {
      args: [
        ...['--redis.url', `redis://127.0.0.1:${proxy.port}/0`],
        ...['--redis.resync-interval', '1s'],
      ],
    });
    const coturn = new ScriptedCoturn(onTestFinished, { port: redis.port });
    await coturn.connected();
    await exporter.untilMetrics((metrics) => metrics.sum('coturn_exporter_resyncs_total') > 0, {
      what: 'the first resync',
    });
    // The subscription stalls; the next resync has a connection of its own.
    proxy.hold();
    const allocation = coturn.begin('alice');
    coturn.relay(allocation, 1000);
    await exporter.untilMetrics((metrics) => metrics.sum('coturn_allocations') === 1, {
      what: 'the key to be found',
    });
    proxy.release();
    await exporter.untilMetrics((metrics) => countersOf([metrics]).sent_bytes === 2000, {
      what: 'the held messages',
    });
    coturn.relay(allocation, 30);
    coturn.end(allocation);
    const metrics = await exporter.untilMetrics(
      (seen) => seen.sum('coturn_sessions_finished_total') > 0 && seen.sum('coturn_sessions') === 0,
      { what: 'the session to finish' },
    );
    expect(metrics.sum('coturn_allocations_closed_total', { reason: 'superseded' })).toBe(0);
    expect(metrics.sum('coturn_allocations_created_total')).toBe(1);
    expect(countersOf([metrics])).toEqual(sumsOf([allocation]));
    await exporter.stop();
    expect(exporter.records).toEqual([
      expect.objectContaining({ ...sumsOf([allocation]), reason: 'deleted', complete: true }),
    ]);
  }, 60_000);
});

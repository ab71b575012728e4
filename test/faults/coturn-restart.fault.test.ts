import { describe, expect, it, onTestFinished } from 'vitest';
import { startExporter } from '../support/exporter-process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { countersOf, recordSums, ScriptedCoturn, sumsOf } from '../support/scripted-coturn.ts';
import { startTurnClient } from '../support/turn-client.ts';
import { startTurnServer } from '../support/turn-server.ts';
import { until } from '../support/until.ts';

describe.each(['SIGTERM', 'SIGKILL'] as const)(
  'a real coturn that ends by %s amid a call',
  (signal) => {
    it('takes what it had not reported with it; the next one with its ids supersedes it', async () => {
      const redis = await startRedisServer(onTestFinished);
      const exporter = await startExporter(onTestFinished, {
        args: [
          ...['--redis.url', `redis://127.0.0.1:${redis.port}/0`],
          ...['--redis.resync-interval', '1s'],
        ],
      });
      const server = () =>
        startTurnServer(onTestFinished, {
          realm: 'example.org',
          users: { alice: 'secret' },
          statsdb: { port: redis.port, database: 0 },
          extraLines: ['relay-threads=1'],
        });
      const call = (turn: { readonly address: string; readonly port: number }) =>
        startTurnClient(onTestFinished, {
          server: turn,
          username: 'alice',
          password: 'secret',
          transport: 'tcp',
          // So many that their ids meet those of the next life: a server that is slow to answer has
          // given ids to those who asked whether it is up.
          clients: 8,
          messages: 100_000,
          packetIntervalMs: 4,
        });
      const first = await server();
      const client = call(first);
      await exporter.untilMetrics((metrics) => metrics.sum('coturn_peer_sent_bytes_total') > 0, {
        what: 'bytes of the call',
        timeoutMs: 20_000,
      });
      await first.stop(signal);
      await client.stop();
      const heard = await exporter.metrics();
      // uclient's first allocation, a probe, has ended in good order.
      const closed = heard.sum('coturn_allocations_closed_total');
      const live = heard.sum('coturn_allocations_created_total') - closed;
      expect(live).toBe(8);

      const second = await server();
      // Its start has deleted the keys: what lived is suspect, and nothing more than that.
      const suspected = await exporter.untilMetrics(
        (metrics) => metrics.sum('coturn_allocations') === 0,
        { what: 'the resync to miss the keys' },
      );
      expect(suspected.sum('coturn_allocations_closed_total')).toBe(closed);
      expect(exporter.records).toEqual([]);
      const next = call(second);
      await exporter.untilMetrics(
        (seen) => seen.sum('coturn_allocations_closed_total', { reason: 'superseded' }) > 0,
        { what: 'an old allocation to be superseded' },
      );
      await next.stop();
      const after = await exporter.untilMetrics((seen) => seen.sum('coturn_sessions') === 0, {
        what: 'all sessions to finish',
        timeoutMs: 20_000,
      });
      await exporter.stop();
      expect(countersOf([after])).toEqual(recordSums(exporter.records));
      expect(after.sum('coturn_peer_sent_bytes_total')).toBeGreaterThanOrEqual(
        heard.sum('coturn_peer_sent_bytes_total'),
      );
      expect(exporter.records.some((record) => record['complete'] === false)).toBe(true);
      const ids = exporter.records.map(({ session_id }) => session_id);
      expect(new Set(ids).size).toBe(ids.length);
    }, 60_000);
  },
);

describe('a coturn whose ids begin at 1 again', () => {
  it('ends the old session with what was reported, and the new one is exact', async () => {
    const redis = await startRedisServer(onTestFinished);
    const exporter = await startExporter(onTestFinished, {
      args: ['--redis.url', `redis://127.0.0.1:${redis.port}/0`],
    });
    const coturn = new ScriptedCoturn(onTestFinished, { port: redis.port });
    await coturn.connected();
    const old = coturn.begin('alice');
    coturn.relay(old, 1000);
    await coturn.said();
    await coturn.restart();
    const fresh = coturn.begin('alice');
    expect(fresh.id).toBe(old.id);
    coturn.relay(fresh, 70);
    coturn.end(fresh);
    const records = await exporter.untilRecords(2);
    expect(records).toHaveLength(2);
    expect(records).toContainEqual(
      expect.objectContaining({ ...sumsOf([old]), reason: 'superseded', complete: false }),
    );
    expect(records).toContainEqual(
      expect.objectContaining({ ...sumsOf([fresh]), reason: 'deleted', complete: true }),
    );
    const metrics = await exporter.metrics();
    expect(countersOf([metrics])).toEqual(sumsOf([old, fresh]));
    expect(metrics.sum('coturn_exporter_missed_bytes_total')).toBe(0);
    expect(metrics.sum('coturn_exporter_allocation_collisions_total')).toBe(0);
  }, 60_000);
});

describe('a coturn that starts beside another one', () => {
  it('deletes the keys of both, and closes nothing', async () => {
    const redis = await startRedisServer(onTestFinished);
    const exporter = await startExporter(onTestFinished, {
      args: [
        ...['--redis.url', `redis://127.0.0.1:${redis.port}/0`],
        ...['--redis.resync-interval', '1s'],
      ],
    });
    const here = new ScriptedCoturn(onTestFinished, { port: redis.port });
    const there = new ScriptedCoturn(onTestFinished, {
      port: redis.port,
      realm: 'example.net',
      local: '127.0.0.2:3478',
    });
    await here.connected();
    await there.connected();
    const allocation = here.begin('alice');
    here.relay(allocation, 1000);
    const resyncs = (await exporter.metrics()).sum('coturn_exporter_resyncs_total');
    await exporter.untilMetrics(
      (metrics) => metrics.sum('coturn_exporter_resyncs_total') >= resyncs + 2,
      { what: 'resyncs that find the key' },
    );
    await there.restart();
    const suspected = await exporter.untilMetrics(
      (metrics) => metrics.sum('coturn_allocations') === 0,
      { what: 'the resync to miss the key' },
    );
    expect(suspected.sum('coturn_sessions')).toBe(0);
    expect(suspected.sum('coturn_allocations_closed_total')).toBe(0);
    here.refresh(allocation);
    await exporter.untilMetrics((metrics) => metrics.sum('coturn_allocations') === 1, {
      what: 'a sign of life to clear the suspicion',
    });
    here.relay(allocation, 5);
    here.end(allocation);
    const [record] = await exporter.untilRecords(1);
    expect(record).toMatchObject({ ...sumsOf([allocation]), reason: 'deleted', complete: true });
    const metrics = await until(() => exporter.metrics(), {
      what: 'the counters',
      isDone: (seen) => seen.sum('coturn_sessions_finished_total') === 1,
    });
    expect(countersOf([metrics])).toEqual(sumsOf([allocation]));
    expect(metrics.sum('coturn_allocations_created_total')).toBe(1);
    expect(metrics.sum('coturn_exporter_source_wrong_database')).toBe(0);
  }, 60_000);
});

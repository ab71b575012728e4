import { describe, expect, it, onTestFinished } from 'vitest';
import { startExporter } from '../support/exporter-process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import {
  countersOf,
  type ScriptedAllocation,
  ScriptedCoturn,
  sumsOf,
} from '../support/scripted-coturn.ts';
import { until } from '../support/until.ts';

describe('the number of another database', () => {
  it('is found out and warned of, and missing keys mean nothing then', async () => {
    const redis = await startRedisServer(onTestFinished);
    const exporter = await startExporter(onTestFinished, {
      args: [
        ...['--redis.url', `redis://127.0.0.1:${redis.port}/1#redis`],
        ...['--redis.resync-interval', '1s'],
      ],
    });
    const coturn = new ScriptedCoturn(onTestFinished, { port: redis.port, database: 0 });
    await coturn.connected();
    // A call begins now and then, as in life: each is evidence for one scan.
    const allocations: ScriptedAllocation[] = [];
    const metrics = await until(
      async () => {
        const seen = await exporter.metrics();
        const resyncs = seen.sum('coturn_exporter_resyncs_total');
        if (allocations.length < resyncs) {
          const allocation = coturn.begin(`user${allocations.length}`);
          coturn.relay(allocation, 100);
          allocations.push(allocation);
        }
        return seen;
      },
      {
        what: 'the database to be found wrong',
        timeoutMs: 20_000,
        isDone: (seen) => seen.sum('coturn_exporter_source_wrong_database') === 1,
        show: ({ text }) => text,
      },
    );
    const warning = /database number in --redis\.url is probably not the dbname/;
    await until(() => exporter.log, {
      what: 'the warning',
      isDone: (log) => log.some(({ level, msg }) => level === 'warn' && warning.test(String(msg))),
    });
    const resyncs = metrics.sum('coturn_exporter_resyncs_total');
    const later = await exporter.untilMetrics(
      (seen) => seen.sum('coturn_exporter_resyncs_total') >= resyncs + 2,
      { what: 'two more resyncs' },
    );
    expect(later.sum('coturn_allocations')).toBe(allocations.length);
    expect(later.sum('coturn_allocations_closed_total')).toBe(0);
    expect(exporter.log.filter(({ msg }) => warning.test(String(msg)))).toHaveLength(1);
    for (const allocation of allocations) coturn.end(allocation);
    const records = await exporter.untilRecords(allocations.length);
    expect(records.every((record) => record['complete'] === true)).toBe(true);
    expect(countersOf([await exporter.metrics()])).toEqual(sumsOf(allocations));
  }, 60_000);
});

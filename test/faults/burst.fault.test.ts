import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startExporter } from '../support/exporter-process.ts';
import { readJsonLines } from '../support/json-lines.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { countersOf, recordSums, ScriptedCoturn, sumsOf } from '../support/scripted-coturn.ts';
import { createTempFolder } from '../support/temp-folder.ts';

const SESSIONS = 10_000;

describe('ten thousand sessions that end at once', () => {
  it('have one exact record each', async () => {
    const file = join(createTempFolder(onTestFinished), 'records.jsonl');
    const redis = await startRedisServer(onTestFinished);
    const exporter = await startExporter(onTestFinished, {
      args: ['--redis.url', `redis://127.0.0.1:${redis.port}/0`, '--records.file', file],
    });
    const coturn = new ScriptedCoturn(onTestFinished, { port: redis.port });
    await coturn.connected();
    const allocations = Array.from({ length: SESSIONS }, (_, index) => {
      const allocation = coturn.begin(`user${index}`);
      coturn.relay(allocation, 1 + index);
      return allocation;
    });
    await exporter.untilMetrics((metrics) => metrics.sum('coturn_sessions') === SESSIONS, {
      what: 'all sessions to live',
      timeoutMs: 30_000,
    });
    for (const allocation of allocations) coturn.end(allocation);
    await coturn.said();
    const metrics = await exporter.untilMetrics(
      (seen) => seen.sum('coturn_exporter_records_total', { result: 'written' }) === SESSIONS,
      { what: 'all records', timeoutMs: 30_000 },
    );
    expect(countersOf([metrics])).toEqual(sumsOf(allocations));
    expect(metrics.sum('coturn_exporter_missed_bytes_total')).toBe(0);
    expect(metrics.sum('coturn_exporter_users')).toBe(0);
    expect(metrics.sum('coturn_session_duration_seconds_count')).toBe(SESSIONS);
    await exporter.stop();
    const records = readJsonLines(file);
    expect(records).toHaveLength(SESSIONS);
    expect(new Set(records.map((record) => record['session_id'])).size).toBe(SESSIONS);
    const byUser = new Map(records.map((record) => [record['username'], record]));
    const wrong = allocations.filter((allocation) => {
      const record = byUser.get(allocation.username);
      const isExact =
        record !== undefined &&
        record['complete'] === true &&
        JSON.stringify(recordSums([record])) === JSON.stringify(sumsOf([allocation]));
      return !isExact;
    });
    expect(wrong).toEqual([]);
  }, 60_000);
});

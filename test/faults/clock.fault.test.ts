import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import { readJsonLines } from '../support/json-lines.ts';
import { createLeapingClock, type LeapingClock } from '../support/leaping-clock.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { countersOf, ScriptedCoturn, sumsOf } from '../support/scripted-coturn.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** No test takes this long. */
const TEST_MS = 40_000;

interface Scene {
  readonly clock: LeapingClock;
  readonly coturn: ScriptedCoturn;
  readonly recordsFile: string;
  start(): Promise<ExporterProcess>;
}

async function openScene(): Promise<Scene> {
  const clock = createLeapingClock(onTestFinished);
  const redis = await startRedisServer(onTestFinished);
  const folder = createTempFolder(onTestFinished);
  const recordsFile = join(folder, 'records.jsonl');
  const coturn = new ScriptedCoturn(onTestFinished, { port: redis.port });
  await coturn.connected();
  return {
    clock,
    coturn,
    recordsFile,
    start: () =>
      startExporter(onTestFinished, {
        env: clock.env,
        args: [
          ...['--redis.url', `redis://127.0.0.1:${redis.port}/0#redis`],
          ...['--records.file', recordsFile],
          ...['--state.file', join(folder, 'state'), '--state.interval', '1s'],
        ],
      }),
  };
}

function untilHeard(exporter: ExporterProcess, sentBytes: number): Promise<unknown> {
  return exporter.untilMetrics((metrics) => countersOf([metrics]).sent_bytes === sentBytes, {
    what: 'everything to be heard',
  });
}

async function onlyRecord(recordsFile: string): Promise<Record<string, unknown>> {
  const records = await until(() => readJsonLines(recordsFile), {
    what: 'the record',
    isDone: (found) => found.length > 0,
  });
  expect(records).toHaveLength(1);
  return records[0] ?? {};
}

function timeOf(record: Record<string, unknown>, field: string): number {
  return Date.parse(String(record[field]));
}

describe.each([
  { name: 'forward', aheadMs: 26 * HOUR_MS },
  { name: 'back', aheadMs: -26 * HOUR_MS },
])('a clock that is set $name while sessions live', ({ aheadMs }) => {
  it('changes no duration, ends nothing, and dates the whole record by the new clock', async () => {
    const { clock, coturn, recordsFile, start } = await openScene();
    const exporter = await start();
    const beganMs = Date.now();
    const allocation = coturn.begin('alice');
    coturn.relay(allocation, 1000);
    await untilHeard(exporter, 2000);
    clock.leap(exporter.process, aheadMs);
    const leapt = await exporter.untilMetrics(
      (metrics) =>
        Math.abs(metrics.sum('coturn_user_session_start_time_seconds') * 1000 - beganMs - aheadMs) <
        TEST_MS,
      { what: 'the clock to have leapt' },
    );
    expect(leapt.sum('coturn_sessions')).toBe(1);
    expect(leapt.sum('coturn_allocations_closed_total')).toBe(0);
    coturn.relay(allocation, 30);
    coturn.end(allocation);
    const record = await onlyRecord(recordsFile);
    expect(record).toMatchObject({
      ...sumsOf([allocation]),
      reason: 'deleted',
      complete: true,
      start_known: true,
    });
    const seconds = Number(record['duration_seconds']);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThan(TEST_MS / 1000);
    expect(timeOf(record, 'end') - timeOf(record, 'start')).toBeCloseTo(seconds * 1000, -1);
    expect(Math.abs(timeOf(record, 'start') - beganMs - aheadMs)).toBeLessThan(TEST_MS);
    expect(Math.abs(timeOf(record, 'time') - beganMs - aheadMs)).toBeLessThan(TEST_MS);
    expect(countersOf([await exporter.metrics()])).toEqual(sumsOf([allocation]));
  }, 60_000);
});

describe('an exporter that is away for longer than a lifetime', () => {
  it('goes on with sessions that are alive, each with one record', async () => {
    const { clock, coturn, recordsFile, start } = await openScene();
    const first = await start();
    const allocation = coturn.begin('alice');
    coturn.relay(allocation, 1000);
    await untilHeard(first, 2000);
    await first.stop();
    // The key lives, and its client refreshes all the time: nobody is there to hear it.
    clock.set(20 * MINUTE_MS);
    coturn.relay(allocation, 200);
    coturn.refresh(allocation);
    const second = await start();
    // Time for it to be taken for expired.
    await second.untilMetrics((metrics) => metrics.sum('coturn_exporter_state_saves_total') >= 2, {
      what: 'two seconds to pass',
    });
    coturn.relay(allocation, 30);
    coturn.end(allocation);
    const record = await onlyRecord(recordsFile);
    expect(record).toMatchObject({
      ...sumsOf([allocation]),
      reason: 'deleted',
      complete: true,
      start_known: true,
    });
    expect(Number(record['duration_seconds'])).toBeGreaterThan(20 * 60);
  }, 60_000);
});

describe('a clock that is set back while the exporter is away', () => {
  it('makes no session that ends before it began', async () => {
    const { clock, coturn, recordsFile, start } = await openScene();
    const first = await start();
    const allocation = coturn.begin('alice');
    coturn.relay(allocation, 1000);
    await untilHeard(first, 2000);
    await first.stop();
    clock.set(-HOUR_MS);
    const second = await start();
    coturn.relay(allocation, 30);
    coturn.end(allocation);
    const record = await onlyRecord(recordsFile);
    expect(record).toMatchObject({ ...sumsOf([allocation]), complete: true });
    expect(timeOf(record, 'end')).toBeGreaterThanOrEqual(timeOf(record, 'start'));
    expect(Number(record['duration_seconds'])).toBeGreaterThanOrEqual(0);
    await second.stop();
  }, 60_000);
});

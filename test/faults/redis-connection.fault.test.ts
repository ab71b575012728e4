import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Defer } from '../support/cleanup.ts';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import type { Exposition } from '../support/exposition.ts';
import { startRedisServer } from '../support/redis-server.ts';
import {
  BYTES_IN_ALL,
  countersOf,
  type ScriptedAllocation,
  ScriptedCoturn,
  sumsOf,
} from '../support/scripted-coturn.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

/** Two unanswered PINGs, 10 s apart, and the first retry. */
const STALL_NOTICED_MS = 25_000;

interface Scene {
  readonly redisPort: number;
  readonly proxy: TcpProxy;
  readonly exporter: ExporterProcess;
  readonly coturn: ScriptedCoturn;
  /** Live and heard: 1000 bytes each. */
  readonly allocations: readonly ScriptedAllocation[];
}

async function openScene(defer: Defer, args: readonly string[] = []): Promise<Scene> {
  const redis = await startRedisServer(defer);
  const proxy = await startTcpProxy(defer, { port: redis.port });
  const exporter = await startExporter(defer, {
    args: ['--redis.url', `redis://127.0.0.1:${proxy.port}/0`, ...args],
  });
  const coturn = new ScriptedCoturn(defer, { port: redis.port });
  await coturn.connected();
  const allocations = ['alice', 'bob'].map((user) => coturn.begin(user));
  for (const allocation of allocations) coturn.relay(allocation, 1000);
  await exporter.untilMetrics((metrics) => countersOf([metrics]).sent_bytes === 4000, {
    what: 'all bytes before the fault',
  });
  return { redisPort: redis.port, proxy, exporter, coturn, allocations };
}

function isBack(metrics: Exposition): boolean {
  return (
    metrics.sum('coturn_exporter_source_disconnects_total') === 1 && metrics.sum('coturn_up') === 1
  );
}

/** Everybody relays a last packet and hangs up; nothing of the fault is left to be seen then. */
async function expectRepaired(scene: Scene, lostBytes: number): Promise<void> {
  const { coturn, exporter, allocations } = scene;
  for (const allocation of allocations) {
    coturn.relay(allocation, 30);
    coturn.end(allocation);
  }
  const records = await exporter.untilRecords(allocations.length);
  for (const allocation of allocations) {
    expect(records.filter(({ username }) => username === allocation.username)).toEqual([
      expect.objectContaining({
        ...sumsOf([allocation]),
        reason: 'deleted',
        complete: true,
        start_known: true,
      }),
    ]);
  }
  const after = await exporter.metrics();
  expect(countersOf([after])).toEqual(sumsOf(allocations));
  expect(after.sum('coturn_exporter_missed_bytes_total')).toBe(lostBytes * BYTES_IN_ALL);
  expect(after.sum('coturn_allocations_created_total')).toBe(allocations.length);
  expect(exporter.records).toHaveLength(allocations.length);
}

describe('a connection to Redis that breaks', () => {
  it('costs nothing of what lives on', async () => {
    const scene = await openScene(onTestFinished);
    const { proxy, coturn, exporter, allocations } = scene;
    proxy.hold();
    for (const allocation of allocations) coturn.relay(allocation, 200);
    await coturn.said();
    proxy.cut();
    const metrics = await exporter.untilMetrics(isBack, { what: 'the exporter to be back' });
    expect(metrics.sum('coturn_exporter_source_gap_seconds_total')).toBeGreaterThan(0);
    expect(metrics.sum('coturn_exporter_source_gap_seconds_total')).toBeLessThan(5);
    await expectRepaired(scene, 2 * 200);
  }, 60_000);
});

describe('a connection to Redis that stalls', () => {
  it('is noticed and made anew, and the gap reaches back to the last sign of life', async () => {
    const scene = await openScene(onTestFinished);
    const { proxy, coturn, exporter, allocations } = scene;
    proxy.hold();
    const heldMs = Date.now();
    for (const allocation of allocations) coturn.relay(allocation, 200);
    const metrics = await exporter.untilMetrics(isBack, {
      what: 'the stall to be noticed',
      timeoutMs: STALL_NOTICED_MS,
    });
    const deafSeconds = (Date.now() - heldMs) / 1000;
    await expectRepaired(scene, 2 * 200);
    const gapSeconds = metrics.sum('coturn_exporter_source_gap_seconds_total');
    expect(gapSeconds).toBeGreaterThan(deafSeconds - 2);
    expect(gapSeconds).toBeLessThan(deafSeconds + 11);
  }, 60_000);
});

describe('a subscriber that Redis disconnects for its output buffer', () => {
  it('hears what was on its way, then subscribes again, and totals repair the rest', async () => {
    const scene = await openScene(onTestFinished);
    const { redisPort, proxy, coturn, exporter, allocations } = scene;
    const operator = new Redis({ host: '127.0.0.1', port: redisPort });
    onTestFinished(() => operator.disconnect());
    await operator.config('SET', 'client-output-buffer-limit', 'pubsub 64kb 64kb 1');
    proxy.stopReading();
    let published = allocations.length;
    for (;;) {
      for (let count = 0; count < 1000; count += 1) {
        for (const allocation of allocations) coturn.relay(allocation, 7);
      }
      published += 1000 * allocations.length;
      await coturn.said();
      if (String(await operator.call('CLIENT', 'LIST', 'TYPE', 'pubsub')) === '') break;
      if (published > 400_000) throw new Error('Redis never disconnected its subscriber');
    }
    proxy.release();
    await exporter.untilMetrics(isBack, { what: 'the exporter to be back' });
    const metrics = await exporter.metrics();
    // The cut may fall between the two reports of a packet.
    const unheard = ['traffic', 'traffic_peer'].map(
      (event) => published - metrics.sum('coturn_exporter_events_total', { event }),
    );
    const unheardHalves = (unheard[0] ?? 0) + (unheard[1] ?? 0);
    expect(unheardHalves).toBeGreaterThan(0);
    await expectRepaired(scene, (unheardHalves * 7) / 2);
  }, 60_000);
});

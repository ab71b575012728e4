import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../src/simulator/random.ts';
import { startFleet } from '../../src/simulator/run-simulation.ts';
import { createCleanup, type Defer } from '../support/cleanup.ts';
import { startExporter } from '../support/exporter-process.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';
import { FAULTS, type FaultScene, type Victim } from './soak-faults.ts';
import { watchTruth } from './soak-truth.ts';
import { judge } from './soak-verdict.ts';

/**
 * A fleet and two exporters on one Redis while faults happen: does every session whose totals
 * arrived have its exact record, and does memory stay flat? Exit code 0 says that both are so.
 */
const {
  SOAK_SECONDS = '600',
  SOAK_FAULT_SECONDS = '20',
  SOAK_EVENTS_PER_SECOND = '5000',
  SOAK_SEED = '1',
} = process.env;

const STATE_INTERVAL_MS = 2000;
const SAMPLE_MS = 2000;
/** Users enough that each makes one call only: 5,000 events are some 150 calls. */
const USERS = 300_000;
/**
 * Memory that may come after the warm-up. Sessions whose end was lost in a gap live on until their
 * lifetime is over, longer than a soak of ten minutes takes.
 */
const GROWTH_BYTES = 64 * 1024 * 1024;

const FLEET = {
  servers: 4,
  flavours: ['4.6.1', '4.17.1'],
  users: USERS,
  arrivalRate: 100,
  callLengthSeconds: 20,
  noiseRate: 5,
  crashRate: 6,
  abandonedShare: 0.01,
} as const;

async function startVictim(
  defer: Defer,
  { url, folder, state }: { url: string; folder: string; state: boolean },
): Promise<Victim & { readonly recordsFile: string }> {
  const recordsFile = join(folder, 'records.jsonl');
  const stateFlags = ['--state.file', join(folder, 'state'), '--state.interval', '2s'];
  const start = () =>
    startExporter(defer, {
      args: [
        ...['--redis.url', url, '--redis.resync-interval', '5s'],
        ...['--records.file', recordsFile],
        ...(state ? stateFlags : []),
      ],
    });
  return { exporter: await start(), deaf: [], start, recordsFile };
}

/** Resident memory of an exporter, in bytes, every other second until told to stop. */
function watchMemory(victim: Victim): { readonly stop: () => Promise<number[]> } {
  const samples: number[] = [];
  const ending = new AbortController();
  const sampling = (async () => {
    while (!ending.signal.aborted) {
      const metrics = await victim.exporter.metrics();
      samples.push(metrics.sum('process_resident_memory_bytes'));
      await sleep(SAMPLE_MS);
    }
  })();
  return {
    async stop() {
      ending.abort();
      await sampling;
      return samples;
    },
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? 0;
}

/** A random fault every so often, until `endMs`; each of them before any comes again. */
async function harm(scene: FaultScene, { endMs, random }: { endMs: number; random: Random }) {
  let waiting: string[] = [];
  for (;;) {
    const dueMs = performance.now() + Number(SOAK_FAULT_SECONDS) * 1000;
    if (dueMs > endMs) return;
    await sleep(dueMs - performance.now());
    if (waiting.length === 0) waiting = Object.keys(FAULTS);
    const name = random.pick(waiting);
    waiting = waiting.filter((other) => other !== name);
    const startedMs = performance.now();
    await FAULTS[name]?.(scene);
    say({ fault: name, seconds: seconds(performance.now() - startedMs) });
  }
}

async function soak(defer: Defer): Promise<boolean> {
  const durationMs = Number(SOAK_SECONDS) * 1000;
  const seed = Number(SOAK_SEED);
  const redis = await startRedisServer(defer);
  const proxy = await startTcpProxy(defer, { port: redis.port });
  const folders = [createTempFolder(defer), createTempFolder(defer)] as const;
  const restarted = await startVictim(defer, {
    url: `redis://127.0.0.1:${proxy.port}/0#redis`,
    folder: folders[0],
    state: true,
  });
  const lasting = await startVictim(defer, {
    url: `redis://127.0.0.1:${redis.port}/0#redis`,
    folder: folders[1],
    state: false,
  });
  const running = await startFleet({
    target: { kind: 'redis', address: { host: '127.0.0.1', port: redis.port }, db: 0 },
    options: { ...FLEET, seed },
    pace: { speed: 1, eventsPerSecond: Number(SOAK_EVENTS_PER_SECOND), durationMs },
  });
  const truth = watchTruth(running);
  const memory = watchMemory(lasting);
  const scene = { redis, proxy, restarted, lasting, stateIntervalMs: STATE_INTERVAL_MS };
  const startedMs = performance.now();
  // The last fault is over when everybody hangs up.
  await harm(scene, { endMs: startedMs + durationMs - 5000, random: new Random(seed) });
  const published = await running.done;
  const tookMs = performance.now() - startedMs;
  for (const { exporter } of [restarted, lasting]) await untilIdle(exporter);
  const samples = await memory.stop();
  for (const { exporter } of [restarted, lasting]) await exporter.stop();

  const events = Object.values(published.events).reduce((sum, count) => sum + count, 0);
  say({ seconds: seconds(tookMs), events, ...published.calls, ...running.losses() });
  const verdicts = [restarted, lasting].map(({ recordsFile, deaf }) =>
    judge(recordsFile, { truth, deaf }),
  );
  for (const verdict of verdicts) say(verdict);
  const warm = median(samples.slice(samples.length * 0.25, samples.length * 0.45));
  const last = median(samples.slice(samples.length * 0.8));
  say({ rssWarmBytes: warm, rssLastBytes: last, boundBytes: GROWTH_BYTES });
  return verdicts.every(({ faults }) => faults.length === 0) && last - warm <= GROWTH_BYTES;
}

/** Waits until an exporter has nothing left to write or to finish. */
async function untilIdle(exporter: Victim['exporter']): Promise<void> {
  let finished = -1;
  let sinceMs = performance.now();
  await until(
    async () => {
      const metrics = await exporter.metrics();
      const now = metrics.sum('coturn_sessions_finished_total');
      if (now !== finished) sinceMs = performance.now();
      finished = now;
      return (
        metrics.sum('coturn_exporter_records_queued') + (performance.now() - sinceMs < 3000 ? 1 : 0)
      );
    },
    { what: 'the last records', timeoutMs: 60_000, isDone: (busy) => busy === 0 },
  );
}

function seconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}

function say(fields: object): void {
  process.stdout.write(`${JSON.stringify(fields)}\n`);
}

const cleanup = createCleanup();
try {
  const isFine = await soak(cleanup.defer);
  say({ passed: isFine });
  process.exitCode = isFine ? 0 : 1;
} finally {
  await cleanup.run();
}

import { Redis } from 'ioredis';
import type { ExporterProcess } from '../support/exporter-process.ts';
import type { RedisServer } from '../support/redis-server.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

/** When an exporter could not hear, or forgot what it had heard; of `performance.now()`. */
export interface Deafness {
  readonly fault: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** An exporter under the faults, and its successors. */
export interface Victim {
  exporter: ExporterProcess;
  readonly deaf: Deafness[];
  /** Begins the next process, once the last one has ended. */
  readonly start: () => Promise<ExporterProcess>;
}

export interface FaultScene {
  readonly redis: RedisServer;
  /** Between the restarted exporter and Redis. */
  readonly proxy: TcpProxy;
  /** Its processes are ended; it has a state file. */
  readonly restarted: Victim;
  /** One process from the beginning to the end. */
  readonly lasting: Victim;
  readonly stateIntervalMs: number;
}

/** Events that were on their way, and a busy machine. */
const SLACK_MS = 1000;
/** The simulator tries broken connections again at this interval, and so loses some more. */
const PUBLISHER_RETRY_MS = 1000;
const STALL_MS = 4000;
const TIMEOUT_MS = 30_000;

/** Each does its harm, waits until it is over and notes who was deaf meanwhile. */
export const FAULTS: Readonly<Record<string, (scene: FaultScene) => Promise<void>>> = {
  async 'redis restarted'({ redis, restarted, lasting }) {
    const fromMs = performance.now();
    await redis.stop();
    await redis.start();
    for (const victim of [restarted, lasting]) await untilUp(victim.exporter);
    note([restarted, lasting], 'redis restarted', { fromMs, moreMs: PUBLISHER_RETRY_MS });
  },
  async 'connection cut'({ proxy, restarted }) {
    const fromMs = performance.now();
    const before = await disconnects(restarted.exporter);
    proxy.cut();
    await untilBack(restarted.exporter, before);
    note([restarted], 'connection cut', { fromMs });
  },
  async 'connection stalled'({ proxy }) {
    proxy.hold();
    const heldMs = performance.now();
    await until(() => performance.now(), {
      what: 'the stall to pass',
      isDone: (nowMs) => nowMs - heldMs >= STALL_MS,
    });
    // What was held comes now: nobody has missed anything.
    proxy.release();
  },
  async 'subscribers killed'({ redis, restarted, lasting }) {
    const victims = [restarted, lasting];
    const before = await Promise.all(victims.map(({ exporter }) => disconnects(exporter)));
    const fromMs = performance.now();
    await asOperator(redis.port, (operator) => operator.client('KILL', 'TYPE', 'pubsub'));
    for (const [index, { exporter }] of victims.entries()) {
      await untilBack(exporter, before[index] ?? 0);
    }
    note(victims, 'subscribers killed', { fromMs });
  },
  async 'keys deleted'({ redis }) {
    await asOperator(redis.port, async (operator) => {
      const keys = await operator.keys('turn/*/allocation/*/status');
      if (keys.length > 0) await operator.del(...keys);
    });
  },
  SIGTERM: (scene) => restart(scene, 'SIGTERM'),
  SIGKILL: (scene) => restart(scene, 'SIGKILL'),
};

async function restart(
  { restarted, stateIntervalMs }: FaultScene,
  signal: 'SIGTERM' | 'SIGKILL',
): Promise<void> {
  const nowMs = performance.now();
  // What came after the last snapshot is forgotten by a process that is killed.
  const fromMs = signal === 'SIGKILL' ? nowMs - stateIntervalMs - SLACK_MS : nowMs;
  restarted.exporter.process.kill(signal);
  await restarted.exporter.process.exited;
  restarted.exporter = await restarted.start();
  note([restarted], signal, { fromMs });
}

function note(
  victims: readonly Victim[],
  fault: string,
  { fromMs, moreMs = 0 }: { readonly fromMs: number; readonly moreMs?: number },
): void {
  const toMs = performance.now() + SLACK_MS + moreMs;
  for (const { deaf } of victims) deaf.push({ fault, fromMs: fromMs - SLACK_MS, toMs });
}

function untilUp(exporter: ExporterProcess): Promise<unknown> {
  return exporter.untilMetrics((metrics) => metrics.sum('coturn_up') === 1, {
    what: 'an exporter to be up',
    timeoutMs: TIMEOUT_MS,
  });
}

function untilBack(exporter: ExporterProcess, disconnectsBefore: number): Promise<unknown> {
  return exporter.untilMetrics(
    (metrics) =>
      metrics.sum('coturn_exporter_source_disconnects_total') > disconnectsBefore &&
      metrics.sum('coturn_up') === 1,
    { what: 'an exporter to be back', timeoutMs: TIMEOUT_MS },
  );
}

async function disconnects(exporter: ExporterProcess): Promise<number> {
  return (await exporter.metrics()).sum('coturn_exporter_source_disconnects_total');
}

async function asOperator(port: number, act: (operator: Redis) => Promise<unknown>): Promise<void> {
  const operator = new Redis({ host: '127.0.0.1', port });
  try {
    await act(operator);
  } finally {
    operator.disconnect();
  }
}

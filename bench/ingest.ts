import type { ChildProcess } from 'node:child_process';
import {
  cpuSeconds,
  firstLine,
  freePort,
  median,
  startModule,
  startRedis,
  stopProcess,
} from './processes.ts';
import { publish, USERS } from './stream.ts';

const ROUNDS = 3;

/** Microseconds of processor time for each message, of one consumer in one round. */
async function measure(
  child: ChildProcess,
  feed: () => Promise<void>,
  messages: number,
): Promise<number> {
  const pid = child.pid ?? 0;
  const before = cpuSeconds(pid);
  await feed();
  const spent = cpuSeconds(pid) - before;
  return (spent / messages) * 1e6;
}

/** Ingest from Redis against a bare subscriber that only counts, in turn. */
export async function benchRedisIngest(count: number): Promise<string> {
  const bare: number[] = [];
  const exporter: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [results, module, args] of [
      [bare, './consumer-bare.ts', []],
      [exporter, './consumer-exporter.ts', ['redis']],
    ] as const) {
      const port = await freePort();
      const redis = await startRedis(port);
      const messages = USERS + count;
      const child = await startModule(module, [...args, String(port), String(messages)]);
      const done = firstLine(child, 'done');
      const feed = async (): Promise<void> => {
        await publish(port, count);
        await done;
      };
      results.push(await measure(child, feed, messages));
      await stopProcess(child);
      await stopProcess(redis);
    }
  }
  return report('ingest from Redis', {
    ours: exporter,
    peer: bare,
    name: 'bare ioredis subscriber',
  });
}

/** Ingest through the embedded statsdb against redis-server that takes the same stream. */
export async function benchStatsdbIngest(count: number): Promise<string> {
  const peer: number[] = [];
  const ours: number[] = [];
  const messages = USERS + count;
  for (let round = 0; round < ROUNDS; round += 1) {
    const redisPort = await freePort();
    const redis = await startRedis(redisPort);
    peer.push(await measure(redis, () => publish(redisPort, count), messages));
    await stopProcess(redis);
    const port = await freePort();
    const child = await startModule('./consumer-exporter.ts', [
      'statsdb',
      String(port),
      String(messages),
    ]);
    ours.push(await measure(child, () => publish(port, count), messages));
    await stopProcess(child);
  }
  return report('ingest as statsdb', { ours, peer, name: 'redis-server' });
}

function report(
  what: string,
  { ours, peer, name }: { ours: number[]; peer: number[]; name: string },
): string {
  const ratios = ours.map((own, round) => (peer[round] ?? Number.NaN) / own);
  return `${what}: ${median(ours).toFixed(2)} us a message, ${name} ${median(peer).toFixed(2)} us: ${median(ratios).toFixed(2)} x its rate`;
}

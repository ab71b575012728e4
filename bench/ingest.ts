import { type Cost, freePort, Measured, ROUNDS, type Row } from './measure.ts';
import { Publisher } from './stream.ts';

const USERS = 5_000;
const MESSAGES = 1_000_000;

/** All accounting on, against those who only count, only take or only read the same stream. */
export async function benchIngest(): Promise<Row[]> {
  const redis = await inTurn({
    ours: () => fromRedis((port) => Measured.exporter(`--redis.url=redis://127.0.0.1:${port}`)),
    'bare ioredis subscriber': () => fromRedis((port) => Measured.peer('count', port)),
    'ioredis and prom-client': () => fromRedis((port) => Measured.peer('afternoon', port)),
  });
  const direct = await inTurn({
    ours: () => asServer((port) => Measured.exporter(`--statsdb.listen-address=127.0.0.1:${port}`)),
    'redis-server': () => asServer((port) => Measured.redis(port)),
    'loop that finds line ends': () => asServer((port) => Measured.peer('lines', port)),
  });
  return [
    ...rows('ingest from Redis', redis, {
      'bare ioredis subscriber': { ratio: true, floor: 1.1, aim: 2 },
    }),
    ...rows('ingest as statsdb', direct, {
      'redis-server': { ratio: true, floor: 0.8, aim: 1 },
      'loop that finds line ends': { ratio: true, floor: 0.4, aim: 0.6 },
    }),
  ];
}

type Costs = Record<string, Cost[]>;

/** Each of them once in each round. */
async function inTurn(measures: Record<string, () => Promise<Cost>>): Promise<Costs> {
  const costs: Costs = {};
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, measure] of Object.entries(measures)) {
      costs[name] = [...(costs[name] ?? []), await measure()];
    }
  }
  return costs;
}

/** Microseconds of processor time a message, and of the clock. */
function rows(what: string, costs: Costs, targets: Record<string, Row['target']>): Row[] {
  const { ours = [], ...peers } = costs;
  return (['cpu', 'wall'] as const).flatMap((kind) => {
    const each = (of: readonly Cost[]): number[] =>
      of.map((cost) => (cost[kind] * 1000) / MESSAGES);
    return Object.entries(peers).map(([name, values]) => {
      const target = kind === 'cpu' ? targets[name] : undefined;
      return {
        what: `${what}, ${kind}`,
        unit: 'us/message',
        ours: each(ours),
        peer: { name, values: each(values) },
        ...(target === undefined ? {} : { target }),
      };
    });
  });
}

async function fromRedis(start: (port: number) => Promise<Measured>): Promise<Cost> {
  const port = await freePort();
  const redis = await Measured.redis(port);
  const subscriber = await start(port);
  // Redis replies before its subscribers have read.
  const cost = await feed(port, subscriber, () => subscriber.idle());
  await redis.stop();
  return cost;
}

async function asServer(start: (port: number) => Promise<Measured>): Promise<Cost> {
  const port = await freePort();
  return await feed(port, await start(port));
}

/** What a process takes until it is through with everything that is published. */
async function feed(
  port: number,
  measured: Measured,
  through?: () => Promise<number>,
): Promise<Cost> {
  const publisher = await Publisher.connect(port);
  const cost = await measured.cost(async () => {
    await publisher.begin(USERS);
    await publisher.report(MESSAGES - USERS, USERS);
    return await through?.();
  });
  publisher.close();
  await measured.stop();
  return cost;
}

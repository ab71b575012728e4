import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { SourceStats } from '../../src/domain/source-stats.ts';
import { RedisSource } from '../../src/sources/redis/redis-source.ts';
import { SameServer } from '../../src/sources/redis/same-server.ts';
import { createStatsdbSource } from '../../src/sources/statsdb/statsdb-source.ts';
import { createCleanup, type Defer } from '../support/cleanup.ts';
import { type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { until } from '../support/until.ts';
import { statsdbOptions } from '../unit/sources/statsdb-options.ts';
import { ObservedSink } from './observed-sink.ts';
import { describeSourceContract, type SourceHarness } from './source.contract.ts';

const log = pino({ level: 'silent' });
const cleanup = createCleanup();
let server: RedisServer | undefined;

beforeAll(async () => {
  server = await startRedisServer(cleanup.defer);
});
afterAll(() => cleanup.run());

async function connect(port: number): Promise<Redis> {
  const redis = new Redis({
    host: '127.0.0.1',
    port,
    lazyConnect: true,
    retryStrategy: () => null,
  });
  // A source that stops cuts it.
  redis.on('error', () => undefined);
  onTestFinished(() => redis.disconnect());
  await redis.connect();
  return redis;
}

async function createRedisHarness(defer: Defer): Promise<SourceHarness> {
  const port = server?.port ?? 0;
  await (await connect(port)).flushall();
  const sink = new ObservedSink();
  const stats = new SourceStats('redis', 'status');
  const source = new RedisSource({
    config: {
      name: 'redis',
      endpoint: { kind: 'server', address: { host: '127.0.0.1', port } },
      dbs: [0],
      tls: false,
    },
    sink,
    stats,
    nowMs: () => sink.nowMs,
    resyncIntervalMs: 60_000,
    access: {},
    log,
    sameServer: new SameServer(),
  });
  defer(() => source.stop());
  return {
    source,
    sink,
    connect: () => connect(port),
    async breakConnection(publisher) {
      await publisher.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await until(() => stats.disconnects, { what: 'the loss', isDone: (count) => count > 0 });
      sink.nowMs += 1;
      await until(() => source.status(), { what: 'a new connection', isDone: ({ up }) => up });
      return publisher;
    },
  };
}

async function createStatsdbHarness(defer: Defer): Promise<SourceHarness> {
  const sink = new ObservedSink();
  const stats = new SourceStats('statsdb', 'connection');
  const source = createStatsdbSource({
    ...statsdbOptions(),
    listen: { host: '127.0.0.1', port: 0 },
    sink,
    stats,
    nowMs: () => sink.nowMs,
    log,
  });
  defer(() => source.stop());
  return {
    source,
    sink,
    connect: () => connect(source.address?.port ?? 0),
    async breakConnection(publisher) {
      publisher.disconnect();
      await until(() => stats.disconnects, { what: 'the loss', isDone: (count) => count > 0 });
      return connect(source.address?.port ?? 0);
    },
  };
}

describeSourceContract('RedisSource', { create: createRedisHarness, hearsKeepalives: false });
describeSourceContract('createStatsdbSource', {
  create: createStatsdbHarness,
  hearsKeepalives: true,
});

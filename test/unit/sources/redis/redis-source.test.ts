import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { RedisSourceConfig } from '../../../../src/config/redis-url.ts';
import { SourceStats } from '../../../../src/domain/source-stats.ts';
import { encodePair } from '../../../../src/simulator/wire.ts';
import { retryDelayMs } from '../../../../src/sources/redis/connection.ts';
import { RedisSource } from '../../../../src/sources/redis/redis-source.ts';
import { SameServer } from '../../../../src/sources/redis/same-server.ts';
import { TURN_BYTES } from '../../../../src/sources/turns.ts';
import { ObservedSink } from '../../../contract/observed-sink.ts';
import { allocationKey, statusOf } from '../../../support/coturn-message.ts';
import { prepareRedisServer, startRedisServer } from '../../../support/redis-server.ts';
import { until } from '../../../support/until.ts';
import { mostInOneTurn } from '../../turns.ts';

const NEW = statusOf('new', { local: '127.0.0.1:3478' });
const PASSWORD = 'correct-horse';

interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly reason?: string;
}

interface Scene {
  readonly source: RedisSource;
  readonly sink: ObservedSink;
  readonly stats: SourceStats;
  /** Raw lines at every level. */
  readonly log: string[];
  logged(level: string): LogLine[];
}

interface SceneOptions extends Partial<RedisSourceConfig> {
  readonly resyncIntervalMs?: number;
}

function createScene(port: number, options: SceneOptions = {}): Scene {
  const { resyncIntervalMs = 60_000, ...config } = options;
  const sink = new ObservedSink();
  const stats = new SourceStats('main', 'status');
  const log: string[] = [];
  const logger = pino({ level: 'trace' }, { write: (line: string) => void log.push(line) });
  const source = new RedisSource({
    config: {
      name: 'main',
      endpoint: { kind: 'server', address: { host: '127.0.0.1', port } },
      dbs: [0],
      tls: false,
      ...config,
    },
    sink,
    stats,
    nowMs: () => sink.nowMs,
    resyncIntervalMs,
    access: {},
    log: logger,
    sameServer: new SameServer(),
  });
  onTestFinished(() => source.stop());
  const logged = (level: string) =>
    log
      .map((line) => JSON.parse(line) as LogLine)
      .filter((line) => pino.levels.labels[line.level] === level);
  return { source, sink, stats, log, logged };
}

async function connect(port: number, options: { db?: number; password?: string } = {}) {
  const redis = new Redis({ ...options, host: '127.0.0.1', port, retryStrategy: () => null });
  redis.on('error', () => undefined);
  onTestFinished(() => redis.disconnect());
  await redis.ping();
  return redis;
}

function keyOf(id: number, realm?: string): string {
  return allocationKey('alice', id, realm);
}

function subscribed({ source }: Scene) {
  return until(() => source.status(), { what: 'the subscription', isDone: ({ up }) => up });
}

function resynced({ stats }: Scene, times = 1) {
  return until(() => stats.resyncs, { what: 'a resync', isDone: (count) => count >= times });
}

describe('RedisSource', () => {
  it('adopts the status keys that it finds, with and without a realm', async () => {
    const { port } = await startRedisServer(onTestFinished);
    const redis = await connect(port);
    await redis.set(`${keyOf(1)}/status`, NEW);
    await redis.set(`${keyOf(2)}/status`, NEW.replace('new', 'refreshed'));
    await redis.set(`${allocationKey('bob', 3, '')}/status`, 'new lifetime=600');
    await redis.set('turn/other', 'x');
    await redis.rpush(`${keyOf(4)}/status`, 'not a string');
    const scene = createScene(port);
    await scene.source.start();
    await resynced(scene);
    expect(scene.sink.tracker.ledger.countLive()).toBe(3);
    expect(scene.stats.events.new).toBe(0);
    expect(scene.stats.resyncs).toBe(1);
    const [session] = [...scene.sink.tracker.users.sessions()];
    expect(session).toMatchObject({ startKnown: false });
  });

  it('adopts keys by the thousand, few in one turn', async () => {
    const { port } = await startRedisServer(onTestFinished);
    const redis = await connect(port);
    const pipeline = redis.pipeline();
    for (let id = 1; id <= 5_000; id += 1) pipeline.set(`${keyOf(id)}/status`, NEW);
    await pipeline.exec();
    const scene = createScene(port);
    const { ledger } = scene.sink.tracker;
    const end = mostInOneTurn(() => ledger.countLive());
    await scene.source.start();
    await resynced(scene);
    expect(ledger.countLive()).toBe(5_000);
    // Redis gives a thousand at a time.
    expect(end()).toBeLessThanOrEqual(500);
  });

  it('does not adopt anew what it has heard of', async () => {
    const { port } = await startRedisServer(onTestFinished);
    const redis = await connect(port);
    const scene = createScene(port);
    await scene.source.start();
    await resynced(scene);
    await redis.set(`${keyOf(1)}/status`, NEW);
    await redis.publish(`${keyOf(1)}/status`, NEW);
    await until(() => scene.stats.events.new, { what: 'the event', isDone: (n) => n === 1 });
    await redis.client('KILL', 'TYPE', 'pubsub');
    await resynced(scene, 2);
    expect(scene.sink.tracker.allocationCount).toBe(1);
    const [session] = [...scene.sink.tracker.users.sessions()];
    expect(session).toMatchObject({ startKnown: true, allocationCount: 1 });
  });

  it('reads the status keys again at the interval', async () => {
    const { port } = await startRedisServer(onTestFinished);
    const redis = await connect(port);
    const scene = createScene(port, { resyncIntervalMs: 50 });
    await scene.source.start();
    await resynced(scene, 2);
    await redis.set(`${keyOf(1)}/status`, NEW);
    await resynced(scene, scene.stats.resyncs + 2);
    expect(scene.sink.tracker.ledger.countLive()).toBe(1);
  });

  it('reads them before the interval where a coturn seems to have started anew', async () => {
    const { port } = await startRedisServer(onTestFinished);
    const redis = await connect(port);
    const scene = createScene(port);
    await scene.source.start();
    await resynced(scene);
    const lives = [1, 2].map((id) => `${keyOf(id)}/status`);
    for (const key of lives) await redis.publish(key, NEW);
    await until(() => scene.stats.events.new, { what: 'both', isDone: (count) => count === 2 });
    scene.sink.nowMs += 10_000;
    // It deletes the keys of its former life, gives out the first id again, and sets its key.
    await redis.set(lives[0] ?? '', NEW);
    await redis.publish(lives[0] ?? '', NEW);
    await resynced(scene, 2);
    expect(scene.sink.tracker.ledger.countLive()).toBe(1);
    expect(scene.sink.tracker.allocationCount).toBe(2);
  });

  it('reads the keys of its own database', async () => {
    const { port } = await startRedisServer(onTestFinished);
    await (await connect(port, { db: 5 })).set(`${keyOf(1)}/status`, NEW);
    await (await connect(port)).set(`${keyOf(2)}/status`, NEW);
    const scene = createScene(port, { dbs: [5] });
    await scene.source.start();
    await resynced(scene);
    const [key, ...others] = scene.sink.tracker.statusKeys(
      scene.sink.openOrigin(scene.stats, 'main'),
    );
    expect(key).toBe(`${keyOf(1)}/status`);
    expect(others).toEqual([]);
  });

  it('takes a flood in many turns, so that others have theirs', async () => {
    const { port } = await startRedisServer(onTestFinished);
    const scene = createScene(port);
    await scene.source.start();
    await subscribed(scene);
    const published = 20_000;
    const commands = Array.from({ length: published }, (_, id) =>
      encodePair('publish', `${keyOf(id)}/status`, NEW),
    );
    const { events } = scene.stats;
    const end = mostInOneTurn(() => events.new);
    // Nothing else runs here meanwhile, and the system takes in what it can.
    execFileSync('redis-cli', ['-p', String(port), '--pipe'], { input: commands.join('') });
    await until(() => events.new, { what: 'all of it', isDone: (count) => count === published });
    expect(end()).toBeLessThanOrEqual((2 * TURN_BYTES) / `${keyOf(1)}/status${NEW}`.length);
  });

  it('counts one disconnect, marks the gap and comes back when it is cut off', async () => {
    const { port } = await startRedisServer(onTestFinished);
    const redis = await connect(port);
    const scene = createScene(port);
    await scene.source.start();
    await resynced(scene);
    scene.sink.nowMs = 10_000;
    await redis.client('KILL', 'TYPE', 'pubsub');
    await until(() => scene.stats.disconnects, { what: 'the loss', isDone: (n) => n > 0 });
    expect(scene.source.status()).toMatchObject({ up: false, detail: 'connection closed' });
    scene.sink.nowMs = 12_500;
    await subscribed(scene);
    await resynced(scene, 2);
    expect(scene.stats).toMatchObject({ disconnects: 1, gapMs: 11_500, resyncs: 2 });
    expect(scene.sink.gaps).toBe(1);
    expect(scene.logged('warn').map(({ msg }) => msg)).toEqual([
      'connection lost, connecting again',
      'subscribed again, events of the gap are lost',
    ]);
    expect(scene.source.status().detail).toBe('subscribed');
  });

  it('waits for a Redis that is away, says so once and finds it', async () => {
    const server = await prepareRedisServer(onTestFinished);
    const scene = createScene(server.port);
    await scene.source.start();
    await until(() => scene.logged('debug').length, {
      what: 'a second attempt',
      isDone: (count) => count > 0,
    });
    expect(scene.logged('warn')).toHaveLength(1);
    expect(scene.source.status()).toEqual({
      kind: 'redis',
      up: false,
      ready: false,
      detail: `connection refused (127.0.0.1:${server.port})`,
    });
    await server.start();
    await subscribed(scene);
    expect(scene.stats).toMatchObject({ disconnects: 0, gapMs: 0 });
    expect(scene.sink.gaps).toBe(0);
  });

  it.each([
    ['a wrong password', { password: 'hunter2-wrong' }, /WRONGPASS/],
    ['a wrong user', { username: 'nobody-7', password: 'hunter2-wrong' }, /WRONGPASS/],
    ['no password', {}, /NOAUTH/],
  ])('says why it cannot receive with %s, never the password', async (_, config, reason) => {
    const { port } = await startRedisServer(onTestFinished, { password: PASSWORD });
    const scene = createScene(port, config);
    await scene.source.start();
    await until(() => scene.log.length, { what: 'three attempts', isDone: (count) => count >= 3 });
    expect(scene.source.status()).toMatchObject({ up: false, ready: false });
    expect(scene.source.status().detail).toMatch(reason);
    expect(scene.logged('warn')).toHaveLength(1);
    expect(scene.logged('warn')[0]?.reason).toMatch(reason);
    const told = scene.log.join('') + JSON.stringify(scene.source.status());
    for (const secret of ['hunter2', PASSWORD]) expect(told).not.toContain(secret);
  });

  it('receives with the right password', async () => {
    const { port } = await startRedisServer(onTestFinished, { password: PASSWORD });
    const scene = createScene(port, { password: PASSWORD });
    await scene.source.start();
    await resynced(scene);
    expect(scene.log.join('')).not.toContain(PASSWORD);
  });

  it('is not ready while its ACL forbids to subscribe, and receives once it is mended', async () => {
    const { port } = await startRedisServer(onTestFinished);
    const redis = await connect(port);
    await redis.call('ACL', 'SETUSER', 'limited', 'on', '>pw', '~*', '&*', '+@all', '-psubscribe');
    const scene = createScene(port, { username: 'limited', password: 'pw' });
    await scene.source.start();
    await until(() => scene.source.status().detail, {
      what: 'the reason',
      isDone: (detail) => detail.includes('psubscribe'),
    });
    expect(scene.source.status()).toMatchObject({ up: false, ready: false });
    expect(scene.source.status().detail).toContain('NOPERM');
    expect(scene.logged('warn')).toHaveLength(1);
    await redis.call('ACL', 'SETUSER', 'limited', '+psubscribe');
    await subscribed(scene);
    await resynced(scene);
    expect(scene.stats.disconnects).toBe(0);
  });

  it('receives although its ACL forbids to read the status keys, and says so', async () => {
    const { port } = await startRedisServer(onTestFinished);
    const redis = await connect(port);
    await redis.call('ACL', 'SETUSER', 'limited', 'on', '>pw', '~*', '&*', '+@all', '-scan');
    const scene = createScene(port, { username: 'limited', password: 'pw' });
    await scene.source.start();
    const [warning] = await until(() => scene.logged('warn'), {
      what: 'the warning',
      isDone: (lines) => lines.length > 0,
    });
    expect(warning?.msg).toContain('status keys cannot be read');
    expect(warning?.reason).toContain('NOPERM');
    expect(scene.source.status()).toMatchObject({ up: true, ready: true });
    expect(scene.stats.resyncs).toBe(0);
    await redis.publish(`${keyOf(1)}/status`, NEW);
    await until(() => scene.stats.events.new, { what: 'the event', isDone: (n) => n === 1 });
  });

  it.each([
    ['PSUBSCRIBE', /psubscribe/i, '-NOPERM no permission'],
    ['AUTH', /auth|info|psubscribe/i, '-NOAUTH Authentication required.'],
  ])('backs off from a Redis that refuses %s', async (_, commands, reply) => {
    const attempts: number[] = [];
    const port = await startRefusingRedis({
      ...{ commands, reply },
      onConnection: () => attempts.push(performance.now()),
    });
    const scene = createScene(port, { password: 'pw' });
    await scene.source.start();
    await until(() => attempts.length, { what: 'six attempts', isDone: (count) => count >= 6 });
    // Before the sixth: at least half of 1600 ms.
    expect((attempts[5] ?? 0) - (attempts[4] ?? 0)).toBeGreaterThan(700);
  });

  it('says within 2 s that a port speaks no TLS', async () => {
    const { port } = await startRedisServer(onTestFinished);
    const scene = createScene(port, { tls: true });
    const startedMs = performance.now();
    await scene.source.start();
    const { detail } = await until(() => scene.source.status(), {
      what: 'the cause',
      isDone: (status) => status.detail.includes('TLS'),
    });
    // A busy machine takes its time to start.
    expect(performance.now() - startedMs).toBeLessThan(4_000);
    expect(detail).toContain(`(127.0.0.1:${port})`);
    expect(scene.logged('warn')).toHaveLength(1);
  });

  it('says nothing more once it is stopped while it connects', async () => {
    const { port } = await startRedisServer(onTestFinished);
    const scene = createScene(port);
    await scene.source.start();
    await scene.source.stop();
    await (await connect(port)).ping();
    await new Promise((resolve) => setImmediate(resolve));
    expect(scene.log).toEqual([]);
    expect(scene.source.status()).toMatchObject({ up: false, detail: 'stopped' });
  });
});

/** Something that answers as a Redis does, but for some commands. */
async function startRefusingRedis(refusal: {
  readonly commands: RegExp;
  readonly reply: string;
  readonly onConnection: () => void;
}): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    refusal.onConnection();
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      for (const command of chunk.toString().split(/(?=\*\d+\r\n\$)/)) {
        if (refusal.commands.test(command)) socket.write(`${refusal.reply}\r\n`);
        else if (/info/i.test(command)) socket.write('$11\r\nloading:0\r\n\r\n');
        else socket.write('+OK\r\n');
      }
    });
  });
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port');
  return address.port;
}

describe('retryDelayMs', () => {
  it.each([
    [1, 0, 50],
    [1, 1, 100],
    [3, 0.5, 300],
    [7, 1, 6_400],
    [8, 0, 5_000],
    [8, 1, 10_000],
    [Number.MAX_SAFE_INTEGER, 0, 5_000],
  ])('waits before attempt %i, with chance %f, %i ms', (attempt, random, delayMs) => {
    expect(retryDelayMs(attempt, random)).toBe(delayMs);
  });
});

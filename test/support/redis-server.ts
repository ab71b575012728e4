import { connect } from 'node:net';
import type { Defer } from './cleanup.ts';
import { claimPorts } from './port-block.ts';
import { createTempFolder } from './temp-folder.ts';
import { TestProcess } from './test-process.ts';
import { until } from './until.ts';

export interface RedisServer {
  readonly port: number;
  /** Of its own, unused. */
  readonly morePorts: readonly number[];
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface RedisServerOptions {
  readonly password?: string;
  /** More of its flags, without dashes: `{ 'tls-auth-clients': 'no' }`. */
  readonly flags?: Readonly<Record<string, string>>;
}

/** A running `redis-server` on a free port of 127.0.0.1 that keeps nothing on disk. */
export async function startRedisServer(
  defer: Defer,
  options: RedisServerOptions = {},
): Promise<RedisServer> {
  const redis = await prepareRedisServer(defer, options);
  await redis.start();
  return redis;
}

/** The same, not started yet: its port is known and nobody answers on it. */
export async function prepareRedisServer(
  defer: Defer,
  options: RedisServerOptions = {},
): Promise<RedisServer> {
  const { first: port, size } = await claimPorts(defer);
  const morePorts = Array.from({ length: size - 1 }, (_, index) => port + 1 + index);
  const folder = createTempFolder(defer);
  let server: TestProcess | undefined;
  return {
    port,
    morePorts,
    async start() {
      const process = new TestProcess(defer, {
        command: 'redis-server',
        args: redisArguments({ port, folder, options }),
        cwd: folder,
      });
      server = process;
      await until(() => ping(port), {
        what: 'redis-server to answer',
        isDone: (reply) => reply.startsWith('+PONG') || reply.startsWith('-NOAUTH'),
        show: (reply) => `${reply}\n${process.describe()}`,
      });
    },
    async stop() {
      await server?.stop();
    },
  };
}

function redisArguments(given: {
  port: number;
  folder: string;
  options: RedisServerOptions;
}): string[] {
  const { password, flags = {} } = given.options;
  return [
    ...['--port', String(given.port)],
    ...['--bind', '127.0.0.1'],
    ...['--save', ''],
    ...['--appendonly', 'no'],
    ...['--dir', given.folder],
    ...(password === undefined ? [] : ['--requirepass', password]),
    ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
  ];
}

function ping(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write('PING\r\n'));
    socket.setTimeout(1_000, () => socket.destroy(new Error('No answer to PING')));
    socket.once('data', (reply) => {
      socket.destroy();
      resolve(reply.toString());
    });
    socket.once('error', reject);
  });
}

import { connect } from 'node:net';
import type { CertificateFiles } from './certificates.ts';
import type { Defer } from './cleanup.ts';
import { claimPorts } from './port-block.ts';
import { createTempFolder } from './temp-folder.ts';
import { TestProcess } from './test-process.ts';
import { until } from './until.ts';

/** The server that is tested with: Redis of the machine, or what the environment names. */
export const REDIS_SERVER: string = process.env['REDIS_SERVER'] || 'redis-server';

export interface RedisServer {
  readonly port: number;
  /** Where it speaks TLS, if it does. */
  readonly tlsPort: number;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface RedisServerOptions {
  readonly password?: string;
  /** It speaks TLS as well, to clients with a certificate of this authority. */
  readonly tls?: CertificateFiles & { readonly authority: string };
  /** More of its flags, without dashes: `{ 'tls-auth-clients': 'no' }`. */
  readonly flags?: Readonly<Record<string, string>>;
}

/** A running Redis on a free port of 127.0.0.1 that keeps nothing on disk. */
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
  const { first: port } = await claimPorts(defer);
  const folder = createTempFolder(defer);
  let server: TestProcess | undefined;
  return {
    port,
    tlsPort: tlsPortOf(port),
    async start() {
      const process = new TestProcess(defer, {
        command: REDIS_SERVER,
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
  const { password, tls, flags = {} } = given.options;
  const tlsFlags = tls === undefined ? {} : tlsFlagsOf(tls, tlsPortOf(given.port));
  return [
    ...['--port', String(given.port)],
    ...['--bind', '127.0.0.1'],
    ...['--save', ''],
    ...['--appendonly', 'no'],
    ...['--dir', given.folder],
    ...(password === undefined ? [] : ['--requirepass', password]),
    // Left to itself it takes one that any outgoing connection may have by then.
    ...(flags['cluster-enabled'] === 'yes' ? ['--cluster-port', String(given.port + 2)] : []),
    ...Object.entries({ ...tlsFlags, ...flags }).flatMap(([name, value]) => [`--${name}`, value]),
  ];
}

function tlsPortOf(port: number): number {
  return port + 1;
}

/** Flags of a Redis or a Sentinel that speaks TLS. */
export function tlsFlagsOf(
  { cert, key, authority }: NonNullable<RedisServerOptions['tls']>,
  port: number,
): Record<string, string> {
  return {
    'tls-port': String(port),
    'tls-cert-file': cert,
    'tls-key-file': key,
    'tls-ca-cert-file': authority,
  };
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

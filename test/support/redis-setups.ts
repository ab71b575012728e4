import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Defer } from './cleanup.ts';
import { claimPorts } from './port-block.ts';
import {
  REDIS_SERVER,
  type RedisServer,
  type RedisServerOptions,
  startRedisServer,
} from './redis-server.ts';
import { createTempFolder } from './temp-folder.ts';
import { TestProcess } from './test-process.ts';
import { until } from './until.ts';

const run = promisify(execFile);

export interface SentinelOptions {
  readonly master: string;
  readonly masterPort: number;
  /** Of the Redis servers. */
  readonly masterPassword?: string;
  /** More lines of its configuration. */
  readonly lines?: readonly string[];
  /** On this port instead of one of its own. */
  readonly port?: number;
}

/** A Sentinel that watches one master, and decides alone. */
export async function startSentinel(
  defer: Defer,
  options: SentinelOptions,
): Promise<{ readonly port: number }> {
  const { master, masterPort, masterPassword, lines = [] } = options;
  const port = options.port ?? (await claimPorts(defer)).first;
  const folder = createTempFolder(defer);
  const file = join(folder, 'sentinel.conf');
  const text = [
    `port ${port}`,
    'bind 127.0.0.1',
    ...lines,
    `sentinel monitor ${master} 127.0.0.1 ${masterPort} 1`,
    `sentinel down-after-milliseconds ${master} 1000`,
    ...(masterPassword === undefined ? [] : [`sentinel auth-pass ${master} ${masterPassword}`]),
  ];
  writeFileSync(file, `${text.join('\n')}\n`);
  const sentinel = new TestProcess(defer, {
    command: REDIS_SERVER,
    args: [file, '--sentinel'],
    cwd: folder,
  });
  await until(() => sentinel.stdout.join('\n'), {
    what: 'the Sentinel to watch',
    isDone: (output) => output.includes('+monitor master'),
    show: () => sentinel.describe(),
  });
  return { port };
}

/** Three masters, and a replica of the first, joined by redis-cli. */
export async function startCluster(
  defer: Defer,
  options: Access = {},
): Promise<readonly RedisServer[]> {
  const { password, tls } = options;
  const flags = {
    ...{ 'cluster-enabled': 'yes', 'cluster-node-timeout': '1000' },
    ...(password === undefined ? {} : { masterauth: password }),
    ...(tls === undefined ? {} : { 'tls-cluster': 'yes', 'tls-replication': 'yes' }),
  };
  const nodes = await Promise.all(
    Array.from({ length: 4 }, () => startRedisServer(defer, { ...options, flags })),
  );
  const cli = redisCli(options);
  const addresses = nodes.map((node) => `127.0.0.1:${portOf(node, options)}`);
  const [first = '', , , replica = ''] = addresses;
  const ask = (node: RedisServer | undefined, ...command: string[]): Promise<string> =>
    node === undefined ? Promise.resolve('') : cli('-p', portOf(node, options), ...command);
  const isOk = async (those: readonly RedisServer[]): Promise<void> => {
    for (const node of those) {
      await until(() => ask(node, 'cluster', 'info'), {
        what: 'the cluster to form',
        timeoutMs: 30_000,
        isDone: (info) => info.includes('cluster_state:ok'),
      });
    }
  };
  await cli('--cluster', 'create', ...addresses.slice(0, 3), '--cluster-yes');
  await isOk(nodes.slice(0, 3));
  const id = (await ask(nodes[0], 'cluster', 'myid')).trim();
  await cli(
    ...['--cluster', 'add-node', replica, first],
    ...['--cluster-slave', '--cluster-master-id', id],
  );
  await isOk(nodes);
  return nodes;
}

type Access = Pick<RedisServerOptions, 'password' | 'tls'>;

function portOf({ port, tlsPort }: RedisServer, { tls }: Access): string {
  return String(tls === undefined ? port : tlsPort);
}

/** A redis-cli that gets in. */
function redisCli({ password, tls }: Access): (...args: readonly string[]) => Promise<string> {
  const access = [
    ...(password === undefined ? [] : ['-a', password, '--no-auth-warning']),
    ...(tls === undefined
      ? []
      : ['--tls', '--cacert', tls.authority, '--cert', tls.cert, '--key', tls.key]),
  ];
  return async (...args) => (await run('redis-cli', [...access, ...args])).stdout;
}

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Defer } from './cleanup.ts';
import { claimPorts } from './port-block.ts';
import { type RedisServer, startRedisServer } from './redis-server.ts';
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
    command: 'redis-server',
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
export async function startCluster(defer: Defer): Promise<readonly RedisServer[]> {
  const flags = { 'cluster-enabled': 'yes', 'cluster-node-timeout': '1000' };
  const nodes = await Promise.all(
    Array.from({ length: 4 }, () => startRedisServer(defer, { flags })),
  );
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
  const [first = '', , , replica = ''] = addresses;
  const masters = addresses.slice(0, 3);
  await run('redis-cli', ['--cluster', 'create', ...masters, '--cluster-yes']);
  await clusterIsOk(nodes.slice(0, 3));
  const id = (await ask(nodes[0], 'cluster', 'myid')).trim();
  await run('redis-cli', [
    ...['--cluster', 'add-node', replica, first],
    ...['--cluster-slave', '--cluster-master-id', id],
  ]);
  await clusterIsOk(nodes);
  return nodes;
}

async function clusterIsOk(nodes: readonly RedisServer[]): Promise<void> {
  for (const node of nodes) {
    await until(() => ask(node, 'cluster', 'info'), {
      what: 'the cluster to form',
      timeoutMs: 30_000,
      isDone: (info) => info.includes('cluster_state:ok'),
    });
  }
}

async function ask(node: RedisServer | undefined, ...command: string[]): Promise<string> {
  const { stdout } = await run('redis-cli', ['-p', String(node?.port), ...command]);
  return stdout;
}

import type { Redis } from 'ioredis';
import { formatHostPort, type HostPort } from '../../config/values.ts';
import { causeOf } from './causes.ts';
import {
  type ConnectionContext,
  ConnectionFailure,
  explain,
  openConnection,
  type Place,
} from './connection.ts';

/** How long one Sentinel may take, in ms: another may know as well. */
const SENTINEL_PATIENCE_MS = 2_000;

/**
 * Where to subscribe: the one Redis, the master that a Sentinel names, or a node of the cluster, to
 * all of which every message comes.
 *
 * @param attempt counts up, so that another Sentinel or node is first
 * @throws {ConnectionFailure} when no Sentinel tells
 */
export async function locate(options: ConnectionContext, attempt: number): Promise<Place> {
  const { endpoint } = options.config;
  switch (endpoint.kind) {
    case 'server':
      return { address: endpoint.address, role: 'Redis' };
    case 'cluster': {
      const [address] = rotated(endpoint.nodes, attempt);
      if (address === undefined) throw new RangeError('A cluster without nodes');
      return { address, role: 'Redis' };
    }
    case 'sentinel':
      return await askSentinels(rotated(endpoint.sentinels, attempt), endpoint.master, options);
  }
}

async function askSentinels(
  sentinels: readonly HostPort[],
  master: string,
  options: ConnectionContext,
): Promise<Place> {
  const failures: ConnectionFailure[] = [];
  for (const address of sentinels) {
    try {
      return { address: await askSentinel(address, master, options), role: 'Redis' };
    } catch (error) {
      failures.push(await explain(error, { address, role: 'Sentinel' }, options));
    }
    if (options.signal.aborted) break;
  }
  // In one order, so that each cause is told once.
  const findings = failures.map(({ explained }) => explained.finding).sort();
  throw new ConnectionFailure({
    finding: `no Sentinel tells where master ${master} is: ${findings.join('; ')}`,
    fix: failures[0]?.explained.fix ?? 'correct --redis.url',
  });
}

/** Asks one Sentinel for the address of a master. */
export async function askSentinel(
  address: HostPort,
  master: string,
  options: ConnectionContext,
): Promise<HostPort> {
  const place = { address, role: 'Sentinel' } as const;
  const redis = await openConnection(place, { ...options, patienceMs: SENTINEL_PATIENCE_MS });
  try {
    const answer = await redis.call('SENTINEL', 'get-master-addr-by-name', master);
    const [host, port] = Array.isArray(answer) ? answer.map(String) : [];
    if (host !== undefined && port !== undefined) return { host, port: Number(port) };
    throw new ConnectionFailure({
      finding: `Sentinel ${formatHostPort(address)} knows no master of that name`,
      fix: 'compare --redis.url with SENTINEL MASTERS on a Sentinel',
    });
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    if (!/unknown command/i.test(message)) throw error;
    const { finding } = causeOf('no Sentinel but a Redis', {
      isTls: options.config.tls,
      role: 'Sentinel',
      at: formatHostPort(address),
    });
    throw new ConnectionFailure({ finding, fix: 'write the port of the Sentinels (26379)' }, error);
  } finally {
    redis.disconnect();
  }
}

/** The masters of the cluster that a node belongs to, as it sees them; each has some of the keys. */
export async function clusterMasters(redis: Redis, asked: HostPort): Promise<HostPort[]> {
  const slots = await redis.call('CLUSTER', 'SLOTS');
  const masters = new Map<string, HostPort>();
  for (const range of Array.isArray(slots) ? slots : []) {
    const [host, port] = Array.isArray(range) && Array.isArray(range[2]) ? range[2] : [];
    // A node that does not know its own name is the one that was asked.
    const address = { host: String(host ?? '') || asked.host, port: Number(port) };
    masters.set(formatHostPort(address), address);
  }
  return [...masters.values()];
}

function rotated<T>(list: readonly T[], by: number): T[] {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

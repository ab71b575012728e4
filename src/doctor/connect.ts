import type { Redis } from 'ioredis';
import type { RedisAccess } from '../config/redis-access.ts';
import type { RedisSourceConfig } from '../config/redis-url.ts';
import { formatHostPort } from '../config/values.ts';
import { isDenied as isDeniedReason } from '../sources/redis/causes.ts';
import {
  type ConnectionContext,
  ConnectionFailure,
  explain,
  openConnection,
  type Place,
} from '../sources/redis/connection.ts';
import { askSentinel } from '../sources/redis/locate.ts';
import { type Finding, fail, ok, warn } from './report.ts';

/** How long a connection or an answer may take, in ms. */
const PATIENCE_MS = 5_000;

/** Which Redis is examined, and by what. */
export interface Target {
  readonly config: RedisSourceConfig;
  readonly access: RedisAccess;
}

/** What connections of the doctor are made of. */
export function contextOf(target: Target): ConnectionContext {
  return { ...target, signal: new AbortController().signal, patienceMs: PATIENCE_MS };
}

/**
 * Opens a connection that answers, in database 0: whether those of the URL can be had is a question of
 * its own. Close it by `disconnect`.
 *
 * @throws {ConnectionFailure}
 */
export async function connect(place: Place, context: ConnectionContext): Promise<Redis> {
  const redis = await openConnection(place, context);
  try {
    // A certificate is looked at, and a password asked for, when something is said. That PING is
    // denied to this user is one of the things to find out.
    await redis.ping().catch((error: unknown) => {
      if (!isDenied(error)) throw error;
    });
    return redis;
  } catch (error) {
    redis.disconnect();
    throw await explain(error, place, context);
  }
}

/** Where the Redis is that is to be examined, and what there is to say about the way to it. */
export interface Located {
  /** Undefined when nobody knows. */
  readonly place?: Place;
  readonly findings: readonly Finding[];
}

/** Asks every Sentinel, or looks for a node of the cluster that can be connected to. */
export async function locateAll(context: ConnectionContext): Promise<Located> {
  const { endpoint } = context.config;
  if (endpoint.kind === 'server') {
    return { place: { address: endpoint.address, role: 'Redis' }, findings: [] };
  }
  const addresses = endpoint.kind === 'sentinel' ? endpoint.sentinels : endpoint.nodes;
  const places: Place[] = [];
  const findings: Finding[] = [];
  const failures: ConnectionFailure[] = [];
  for (const address of addresses) {
    const at = formatHostPort(address);
    try {
      if (endpoint.kind === 'sentinel') {
        const master = await askSentinel(address, endpoint.master, context);
        places.push({ address: master, role: 'Redis' });
        findings.push(
          ok('sentinel', `${at} names ${formatHostPort(master)} as ${endpoint.master}`),
        );
      } else {
        (await connect({ address, role: 'Redis' }, context)).disconnect();
        places.push({ address, role: 'Redis' });
        findings.push(ok('node', `answers at ${at}`));
      }
    } catch (error) {
      const role = endpoint.kind === 'sentinel' ? 'Sentinel' : 'Redis';
      failures.push(await explain(error, { address, role }, context));
    }
  }
  const what = endpoint.kind === 'sentinel' ? 'sentinel' : 'node';
  const judge = places.length === 0 ? fail : warn;
  for (const { explained } of failures)
    findings.push(judge(what, explained.finding, explained.fix));
  const named = new Set(places.map(({ address }) => formatHostPort(address)));
  if (endpoint.kind === 'sentinel' && named.size > 1) {
    findings.push(
      warn(
        what,
        `they name different masters: ${[...named].join(', ')}`,
        'wait for the end of a failover; else compare SENTINEL MASTERS on each',
      ),
    );
  }
  const [place] = places;
  return { ...(place === undefined ? {} : { place }), findings };
}

/** Why a Redis cannot be used at all. */
export function explainFailure(error: unknown): Finding {
  if (!(error instanceof ConnectionFailure)) {
    return fail('reachable', messageOf(error), 'correct --redis.url');
  }
  const { finding, fix } = error.explained;
  return fail('reachable', finding, fix);
}

/** What an error says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether Redis refuses a command to this user, or to everybody as managed ones do. */
export function isDenied(error: unknown): boolean {
  return isDeniedReason(messageOf(error));
}

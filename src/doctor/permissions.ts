import type { Redis } from 'ioredis';
import type { RedisSourceConfig } from '../config/redis-url.ts';
import { PATTERNS } from '../coturn/patterns.ts';
import { isDenied, messageOf } from './connect.ts';
import { type Finding, fail, ok } from './report.ts';

/** A key that matches what the exporter reads, and that nobody has. */
const NO_KEY = 'turn/user/coturn-exporter-doctor/allocation/000000000000000000/status';

type Attempt = readonly [name: string, attempt: () => Promise<unknown>];

/** What of a Redis may be used. */
export interface Permissions {
  readonly findings: readonly Finding[];
  /** Messages can be received. */
  readonly canSubscribe: boolean;
  /** Status keys of the database in the URL can be read. */
  readonly canScan: boolean;
}

/**
 * Tries all commands that the exporter uses, rather than read the ACL: that takes rights which an
 * exporter should not have. Afterwards `subscriber` is subscribed, and `redis` is in the database of
 * the URL, as far as that is permitted.
 */
export async function checkPermissions(
  { redis, subscriber }: { readonly redis: Redis; readonly subscriber: Redis },
  config: RedisSourceConfig,
): Promise<Permissions> {
  const isCluster = config.endpoint.kind === 'cluster';
  const dbs = config.dbs.length === 1 && config.dbs[0] === 0 ? [] : config.dbs;
  const selections: Attempt[] = dbs.map((db) => ['select', () => redis.select(db)]);
  const mget: Attempt[] = [['mget', () => redis.mget(NO_KEY)]];
  const clusterReads: Attempt[] = [
    ['get', () => redis.get(NO_KEY).catch(unlessMoved)],
    ['cluster slots', () => redis.call('CLUSTER', 'SLOTS')],
  ];
  const tries: readonly Attempt[] = [
    ['ping', () => redis.ping()],
    ...(isCluster ? [] : selections),
    ['scan', () => redis.scan('0', 'COUNT', 1)],
    ...(isCluster ? clusterReads : mget),
    ['psubscribe', () => subscriber.psubscribe(...PATTERNS)],
  ];
  const failures = new Map<string, Finding>();
  for (const [name, attempt] of tries) {
    try {
      await attempt();
    } catch (error) {
      failures.set(name, explain(name, error, config));
    }
  }
  const names = [...new Set(tries.map(([name]) => name))];
  const permitted = names.filter((name) => !failures.has(name));
  const summary = permitted.length === 0 ? [] : [ok('permissions', `may ${permitted.join(', ')}`)];
  return {
    findings: [...summary, ...failures.values()],
    canSubscribe: !failures.has('psubscribe'),
    canScan: ['select', 'scan', 'mget', 'get', 'cluster slots'].every(
      (name) => !failures.has(name),
    ),
  };
}

/**
 * The command that gives a user all that the exporter needs. The channel patterns stand there as they
 * are subscribed to: for PSUBSCRIBE Redis compares them letter by letter (acl.c,
 * `ACLCheckChannelAgainstList`), so that a wider one such as `&turn/*` does not permit these.
 */
export function aclCommand(username: string | undefined, isCluster = false): string {
  const channels = PATTERNS.map((pattern) => `&${pattern}`).join(' ');
  return `ACL SETUSER ${username ?? 'default'} ~turn/* ${channels} +psubscribe +scan +ping ${isCluster ? '+get +cluster|slots' : '+mget +select'}`;
}

function explain(name: string, error: unknown, config: RedisSourceConfig): Finding {
  const message = messageOf(error);
  if (name === 'select' && /out of range/i.test(message)) {
    return fail(
      name,
      `there is no database ${config.dbs.join(' or ')}`,
      'end --redis.url in the dbname of redis-statsdb in turnserver.conf',
    );
  }
  if (!isDenied(error)) return fail(name, message, 'look at the log of Redis');
  return fail(
    name,
    `the ACL denies it${subjectOf(message)}`,
    aclCommand(config.username, config.endpoint.kind === 'cluster'),
  );
}

/** That another node of a cluster has the key says that this user may ask for it. */
function unlessMoved(error: unknown): void {
  if (!/^(?:MOVED|CLUSTERDOWN)/.test(messageOf(error))) throw error;
}

function subjectOf(message: string): string {
  if (/channel/i.test(message)) return ` on the channels ${PATTERNS.join(' and ')}`;
  return /key/i.test(message) ? ' on keys turn/*' : '';
}

import type { Source } from '../../sources/source.ts';

/** Where a coturn can publish to: the exporter itself, or a Redis. What its password is stays out. */
export interface PublishTarget {
  /** Absent where nobody can know it: the Redis that a Sentinel names. */
  readonly host?: string;
  readonly port?: number;
  /** Number of the database of a Redis; absent for the embedded statsdb. */
  readonly db?: number;
  readonly hasPassword: boolean;
}

/** Where nobody can guess it: an exporter that listens on all addresses, or the Redis of a Sentinel. */
export const UNKNOWN_HOST = 'ADDRESS';
/** The usual port of Redis. Sentinels tell the real one to those who ask, which coturn does not. */
const REDIS_PORT = 6379;
const ANY_HOST = new Set(['', '0.0.0.0', '::']);

/**
 * The line of `turnserver.conf` that connects a coturn.
 *
 *     redis-statsdb="ip=127.0.0.1 port=6380"
 */
export function setupLine(target: PublishTarget): string {
  const { host = '', port = REDIS_PORT, db, hasPassword } = target;
  const words = [`ip=${ANY_HOST.has(host) ? UNKNOWN_HOST : host}`];
  if (db !== undefined) words.push(`dbname=${db}`);
  words.push(`port=${port}`);
  if (hasPassword) words.push('password=…');
  return `redis-statsdb="${words.join(' ')}"`;
}

/** Whether anything was ever heard of a coturn. A Redis can be up while none publishes to it. */
export function isHeard(source: Source): boolean {
  const { kind, up } = source.status();
  return source.stats.lastEventMs > 0 || (kind === 'statsdb' && up);
}

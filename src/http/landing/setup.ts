import type { Config } from '../../config/config.ts';
import type { HostPort } from '../../config/values.ts';
import type { Source } from '../../sources/source.ts';
import type { StatsdbSource } from '../../sources/statsdb/statsdb-source.ts';

/** Where nobody can guess it: an exporter that listens on all addresses, or the Redis of a Sentinel. */
export const UNKNOWN_HOST = 'ADDRESS';
/** The usual port of Redis. Sentinels tell the real one to those who ask, which coturn does not. */
const REDIS_PORT = 6379;
const ANY_HOST = new Set(['', '0.0.0.0', '::']);

/**
 * The lines of `turnserver.conf` any of which connects a coturn, in the order of the sources.
 * Passwords are not told, only that there is one.
 *
 *     redis-statsdb="ip=127.0.0.1 port=6380"
 */
export function setupLines(config: Config, sources: readonly Source[]): string[] {
  const { password } = config.statsdb;
  const direct = sources
    .filter(isStatsdb)
    .flatMap(({ address }) => address ?? [])
    .map((address) => line([`ip=${hostOf(address)}`, `port=${address.port}`], password));
  const byRedis = config.redis.sources.map(({ endpoint, db, password: secret }) => {
    const address = endpoint.kind === 'server' ? endpoint.address : { host: '', port: REDIS_PORT };
    const parts = [`ip=${hostOf(address)}`, `dbname=${db}`, `port=${address.port}`];
    return line(parts, secret);
  });
  return [...byRedis, ...direct];
}

function isStatsdb(source: Source): source is StatsdbSource {
  return source.status().kind === 'statsdb' && 'address' in source;
}

function hostOf({ host }: HostPort): string {
  return ANY_HOST.has(host) ? UNKNOWN_HOST : host;
}

function line(parts: readonly string[], password: string | undefined): string {
  const words = password === undefined ? parts : [...parts, 'password=…'];
  return `redis-statsdb="${words.join(' ')}"`;
}

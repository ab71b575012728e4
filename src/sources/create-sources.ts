import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { formatHostPort } from '../config/values.ts';
import type { Servers } from '../domain/servers.ts';
import { SourceStats } from '../domain/source-stats.ts';
import { SameServer } from './redis/same-server.ts';
import type { ScanSink, Source } from './source.ts';
import { Logins } from './statsdb/logins.ts';
import { createStatsdbSource, type StatsdbSource } from './statsdb/statsdb-source.ts';

/** What sources need besides their configuration. */
export interface SourcesContext {
  readonly sink: ScanSink;
  readonly servers: Servers;
  /** The name of a coturn without a password of its own, by the address it connects from. */
  readonly serverName: (address: string) => string;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** All sources of a process; none has started. */
export interface Sources {
  readonly all: readonly Source[];
  /** Those that listen, in the order of `--statsdb.listen-address`. */
  readonly statsdb: readonly StatsdbSource[];
}

/**
 * The sources that the configuration asks for, each with a name of its own.
 *
 * @throws {ConfigError} when the file of servers has become unusable
 */
export async function createSources(config: Config, context: SourcesContext): Promise<Sources> {
  const { log } = context;
  const redis = config.redis.sources.length > 0 ? await createRedisSources(config, context) : [];
  const names = new Set(config.redis.sources.map(({ name }) => name));
  const { listen, password, serversFile, tls } = config.statsdb;
  const logins = new Logins({ password, serversFile, log });
  const statsdb = listen.map((address) => {
    const wanted = listen.length === 1 ? 'statsdb' : `statsdb:${formatHostPort(address)}`;
    const stats = new SourceStats(freeName(wanted, names), 'connection');
    return createStatsdbSource({ ...context, listen: address, logins, tls, stats });
  });
  return { all: [...redis, ...statsdb], statsdb };
}

async function createRedisSources(
  config: Config,
  { sink, nowMs, log }: SourcesContext,
): Promise<Source[]> {
  // ioredis is half of the time to start, and the embedded statsdb needs none of it.
  const { RedisSource } = await import('./redis/redis-source.ts');
  const sameServer = new SameServer();
  return config.redis.sources.map((source) => {
    const stats = new SourceStats(source.name, 'status');
    return new RedisSource({
      resyncIntervalMs: config.redis.resyncIntervalMs,
      config: source,
      access: config.redis.access,
      sink,
      stats,
      nowMs,
      log,
      sameServer,
    });
  });
}

/** A user may have given a Redis the name that we would give. */
function freeName(wanted: string, taken: Set<string>): string {
  let name = wanted;
  for (let number = 2; taken.has(name); number += 1) name = `${wanted}-${number}`;
  taken.add(name);
  return name;
}

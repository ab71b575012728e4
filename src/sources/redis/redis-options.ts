import type { RedisOptions } from 'ioredis';
import type { RedisTlsConfig } from '../../config/config.ts';
import type { RedisSourceConfig } from '../../config/redis-url.ts';

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 10_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** TCP keepalive probes begin after this idle time. */
const KEEPALIVE_MS = 10_000;

/** Options of one connection to a Redis, for ioredis. It opens when told to. */
export function redisOptions(
  config: RedisSourceConfig,
  tls: RedisTlsConfig | undefined,
): RedisOptions {
  return {
    ...endpointOptions(config),
    db: config.db,
    ...(config.username === undefined ? {} : { username: config.username }),
    ...(config.password === undefined ? {} : { password: config.password }),
    ...(config.tls ? { tls: { ...tls } } : {}),
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    keepAlive: KEEPALIVE_MS,
    disableClientInfo: true,
    // What was asked on a broken connection is asked anew by us, once a new one is there.
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: null,
    retryStrategy: (attempt) => retryDelayMs(attempt, Math.random()),
    sentinelRetryStrategy: (attempt) => retryDelayMs(attempt, Math.random()),
  };
}

/**
 * How long to wait before attempt number `attempt` (from 1), in ms: doubling, within limits, and
 * spread by `random` (0 to 1) so that many exporters do not come back at the same moment.
 */
export function retryDelayMs(attempt: number, random: number): number {
  const limit = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 10));
  return Math.round(limit * (0.5 + random / 2));
}

function endpointOptions({ endpoint, tls }: RedisSourceConfig): RedisOptions {
  if (endpoint.kind === 'server') return { ...endpoint.address };
  return {
    sentinels: [...endpoint.sentinels],
    name: endpoint.master,
    ...(tls ? { enableTLSForSentinelMode: true } : {}),
  };
}

import { Redis } from 'ioredis';
import type { RedisTlsConfig } from '../config/config.ts';
import type { RedisSourceConfig } from '../config/redis-url.ts';
import { redisOptions } from '../sources/redis-options.ts';

/** How long a connection or an answer may take, in ms. */
const PATIENCE_MS = 5_000;

/** Where to connect to. */
export interface Target {
  readonly config: RedisSourceConfig;
  readonly tls?: RedisTlsConfig | undefined;
}

/**
 * Opens a connection to a Redis that never tries twice, in database 0: whether the one of the URL
 * can be had is a question of its own. Close it by `disconnect`.
 *
 * @throws {Error} whose message tells why, in the words of the network or of Redis
 */
export async function connect({ config, tls }: Target): Promise<Redis> {
  const redis = new Redis({
    ...redisOptions(config, tls),
    db: 0,
    connectTimeout: PATIENCE_MS,
    commandTimeout: PATIENCE_MS,
    // It would ask INFO, which may be denied.
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    sentinelRetryStrategy: () => null,
  });
  let reason = '';
  // The call that waits only learns that the connection was closed; this tells why, at first hand.
  redis.on('error', (error: Error & { code?: string }) => {
    if (reason === '') reason = `${error.code ?? ''} ${error.message}`.trim();
  });
  try {
    await redis.connect();
    // That PING is denied to this user is one of the things to find out.
    await redis.ping().catch(unlessDenied);
    // A wrong password leaves the connection with the rights of the default user for a moment.
    if (reason !== '') throw new Error(reason);
    return redis;
  } catch (cause) {
    redis.disconnect();
    throw new Error(reason === '' ? messageOf(cause) : reason, { cause });
  }
}

function unlessDenied(error: unknown): void {
  if (!isDenied(error)) throw error;
}

/** What an error says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether Redis refuses a command to this user, or to everybody as managed ones do. */
export function isDenied(error: unknown): boolean {
  return /^NOPERM|^ERR unknown command|^ERR .*not (?:allowed|supported|permitted)/i.test(
    messageOf(error),
  );
}

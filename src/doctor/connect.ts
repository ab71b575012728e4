import { Redis } from 'ioredis';
import type { RedisTlsConfig } from '../config/config.ts';
import type { RedisSourceConfig } from '../config/redis-url.ts';
import { formatHostPort } from '../config/values.ts';
import { redisOptions } from '../sources/redis/redis-options.ts';
import { type Finding, fail } from './report.ts';

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

/** What a failure to connect looks like, and what to do about it; the first that matches is told. */
const CAUSES: readonly (readonly [pattern: RegExp, finding: string, fix: string])[] = [
  [
    /ECONNREFUSED/,
    'connection refused',
    'start Redis there, let it listen on that address (bind), or correct --redis.url',
  ],
  [
    /ENOTFOUND|EAI_AGAIN/,
    'the host name is not known',
    'correct the host in --redis.url, or the name service of this machine',
  ],
  [
    /ETIMEDOUT|Command timed out|EHOSTUNREACH|ENETUNREACH/,
    'no answer in time',
    'open the port in firewalls and security groups, or correct --redis.url',
  ],
  [
    /WRONGPASS|invalid password/i,
    'user or password is wrong',
    'correct the password in --redis.url or --redis.password-file (special characters of a URL are percent-encoded)',
  ],
  [
    /NOAUTH/,
    'a password is asked for, and none was given',
    'give it with --redis.password-file or in --redis.url',
  ],
  [
    /DENIED/,
    'Redis is in protected mode and talks to its own machine only',
    'set a password there (requirepass) and give it with --redis.password-file',
  ],
  [
    /altname|Hostname\/IP does not match/i,
    'its certificate is for another name',
    'use the name in the certificate as the host of --redis.url',
  ],
  [
    /self.signed|unable to (?:verify|get)|CERT_|SELF_SIGNED|UNABLE_TO/i,
    'its certificate is not trusted',
    'give the authority that signed it with --redis.tls-ca-file',
  ],
  [
    /certificate required|handshake failure|bad certificate|unknown ca/i,
    'it refuses our certificate',
    'give one that it trusts with --redis.tls-cert-file and --redis.tls-key-file',
  ],
  [
    /wrong version number|packet length too long|SSL routines|before secure TLS/i,
    'it does not speak TLS there',
    'write redis:// instead of rediss://, or the port on which it does',
  ],
  [
    /sentinels? are unreachable|No sentinels/i,
    'no Sentinel knows a master of that name, or none answers',
    'compare --redis.url with SENTINEL MASTERS on a Sentinel',
  ],
  [
    /Protocol error|ParserError/i,
    'what answers there is no Redis',
    'correct the port in --redis.url',
  ],
  [/LOADING/, 'it is still loading its data', 'wait until it has started'],
  [
    /ECONNRESET|EPIPE|closed|hang up/i,
    'it hangs up at once',
    'write rediss:// instead of redis:// if it speaks TLS, and look at maxclients and its log',
  ],
];

/**
 * Why a Redis cannot be used at all.
 *
 * @param reason what the network, TLS or Redis said
 */
export function explainFailure(reason: string, config: RedisSourceConfig): Finding {
  const at = addressOf(config);
  // A Redis without TLS takes our greeting for the beginning of a command, and waits for its end.
  if (config.tls && /ETIMEDOUT|timed out/i.test(reason)) {
    return fail(
      'reachable',
      `no answer in time (${at})`,
      'write redis:// instead of rediss:// if it speaks no TLS there, else open the port in firewalls',
    );
  }
  for (const [pattern, finding, fix] of CAUSES) {
    if (pattern.test(reason)) return fail('reachable', `${finding} (${at})`, fix);
  }
  return fail('reachable', `${reason} (${at})`, 'correct --redis.url');
}

/** For people: where a source is, without credentials. */
export function addressOf({ endpoint }: RedisSourceConfig): string {
  if (endpoint.kind === 'server') return formatHostPort(endpoint.address);
  return `master ${endpoint.master} of ${endpoint.sentinels.map(formatHostPort).join(', ')}`;
}

import { readFileSync } from 'node:fs';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { Redis } from 'ioredis';
import {
  type RedisAccess,
  type RedisCredentials,
  readCredentials,
} from '../../config/redis-access.ts';
import type { RedisSourceConfig } from '../../config/redis-url.ts';
import { formatHostPort, type HostPort } from '../../config/values.ts';
import { errorCode } from '../../log.ts';
import { type Cause, causeOf, isDenied, type Where } from './causes.ts';

/** How long a connection may take to come about, and one answer on it, in ms. */
const PATIENCE_MS = 10_000;

/** TCP keepalive probes begin after this idle time, in ms. */
const KEEPALIVE_MS = 10_000;

/** A server that has not begun its side of TLS by then is told of, and waited for on, in ms. */
const TLS_SILENCE_MS = 1_500;

/** How long a server has to refuse what it does not like, in ms. */
const PROBE_MS = 5_000;

/** How often it is asked until it tells more than that it hangs up. */
const MAX_PROBES = 5;

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 10_000;

/** What connections to one source are made of. */
export interface ConnectionContext {
  readonly config: RedisSourceConfig;
  readonly access: RedisAccess;
  /** Ends what is under way. */
  readonly signal: AbortSignal;
  /** Hears early of what will most likely fail. */
  readonly onTrouble?: (cause: Cause) => void;
  /** Instead of 10 s. */
  readonly patienceMs?: number;
}

/** One server, and who it is in the setup. */
export interface Place {
  readonly address: HostPort;
  readonly role: 'Redis' | 'Sentinel';
}

/** A connection could not be had, or is of no use. */
export class ConnectionFailure extends Error {
  readonly explained: Cause;

  constructor(explained: Cause, cause?: unknown) {
    super(explained.finding, { cause });
    this.explained = explained;
  }
}

/**
 * Opens and authenticates a connection, in database 0. It never connects again by itself; close it by
 * `disconnect`. ioredis only carries commands here: left to itself it asks INFO, which may be denied,
 * prints a warning for a password that is not needed, and takes no notice of a refused SELECT.
 *
 * @throws {ConnectionFailure} that tells the cause at first hand
 */
export async function openConnection(place: Place, options: ConnectionContext): Promise<Redis> {
  const { config, access, signal, patienceMs = PATIENCE_MS } = options;
  const credentials = credentialsOf(access);
  const isSentinel = place.role === 'Sentinel';
  const username = isSentinel ? access.sentinelUser : config.username;
  const password = isSentinel
    ? credentials.sentinelPassword
    : (config.password ?? credentials.password);
  const tls = tlsOf(place.address, config, credentials);
  const redis = createClient(place.address, tls, patienceMs);
  const seen: { error?: Error } = {};
  redis.on('error', (error: Error) => {
    seen.error ??= error;
  });
  const stop = () => redis.disconnect();
  signal.addEventListener('abort', stop, { once: true });
  const silence = watchSilence(redis, place, options);
  try {
    await redis.connect();
    clearTimeout(silence);
    if (password !== undefined) await authenticate(redis, username, password);
    return redis;
  } catch (error) {
    redis.disconnect();
    throw await explain(seen.error ?? error, place, options);
  } finally {
    clearTimeout(silence);
    signal.removeEventListener('abort', stop);
  }
}

/** The failure that an error on a connection is, with its cause as far as it can be learned. */
export async function explain(
  error: unknown,
  place: Place,
  { config, access }: Pick<ConnectionContext, 'config' | 'access'>,
): Promise<ConnectionFailure> {
  if (error instanceof ConnectionFailure) return error;
  const where = whereOf(place, config);
  let told = reasonOf(error);
  // The alert that tells why may be lost in the reset that follows it, and a server that expects TLS
  // only hangs up: a connection on which we say nothing learns more.
  if (/ECONNRESET|EPIPE|closed|ECONNABORTED/i.test(told)) {
    const tls = tlsOf(place.address, config, credentialsOf(access));
    told = (await probeTls(place.address, tls)) ?? told;
  }
  return new ConnectionFailure(causeOf(told, where), error);
}

function whereOf({ role, address }: Place, { tls }: RedisSourceConfig): Where {
  return { isTls: tls, role, at: formatHostPort(address) };
}

function tlsOf(
  { host }: HostPort,
  config: RedisSourceConfig,
  { tls }: RedisCredentials,
): ConnectionOptions | undefined {
  if (!config.tls) return undefined;
  const given = Object.entries(tls).filter(([, pem]) => pem !== undefined);
  // A name that stands in a certificate; an address is compared as it is.
  return { ...Object.fromEntries(given), host };
}

function credentialsOf(access: RedisAccess): RedisCredentials {
  try {
    return readCredentials(access, (path) => readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new ConnectionFailure(
      { finding: cause instanceof Error ? cause.message : String(cause), fix: 'mend that file' },
      cause,
    );
  }
}

function createClient(
  { host, port }: HostPort,
  tls: ConnectionOptions | undefined,
  patienceMs: number,
): Redis {
  return new Redis({
    host,
    port,
    ...(tls === undefined ? {} : { tls }),
    lazyConnect: true,
    connectTimeout: patienceMs,
    commandTimeout: patienceMs,
    keepAlive: KEEPALIVE_MS,
    disableClientInfo: true,
    enableReadyCheck: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
}

async function authenticate(
  redis: Redis,
  username: string | undefined,
  password: string,
): Promise<void> {
  try {
    await (username === undefined ? redis.auth(password) : redis.auth(username, password));
  } catch (error) {
    // Redis before 6 and after: who needs no password lets in all the same.
    if (!/no password is set|without any password configured/i.test(reasonOf(error))) throw error;
  }
}

/** A port without TLS takes our greeting for the beginning of a command, and waits for its end. */
function watchSilence(
  redis: Redis,
  place: Place,
  { config, onTrouble }: ConnectionContext,
): NodeJS.Timeout | undefined {
  if (!config.tls) return undefined;
  return setTimeout(() => {
    const { stream } = redis;
    // Undefined until the connection of TCP is there at all.
    if (stream !== undefined && !stream.connecting && redis.status === 'connecting') {
      onTrouble?.(causeOf('ETIMEDOUT', whereOf(place, config)));
    }
  }, TLS_SILENCE_MS).unref();
}

/** What an error says, with its code: ` ` for none. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Of several addresses tried, the first tells enough.
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  const code = errorCode(error);
  return code === undefined || error.message.includes(code)
    ? error.message
    : `${code} ${error.message}`;
}

/** Whether an error is an answer of Redis, rather than the want of one. */
export function isAnswer(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError';
}

/**
 * Selects one of the databases of a source. Where the only one is number 0, in which a connection
 * begins, nothing is asked: it may not be permitted.
 *
 * @throws {ConnectionFailure} when it cannot be had: what is read there would be of another
 */
export async function selectDatabase(
  redis: Redis,
  db: number,
  { dbs }: RedisSourceConfig,
): Promise<void> {
  if (db === 0 && dbs.length === 1) return;
  try {
    await redis.select(db);
  } catch (error) {
    if (!isAnswer(error)) throw error;
    const said = reasonOf(error);
    const [finding, fix] = isDenied(said)
      ? [`the ACL denies SELECT, so database ${db} cannot be read`, 'permit +select']
      : [
          `there is no database ${db}`,
          'end --redis.url in the dbname of redis-statsdb in turnserver.conf',
        ];
    throw new ConnectionFailure({ finding: `${finding} (${said})`, fix }, error);
  }
}

/**
 * How long to wait before attempt number `attempt` (from 1), in ms: doubling, within limits, and
 * spread by `random` (0 to 1) so that many exporters do not come back at the same moment.
 */
export function retryDelayMs(attempt: number, random: number): number {
  const limit = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 10));
  return Math.round(limit * (0.5 + random / 2));
}

/**
 * What a server says to a greeting of TLS and nothing more: in TLS 1.3 it looks at our certificate
 * only after we take the connection for open, and what we write by then makes the system throw its
 * alert away.
 *
 * @param tls of the connection that failed; undefined when it had none
 * @returns the error; `plain to TLS` when TLS works and was not asked for; undefined when nothing
 * speaks against TLS, or nothing for it
 */
async function probeTls(
  address: HostPort,
  tls: ConnectionOptions | undefined,
): Promise<string | undefined> {
  // Even so a reset may overtake the alert; seldom many times in a row.
  for (let attempt = 1; attempt < MAX_PROBES; attempt += 1) {
    const told = await probeOnce(address, tls);
    if (told === undefined || !/ECONNRESET|EPIPE|closed/.test(told)) return told;
  }
  return await probeOnce(address, tls);
}

function probeOnce(
  { host, port }: HostPort,
  tls: ConnectionOptions | undefined,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    let isOpen = false;
    const socket = connectTls({ ...(tls ?? { rejectUnauthorized: false }), host, port });
    const timer = setTimeout(() => done(undefined), PROBE_MS);
    const done = (error: (Error & { code?: string }) | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      const told = error === undefined ? undefined : `${error.code ?? ''} ${error.message}`.trim();
      if (tls !== undefined) resolve(told);
      // An alert is TLS as well.
      else resolve(isOpen || /alert/i.test(told ?? '') ? 'plain to TLS' : undefined);
    };
    socket.once('secureConnect', () => {
      isOpen = true;
      if (tls === undefined) done(undefined);
    });
    socket.on('error', done);
    socket.once('close', () => done(new Error('closed')));
  });
}

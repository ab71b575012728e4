import { Redis } from 'ioredis';
import type { RedisTlsConfig } from '../../config/config.ts';
import type { RedisSourceConfig } from '../../config/redis-url.ts';
import { STATUS_KEYS_PATTERN } from '../../coturn/patterns.ts';
import type { Origin } from '../../domain/origin.ts';
import type { ScanSink } from '../source.ts';
import { redisOptions } from './redis-options.ts';
import type { RedisTelemetry } from './redis-source.ts';

/** How long Redis may take for one answer, in ms; a batch of keys takes it some milliseconds. */
const ANSWER_TIMEOUT_MS = 10_000;

/** What a {@link RedisResync} works with. */
export interface RedisResyncOptions {
  readonly config: RedisSourceConfig;
  readonly tls?: RedisTlsConfig | undefined;
  readonly sink: ScanSink;
  readonly nowMs: () => number;
  readonly telemetry: RedisTelemetry;
}

/**
 * Reads the status keys of a Redis, to adopt what lives there unknown and to suspect what is gone. On
 * a connection of its own, since a subscriber can ask nothing; made for each reading, so that there
 * is none to look after between them.
 */
export class RedisResync {
  readonly #options: RedisResyncOptions;
  #connection: Redis | undefined;

  constructor(options: RedisResyncOptions) {
    this.#options = options;
  }

  /** Reads all keys once. A failure is told to the telemetry and leaves everything as it was. */
  async run(origin: Origin): Promise<void> {
    const { config, tls, sink, nowMs, telemetry } = this.#options;
    this.stop();
    const redis = new Redis({
      ...redisOptions(config, tls),
      retryStrategy: () => null,
      commandTimeout: ANSWER_TIMEOUT_MS,
    });
    this.#connection = redis;
    // Every failure also rejects the call that waits; without a listener ioredis prints it.
    redis.on('error', () => undefined);
    const startedMs = nowMs();
    try {
      await redis.connect();
      const scan = sink.beginScan(origin, nowMs());
      for await (const entries of scanStatusKeys(redis)) {
        for (const { key, value } of entries) scan.found(key, value, nowMs());
      }
      telemetry.resynced(scan.end(), nowMs() - startedMs);
    } catch (error) {
      const isStopped = this.#connection !== redis;
      if (!isStopped)
        telemetry.resyncFailed(error instanceof Error ? error.message : String(error));
    } finally {
      redis.disconnect();
    }
  }

  /** Gives up a reading under way. */
  stop(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.disconnect();
  }
}

/** A status key and its value. */
export interface StatusEntry {
  readonly key: string;
  readonly value: string;
}

/** How many keys Redis looks at in one step, so that none takes it longer than about 1 ms. */
const STEP = 1000;

/**
 * Reads all status keys with their values, by SCAN, which unlike KEYS does not hold up Redis. A key
 * that appears or goes meanwhile may be missing; one may come twice.
 *
 * @throws what Redis or the network says
 */
export async function* scanStatusKeys(redis: Redis): AsyncGenerator<readonly StatusEntry[]> {
  // Bytes, since a key need not be valid UTF-8 and is asked for again by its name.
  const steps = redis.scanBufferStream({ match: STATUS_KEYS_PATTERN, count: STEP });
  for await (const keys of steps as AsyncIterable<Buffer[]>) {
    if (keys.length > 0) yield entriesOf(keys, await redis.mgetBuffer(keys));
  }
}

function entriesOf(keys: readonly Buffer[], values: readonly (Buffer | null)[]): StatusEntry[] {
  const entries: StatusEntry[] = [];
  for (const [index, key] of keys.entries()) {
    // A key that went between the two commands has no value.
    const value = values[index];
    if (value) entries.push({ key: key.toString(), value: value.toString() });
  }
  return entries;
}

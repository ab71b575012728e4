import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { RedisTlsConfig } from '../../config/config.ts';
import type { RedisSourceConfig } from '../../config/redis-url.ts';
import { PATTERNS } from '../../coturn/patterns.ts';
import type { Origin } from '../../domain/origin.ts';
import type { ScanResult } from '../../domain/reconcile.ts';
import type { SourceStats } from '../../domain/source-stats.ts';
import { createReplyReader } from '../resp/replies.ts';
import type { ScanSink, Source, SourceStatus } from '../source.ts';
import { redisOptions, retryDelayMs } from './redis-options.ts';
import { RedisResync } from './resync.ts';

/** A subscriber hears nothing from an idle coturn, so only an answer to PING shows a live Redis. */
const PING_INTERVAL_MS = 10_000;

/** How long a new connection may take to be subscribed, in ms: one may be accepted and never answered. */
const SUBSCRIBE_TIMEOUT_MS = 10_000;

/** What a Redis source works with. */
export interface RedisSourceOptions {
  readonly config: RedisSourceConfig;
  readonly tls?: RedisTlsConfig | undefined;
  readonly sink: ScanSink;
  readonly stats: SourceStats;
  readonly nowMs: () => number;
  /** How long after a scan of the status keys the next one begins, in ms. */
  readonly resyncIntervalMs: number;
  readonly telemetry: RedisTelemetry;
}

/**
 * Subscribes to the Redis that coturn publishes to, and reads its status keys after each
 * subscription to learn of allocations that began before. Connects again for ever.
 */
export class RedisSource implements Source {
  readonly stats: SourceStats;
  readonly #options: RedisSourceOptions;
  readonly #origin: Origin;
  #subscriber: Redis | undefined;
  #isSubscribed = false;
  #lostAtMs = 0;
  /** When Redis answered last, in ms. */
  #answeredMs = 0;
  #isStalled = false;
  /** Refused subscriptions in a row. */
  #refusals = 0;
  #reason = 'not connected yet';
  #pingTimer: NodeJS.Timeout | undefined;
  #resyncTimer: NodeJS.Timeout | undefined;
  readonly #resyncer: RedisResync;

  constructor(options: RedisSourceOptions) {
    this.stats = options.stats;
    this.#options = options;
    this.#origin = options.sink.openOrigin(options.stats, options.stats.name);
    this.#resyncer = new RedisResync(options);
  }

  status(): SourceStatus {
    return {
      kind: 'redis',
      up: this.#isSubscribed,
      ready: this.#isSubscribed,
      detail: this.#isSubscribed ? 'subscribed' : this.#reason,
    };
  }

  async start(): Promise<void> {
    if (this.#subscriber !== undefined) return;
    const { config, tls, sink, nowMs } = this.#options;
    const subscriber = new Redis(redisOptions(config, tls));
    this.#subscriber = subscriber;
    subscriber.on('pmessage', (_pattern: string, key: string, payload: string) => {
      sink.receive(this.#origin, key, payload, nowMs());
    });
    subscriber.on('connect', () => {
      this.#limit(subscriber);
      this.#takeOver(subscriber);
    });
    subscriber.on('ready', () => void this.#subscribe(subscriber));
    subscriber.on('error', (error: Error) => this.#fail(error.message));
    subscriber.on('close', () => this.#lose());
    // The first attempt may fail like any later one; `error` has told why.
    subscriber.connect().catch(() => undefined);
  }

  async stop(): Promise<void> {
    clearInterval(this.#pingTimer);
    clearTimeout(this.#resyncTimer);
    const subscriber = this.#subscriber;
    this.#subscriber = undefined;
    this.#isSubscribed = false;
    this.#reason = 'stopped';
    subscriber?.removeAllListeners('close');
    subscriber?.removeAllListeners('pmessage');
    subscriber?.disconnect();
    this.#resyncer.stop();
  }

  /**
   * Reads messages before ioredis does, which takes several times as long for each; all other
   * replies still go to it. Should a version of it read otherwise, `pmessage` tells the messages.
   */
  #takeOver({ stream }: Redis): void {
    const [listener, ...more] = stream.listeners('data');
    if (listener === undefined || more.length > 0) return;
    const { sink, nowMs } = this.#options;
    let arrivedMs = 0;
    const reader = createReplyReader({
      messageShared: (key, payload) => sink.receiveDelta(this.#origin, key, payload, arrivedMs),
      message: (key, payload) => sink.receive(this.#origin, key, payload, arrivedMs),
      other: (bytes) => listener.call(stream, bytes),
    });
    stream.removeAllListeners('data');
    stream.on('data', (chunk: Buffer) => {
      // A connection that is closed still delivers what was under way.
      if (this.#subscriber === undefined) return;
      arrivedMs = nowMs();
      if (reader.push(chunk) !== undefined)
        stream.destroy(new Error('it does not speak the Redis protocol'));
    });
  }

  async #subscribe(subscriber: Redis): Promise<void> {
    try {
      await subscriber.psubscribe(...PATTERNS);
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
      // Nothing comes over this connection: another attempt may find the ACL mended. ioredis takes
      // it for a good one and would try again at once.
      clearInterval(this.#pingTimer);
      this.#refusals += 1;
      const delayMs = retryDelayMs(this.#refusals, Math.random());
      this.#resyncTimer = setTimeout(() => subscriber.disconnect(true), delayMs);
      return;
    }
    if (this.#subscriber !== subscriber) return;
    this.#isSubscribed = true;
    this.#isStalled = false;
    this.#answeredMs = this.#options.nowMs();
    this.#refusals = 0;
    this.#reason = '';
    const { nowMs, sink, telemetry } = this.#options;
    const gapMs = this.#lostAtMs === 0 ? 0 : nowMs() - this.#lostAtMs;
    if (gapMs > 0) sink.noteGap(this.#origin);
    this.stats.countGap(gapMs);
    telemetry.subscribed(gapMs);
    this.#watch(subscriber);
    await this.#resync(subscriber);
  }

  /** Cuts a new connection over which no subscription comes about in time. */
  #limit(subscriber: Redis): void {
    clearInterval(this.#pingTimer);
    this.#pingTimer = setInterval(() => {
      this.#fail('no answer');
      subscriber.disconnect(true);
    }, SUBSCRIBE_TIMEOUT_MS);
    this.#pingTimer.unref();
  }

  /** Cuts a connection whose Redis does not answer: a stalled one looks like a silent one. */
  #watch(subscriber: Redis): void {
    clearInterval(this.#pingTimer);
    let isAnswered = true;
    this.#pingTimer = setInterval(() => {
      if (!isAnswered) {
        this.#reason = 'no answer to PING';
        this.#isStalled = true;
        subscriber.disconnect(true);
        return;
      }
      isAnswered = false;
      subscriber.ping().then(
        () => {
          isAnswered = true;
          this.#answeredMs = this.#options.nowMs();
        },
        () => undefined,
      );
    }, PING_INTERVAL_MS);
    this.#pingTimer.unref();
  }

  #fail(why: string): void {
    this.#reason = why === '' ? 'connection failed' : why;
    if (!this.#isSubscribed) this.#options.telemetry.connectionFailed(this.#reason);
  }

  #lose(): void {
    clearInterval(this.#pingTimer);
    clearTimeout(this.#resyncTimer);
    if (!this.#isSubscribed) return;
    this.#isSubscribed = false;
    // A stall is noticed late: nothing may have come since the last sign of life.
    const lastSignMs = Math.max(this.stats.lastEventMs, this.#answeredMs);
    this.#lostAtMs = this.#isStalled ? lastSignMs : this.#options.nowMs();
    if (this.#reason === '') this.#reason = 'connection closed';
    this.#options.telemetry.disconnected(this.#reason);
  }

  /** Compares what is known with the status keys, now and at every interval, while subscribed. */
  async #resync(subscriber: Redis): Promise<void> {
    await this.#resyncer.run(this.#origin);
    clearTimeout(this.#resyncTimer);
    if (this.#subscriber !== subscriber || !this.#isSubscribed) return;
    this.#resyncTimer = setTimeout(
      () => void this.#resync(subscriber),
      this.#options.resyncIntervalMs,
    );
  }
}

/** What the log says about one Redis source, and the counters that go with it. */
export interface RedisTelemetry {
  subscribed(gapMs: number): void;
  connectionFailed(why: string): void;
  disconnected(why: string): void;
  resynced(result: ScanResult, milliseconds: number): void;
  resyncFailed(why: string): void;
}

/** Passwords never get here: what Redis and the network say does not hold them. */
export function createRedisTelemetry(parentLog: Logger, stats: SourceStats): RedisTelemetry {
  const log = parentLog.child({ source: stats.name });
  let lastFailure = '';
  let isWarned = false;
  return {
    subscribed(gapMs) {
      lastFailure = '';
      if (gapMs > 0) {
        log.warn({ gapSeconds: gapMs / 1000 }, 'subscribed again, events of the gap are lost');
      } else {
        log.info('subscribed');
      }
    },
    connectionFailed(why) {
      // Attempts go on for ever: each new reason is told once, its repetitions at debug.
      const level = why === lastFailure ? 'debug' : 'warn';
      lastFailure = why;
      log[level]({ reason: why }, 'cannot receive events, trying again');
    },
    disconnected(why) {
      stats.countDisconnect();
      lastFailure = why;
      log.warn({ reason: why }, 'connection lost, connecting again');
    },
    resynced(result, milliseconds) {
      log.debug({ ...result, milliseconds: Math.round(milliseconds) }, 'status keys are read');
      if (result.isWrongDatabase && !isWarned) {
        log.warn(
          'allocations live whose status keys are not there: the database number in --redis.url is probably not the dbname of redis-statsdb; missing keys mean nothing until some are found',
        );
      }
      isWarned = result.isWrongDatabase;
    },
    resyncFailed(why) {
      log.warn({ reason: why }, 'status keys cannot be read, live allocations may be missing');
    },
  };
}

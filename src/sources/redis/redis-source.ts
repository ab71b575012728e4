import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { RedisAccess } from '../../config/redis-access.ts';
import type { RedisSourceConfig } from '../../config/redis-url.ts';
import { PATTERNS } from '../../coturn/patterns.ts';
import type { Origin } from '../../domain/origin.ts';
import type { ScanResult } from '../../domain/reconcile.ts';
import type { SourceStats } from '../../domain/source-stats.ts';
import { createReplyReader } from '../resp/replies.ts';
import type { ScanSink, Source, SourceStatus } from '../source.ts';
import { Turns } from '../turns.ts';
import type { Cause } from './causes.ts';
import {
  type ConnectionContext,
  explain,
  isAnswer,
  openConnection,
  type Place,
  reasonOf,
  retryDelayMs,
  selectDatabase,
} from './connection.ts';
import { locate } from './locate.ts';
import { Resync } from './resync.ts';
import type { Claimant, SameServer } from './same-server.ts';

/**
 * How often Redis is asked for a sign of life, in ms. A subscriber hears nothing from an idle coturn,
 * and a Redis that stalls or cuts a connection is noticed late: all that was published before an
 * answered question has come, what came after it may not.
 */
const PULSE_MS = 1_000;

/** Pulses without an answer until the connection is given up. Not a time: we may have been stopped. */
const MAX_MISSED_PULSES = 10;

/** How long a source that is the same server as another stays away, in ms. */
const SAME_SERVER_RETRY_MS = 30_000;

/** What a Redis source works with. */
export interface RedisSourceOptions {
  readonly config: RedisSourceConfig;
  readonly access: RedisAccess;
  readonly sink: ScanSink;
  readonly stats: SourceStats;
  readonly nowMs: () => number;
  /** How long after a scan of the status keys the next one begins, in ms. */
  readonly resyncIntervalMs: number;
  readonly log: Logger;
  /** Shared by all sources. */
  readonly sameServer: SameServer;
}

/** What a source is about. Each state ends its own timers and connections by {@link end}. */
type State =
  | { readonly kind: 'stopped' }
  | Connecting
  | { readonly kind: 'waiting'; readonly retry: NodeJS.Timeout }
  | Subscribed;

interface Connecting {
  readonly kind: 'connecting';
  /** Aborted when the attempt is over, with all connections made for it. */
  readonly life: AbortController;
}

interface Subscribed {
  readonly kind: 'subscribed';
  readonly life: AbortController;
  readonly pulse: NodeJS.Timeout;
  readonly resync: Resync;
}

/**
 * Subscribes to the Redis that coturn publishes to, and reads its status keys after each
 * subscription to learn of allocations that began before. Connects again for ever: each attempt looks
 * for the server anew, with the certificates and passwords of that moment.
 */
export class RedisSource implements Source, Claimant {
  readonly stats: SourceStats;
  readonly #options: RedisSourceOptions;
  readonly #origin: Origin;
  readonly #log: Logger;
  #state: State = { kind: 'stopped' };
  #detail = 'not connected yet';
  /** Attempts in a row that came to nothing. */
  #failures = 0;
  /** What the log was told since the last subscription, so that each cause is told once. */
  readonly #told = new Set<string>();
  /** All that was published before is here, in ms; undefined before the first subscription. */
  #provenMs: number | undefined;
  /** How much of the gap since then is counted, in ms. */
  #notedMs = 0;
  #mayAskIdentity = true;
  #isWrongDatabase = false;

  constructor(options: RedisSourceOptions) {
    this.stats = options.stats;
    this.#options = options;
    this.#log = options.log.child({ source: options.stats.name });
    this.#origin = options.sink.openOrigin(options.stats, options.stats.name);
    options.sameServer.join(this);
  }

  get name(): string {
    return this.stats.name;
  }

  status(): SourceStatus {
    const isSubscribed = this.#state.kind === 'subscribed';
    return { kind: 'redis', up: isSubscribed, ready: isSubscribed, detail: this.#detail };
  }

  async start(): Promise<void> {
    if (this.#state.kind === 'stopped') this.#connect();
  }

  async stop(): Promise<void> {
    this.#enter({ kind: 'stopped' });
    this.#detail = 'stopped';
  }

  yieldTo(other: string): void {
    const { sink } = this.#options;
    // What it brought twice ends with its lifetime; until then it counts for nothing.
    sink.suspectAll(this.#origin);
    this.#stepBack(other);
  }

  #enter(state: State): void {
    const before = this.#state;
    this.#state = state;
    switch (before.kind) {
      case 'connecting':
        if (state.kind !== 'subscribed') before.life.abort();
        break;
      case 'waiting':
        clearTimeout(before.retry);
        break;
      case 'subscribed':
        clearInterval(before.pulse);
        before.life.abort();
        break;
      case 'stopped':
        break;
    }
    if (state.kind !== 'subscribed') this.#options.sameServer.release(this);
  }

  #connect(): void {
    const life = new AbortController();
    this.#enter({ kind: 'connecting', life });
    void this.#attempt(life);
  }

  async #attempt(life: AbortController): Promise<void> {
    const context = this.#context(life.signal);
    const isOver = () => life.signal.aborted;
    let place: Place = { address: { host: '', port: 0 }, role: 'Redis' };
    let broken: Error | undefined;
    try {
      place = await locate(context, this.#failures);
      const redis = await openConnection(place, context);
      if (isOver()) return redis.disconnect();
      life.signal.addEventListener('abort', () => redis.disconnect(), { once: true });
      redis.on('error', (error: Error) => {
        broken ??= error;
      });
      redis.on('close', () => this.#lose(life, broken));
      for (const db of context.config.dbs) await selectDatabase(redis, db, context.config);
      const other = await this.#sameAs(redis);
      if (isOver()) return;
      if (other !== undefined) return this.#stepBack(other);
      this.#takeOver(redis, life.signal);
      await redis.psubscribe(...PATTERNS);
      if (!isOver()) this.#subscribed(redis, place, life);
    } catch (error) {
      if (isOver()) return;
      const failure = await explain(broken ?? error, place, context);
      if (!isOver()) this.#fail(failure.explained);
    }
  }

  #context(signal: AbortSignal): ConnectionContext {
    const { config, access } = this.#options;
    return { config, access, signal, onTrouble: (cause) => this.#trouble(cause) };
  }

  /** The source that is connected to the same server, if one is. */
  async #sameAs(redis: Redis): Promise<string | undefined> {
    const { sameServer } = this.#options;
    if (!sameServer.isNeeded) return undefined;
    const { remoteAddress, remotePort } = redis.stream;
    const identities = [`${remoteAddress} ${remotePort}`];
    if (this.#mayAskIdentity) {
      const info = await redis.info('server').catch((error: unknown) => {
        if (!isAnswer(error)) throw error;
        // Asked once only: each refusal stands in the log of Redis.
        this.#mayAskIdentity = false;
        return '';
      });
      const runId = /^run_id:(\w+)/m.exec(info)?.[1];
      if (runId !== undefined) identities.push(runId);
    }
    return sameServer.claim(this, identities);
  }

  /**
   * Reads messages before ioredis does, which takes several times as long for each; all other
   * replies still go to it. Should a version of it read otherwise, `pmessage` tells the messages.
   */
  #takeOver(redis: Redis, signal: AbortSignal): void {
    const { sink, nowMs, sameServer } = this.#options;
    const { stream } = redis;
    let arrivedMs = 0;
    const receive = (key: string, payload: string): void => {
      if (signal.aborted) return;
      sink.receive(this.#origin, key, payload, arrivedMs);
      if (sameServer.isNeeded) sameServer.hear(this, `${key} ${payload}`, arrivedMs);
    };
    redis.on('pmessage', (_pattern: string, key: string, payload: string) => {
      arrivedMs = nowMs();
      receive(key, payload);
    });
    const [listener, ...more] = stream.listeners('data');
    if (listener === undefined || more.length > 0) return;
    const reader = createReplyReader({
      messageInPlace: (message) => sink.receiveDelta(this.#origin, message, arrivedMs),
      message: receive,
      other: (bytes) => listener.call(stream, bytes),
    });
    const turns = new Turns(stream);
    stream.removeAllListeners('data');
    stream.on('data', (chunk: Buffer) => {
      // A connection that is closed still delivers what was under way.
      if (signal.aborted) return;
      arrivedMs = nowMs();
      if (reader.push(chunk) !== undefined) {
        stream.destroy(
          new Error(`Protocol error, got ${JSON.stringify(String.fromCharCode(chunk[0] ?? 0))}`),
        );
      }
      turns.take(chunk.length);
    });
  }

  #subscribed(redis: Redis, place: Place, life: AbortController): void {
    const { nowMs } = this.#options;
    const gapMs = this.#noteDeaf();
    this.#provenMs = nowMs();
    this.#notedMs = 0;
    const pulse = this.#startPulse(redis, life).unref();
    const resync = this.#startResync(place, life.signal);
    this.#enter({ kind: 'subscribed', life, pulse, resync });
    this.#failures = 0;
    this.#told.clear();
    this.#detail = 'subscribed';
    if (gapMs > 0) {
      const fields = { gapSeconds: gapMs / 1000 };
      this.#log.warn(fields, 'subscribed again, events of the gap are lost');
    } else {
      this.#log.info('subscribed');
    }
  }

  /**
   * Tells for how long nothing could arrive, as far as is known now: since the last sign of life.
   *
   * @returns the ms of the gap so far; 0 before the first subscription
   */
  #noteDeaf(): number {
    const { nowMs, sink } = this.#options;
    const fromMs = this.#provenMs;
    if (fromMs === undefined) return 0;
    const toMs = nowMs();
    sink.noteGap(this.#origin, { fromMs, toMs });
    this.stats.countGap(toMs - fromMs - this.#notedMs);
    this.#notedMs = toMs - fromMs;
    return this.#notedMs;
  }

  /** Asks for a sign of life again and again; cuts a connection whose Redis gives none. */
  #startPulse(redis: Redis, life: AbortController): NodeJS.Timeout {
    let askedMs: number | undefined;
    let missed = 0;
    let ask: () => Promise<unknown> = () => redis.ping();
    const answered = (): void => {
      this.#provenMs = askedMs;
      askedMs = undefined;
      missed = 0;
    };
    return setInterval(() => {
      if (this.#state.kind === 'subscribed') this.#state.resync.hurry();
      if (askedMs !== undefined) {
        missed += 1;
        if (missed >= MAX_MISSED_PULSES) this.#lose(life, new Error('no answer to PING'));
        return;
      }
      askedMs = this.#options.nowMs();
      ask().then(answered, (error: unknown) => {
        if (!isAnswer(error)) return;
        // A refusal is a sign of life. What it may ask for each time is what it is subscribed to.
        ask = () => redis.psubscribe(...PATTERNS);
        answered();
      });
    }, PULSE_MS);
  }

  #trouble(cause: Cause): void {
    if (this.#state.kind === 'subscribed') return;
    this.#detail = cause.finding;
    this.#tell({ reason: cause.finding }, 'cannot receive events, trying again');
  }

  #fail(cause: Cause): void {
    this.#trouble(cause);
    this.#noteDeaf();
    this.#failures += 1;
    this.#retryIn(retryDelayMs(this.#failures, Math.random()));
  }

  #lose(life: AbortController, error?: Error): void {
    if (this.#state.kind !== 'subscribed' || this.#state.life !== life) return;
    const reason = error === undefined ? 'connection closed' : reasonOf(error);
    this.#detail = reason;
    this.stats.countDisconnect();
    this.#noteDeaf();
    this.#log.warn({ reason }, 'connection lost, connecting again');
    this.#retryIn(retryDelayMs(1, Math.random()));
  }

  #stepBack(other: string): void {
    this.#detail = `the same server as source ${other}, which counts its events`;
    const message =
      'two --redis.url are one server: remove one of them, or write /0,1 for databases';
    this.#tell({ other }, message);
    this.#retryIn(SAME_SERVER_RETRY_MS);
  }

  #retryIn(delayMs: number): void {
    this.#enter({ kind: 'waiting', retry: setTimeout(() => this.#connect(), delayMs) });
  }

  #startResync(place: Place, signal: AbortSignal): Resync {
    const { sink, nowMs, resyncIntervalMs } = this.#options;
    return new Resync({
      ...{ sink, origin: this.#origin, place, context: this.#context(signal), nowMs },
      intervalMs: resyncIntervalMs,
      onScan: (result, milliseconds) => this.#resynced(result, milliseconds),
      onFailure: ({ finding }) => {
        this.#detail = `subscribed, but the status keys cannot be read: ${finding}`;
        this.#tell(
          { reason: finding },
          'status keys cannot be read, live allocations may be missing',
        );
      },
    });
  }

  #resynced(result: ScanResult, milliseconds: number): void {
    this.#detail = 'subscribed';
    this.#log.debug({ ...result, milliseconds: Math.round(milliseconds) }, 'status keys are read');
    if (result.isWrongDatabase && !this.#isWrongDatabase) {
      this.#log.warn(
        'allocations live whose status keys are not there: the database number in --redis.url is probably not the dbname of redis-statsdb; missing keys mean nothing until some are found',
      );
    }
    this.#isWrongDatabase = result.isWrongDatabase;
  }

  /** Attempts go on for ever: each cause is told once, its repetitions at debug. */
  #tell(fields: { readonly reason?: string; readonly other?: string }, message: string): void {
    const key = `${fields.reason ?? fields.other} ${message}`;
    this.#log[this.#told.has(key) ? 'debug' : 'warn'](fields, message);
    this.#told.add(key);
  }
}

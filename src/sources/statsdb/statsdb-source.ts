import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { unmapIpv4 } from '../../coturn/connection.ts';
import type { Origin } from '../../domain/origin.ts';
import type { SourceStats } from '../../domain/source-stats.ts';
import { errorCode } from '../../log.ts';
import type { MessageSink, Source, SourceStatus } from '../source.ts';
import { Password } from './client.ts';
import { Places } from './places.ts';
import { StatsdbConnection } from './statsdb-connection.ts';
import { StatsdbStats } from './statsdb-stats.ts';

/** A host, by name or address, and a TCP port. */
export interface ListenAddress {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
}

/** What {@link createStatsdbSource} takes. */
export interface StatsdbSourceOptions {
  readonly listen: ListenAddress;
  /** What peers must send as AUTH; without one everyone who can connect may publish. */
  readonly password?: string;
  readonly sink: MessageSink;
  readonly stats: SourceStats;
  /** The current time in ms. */
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** A {@link Source} that coturn's `redis-statsdb` connects to. */
export interface StatsdbSource extends Source {
  /** Where it listens, with the real port; undefined while it does not. */
  readonly address: ListenAddress | undefined;
  /** What is counted about its connections. */
  readonly statsdb: StatsdbStats;
}

/**
 * Milliseconds of silence before the kernel asks whether the peer is alive. An idle coturn 4.17 is
 * silent for days: only this tells it from one whose machine is gone.
 */
const KEEP_ALIVE_DELAY_MS = 60_000;

/**
 * A coturn that starts asks for its keys on several connections at once (one for each of its
 * authentication threads); a repetition within this time is no second start, in ms.
 */
const START_INTERVAL_MS = 1_000;

/**
 * Creates a source that listens as if it were a Redis, so that no Redis is needed. Each address
 * that connects is one server, with a key space of its own.
 */
export function createStatsdbSource(options: StatsdbSourceOptions): StatsdbSource {
  return new ListeningStatsdbSource(options);
}

class ListeningStatsdbSource implements StatsdbSource {
  readonly stats: SourceStats;
  readonly statsdb: StatsdbStats;
  readonly #options: StatsdbSourceOptions;
  readonly #log: Logger;
  readonly #password: Password | undefined;
  readonly #connections = new Set<StatsdbConnection>();
  readonly #places: Places;
  /** When a coturn of an origin last started, in ms. */
  readonly #startedMs = new WeakMap<Origin, number>();
  /** Those of the addresses that sent messages; the sink limits their number. */
  readonly #origins = new Set<Origin>();
  #server: Server | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #address: ListenAddress | undefined;
  #lastId = 0;

  constructor(options: StatsdbSourceOptions) {
    this.#options = options;
    this.stats = options.stats;
    this.#log = options.log.child({ source: options.stats.name });
    this.statsdb = new StatsdbStats(this.#log, options.nowMs);
    this.#password = options.password === undefined ? undefined : new Password(options.password);
    this.#places = new Places(this.#password !== undefined);
  }

  get address(): ListenAddress | undefined {
    return this.#address;
  }

  status(): SourceStatus {
    const count = this.#connections.size;
    const isListening = this.#address !== undefined;
    return {
      kind: 'statsdb',
      up: [...this.#connections].some(({ client }) => client.isCoturn),
      ready: isListening,
      detail: isListening ? `${count} ${count === 1 ? 'connection' : 'connections'}` : 'closed',
    };
  }

  start(): Promise<void> {
    this.#starting ??= this.#listen();
    return this.#starting;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#close().finally(() => {
      this.#stopping = undefined;
    });
    return this.#stopping;
  }

  async #close(): Promise<void> {
    // A server that is not listening yet cannot be closed.
    await this.#starting?.catch(() => undefined);
    const server = this.#server;
    this.#server = undefined;
    this.#starting = undefined;
    this.#address = undefined;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    for (const connection of this.#connections) connection.destroy();
    await closed;
  }

  async #listen(): Promise<void> {
    const { host, port } = this.#options.listen;
    const server = createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
    });
    this.#server = server;
    server.on('connection', (socket) => this.#accept(socket));
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host, port }, resolve);
      });
    } catch (cause) {
      this.#server = undefined;
      this.#starting = undefined;
      throw new Error(`Cannot listen for coturn on ${host}:${port}: ${reasonOf(cause)}`, { cause });
    }
    server.on('error', (error) => this.statsdb.noteAcceptError(error));
    const bound = server.address();
    // Never so for a TCP socket that listens.
    if (bound === null || typeof bound === 'string') return;
    this.#address = { host: bound.address, port: bound.port };
    this.#log.info({ host: bound.address, port: bound.port }, 'statsdb listens');
  }

  #accept(socket: Socket): void {
    const { remoteAddress } = socket;
    // Gone before we could look.
    if (remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    const address = unmapIpv4(remoteAddress);
    const peer = `${isIPv6(address) ? `[${address}]` : address}:${socket.remotePort}`;
    const connection = new StatsdbConnection({
      socket,
      address,
      peer,
      id: ++this.#lastId,
      sink: this.#options.sink,
      password: this.#password,
      nowMs: this.#options.nowMs,
      stats: this.statsdb,
      openOrigin: () => this.#openOrigin(address),
      origins: () => this.#origins,
      onCoturnStarted: (origin, nowMs) => this.#coturnStarted(origin, nowMs),
      settle: (settling) => this.#places.prove(settling),
      onClosed: (closed) => this.#closed(closed),
    });
    this.#connections.add(connection);
    const admission = this.#places.enter(connection);
    if (admission === 'probation') connection.putOnProbation();
    if (admission === 'refused') connection.giveWay();
  }

  #coturnStarted(origin: Origin, nowMs: number): void {
    const startedMs = this.#startedMs.get(origin);
    if (startedMs !== undefined && nowMs - startedMs < START_INTERVAL_MS) return;
    this.#startedMs.set(origin, nowMs);
    this.#options.sink.suspectAll(origin);
  }

  #closed(connection: StatsdbConnection): void {
    this.#connections.delete(connection);
    this.#places.leave(connection);
    const origin = connection.client.publishingOrigin;
    const { closeReason } = connection;
    if (origin === undefined || closeReason === 'quit' || closeReason === 'stopped') return;
    // What was written when it broke may be lost: its sums are no longer an unbroken series.
    this.#options.sink.noteGap(origin);
    this.stats.countDisconnect();
  }

  #openOrigin(address: string): Origin {
    const origin = this.#options.sink.openOrigin(this.stats, address);
    this.#origins.add(origin);
    return origin;
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const code = errorCode(cause);
  if (code === 'EADDRINUSE') return 'the address is in use';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'EADDRNOTAVAIL') return 'this machine has no such address';
  return cause.message;
}

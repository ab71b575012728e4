import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Logger } from 'pino';
import { unmapIpv4 } from '../../coturn/connection.ts';
import type { Origin } from '../../domain/origin.ts';
import type { SourceStats } from '../../domain/source-stats.ts';
import { errorCode } from '../../log.ts';
import type { MessageSink, Source, SourceStatus } from '../source.ts';
import { Password } from './client.ts';
import { type Guest, Places } from './places.ts';
import { StatsdbConnection } from './statsdb-connection.ts';
import { StatsdbStats } from './statsdb-stats.ts';
import { isPlainText, StatsdbTls, type StatsdbTlsFiles } from './tls.ts';

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
  /** Absent: plain text. */
  readonly tls?: StatsdbTlsFiles | undefined;
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

/** Milliseconds in which a peer must have begun TLS. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** A peer that has come, from its first byte, which with TLS is before there is a connection. */
class Arrival implements Guest {
  readonly address: string;
  readonly peer: string;
  readonly #socket: Socket;
  isOnProbation = false;
  connection: StatsdbConnection | undefined = undefined;

  constructor(socket: Socket, remoteAddress: string) {
    this.#socket = socket;
    this.address = unmapIpv4(remoteAddress);
    this.peer = peerOf(this.address, socket.remotePort);
  }

  get hasProved(): boolean {
    return this.connection?.client.hasProved ?? false;
  }

  giveWay(): void {
    if (this.connection === undefined) this.#socket.destroy();
    else this.connection.giveWay();
  }
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
    const server = this.#createServer();
    this.#server = server;
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

  #createServer(): Server {
    const options = {
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
    };
    if (this.#options.tls === undefined) {
      return createServer(options).on('connection', (socket) => {
        const arrival = this.#arrive(socket);
        if (arrival !== undefined) this.#open(arrival, socket);
      });
    }
    const tls = new StatsdbTls(this.#options.tls, this.#log);
    const arrivals = new Map<string, Arrival>();
    const server = createTlsServer({
      ...options,
      ...tls.options,
      requestCert: tls.asksForCertificate,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    // Before Node's own listener, so that the handshake is with the certificate of now.
    server.prependListener('connection', (socket) => {
      if (tls.refresh()) server.setSecureContext(tls.options);
      const arrival = this.#arrive(socket);
      if (arrival === undefined) return;
      arrivals.set(arrival.peer, arrival);
      socket.on('close', () => arrivals.delete(arrival.peer));
    });
    server.on('secureConnection', (socket) => {
      const arrival = arrivals.get(
        peerOf(unmapIpv4(socket.remoteAddress ?? ''), socket.remotePort),
      );
      if (arrival === undefined) socket.destroy();
      else this.#open(arrival, socket);
    });
    server.on('tlsClientError', (error, socket) => this.#tlsFailed(error, socket));
    return server;
  }

  #tlsFailed(error: Error, socket: Socket): void {
    const code = errorCode(error);
    const peer = peerOf(unmapIpv4(socket.remoteAddress ?? 'unknown'), socket.remotePort);
    this.statsdb.noteRefused(peer, isPlainText(code) ? 'plain_text' : 'tls_handshake', code);
    socket.destroy();
  }

  /** Finds a place for a peer; undefined when it is gone again. */
  #arrive(socket: Socket): Arrival | undefined {
    const { remoteAddress } = socket;
    // Gone before we could look.
    if (remoteAddress === undefined) {
      socket.destroy();
      return undefined;
    }
    const arrival = new Arrival(socket, remoteAddress);
    socket.on('close', () => this.#places.leave(arrival));
    const admission = this.#places.enter(arrival);
    arrival.isOnProbation = admission === 'probation';
    if (admission !== 'refused') return arrival;
    this.statsdb.noteRefused(arrival.peer, 'too_many_connections');
    socket.destroy();
    return undefined;
  }

  #open(arrival: Arrival, socket: Socket): void {
    const { address, peer } = arrival;
    const connection = new StatsdbConnection({
      socket,
      peer,
      id: ++this.#lastId,
      sink: this.#options.sink,
      password: this.#password,
      nowMs: this.#options.nowMs,
      stats: this.statsdb,
      openOrigin: () => this.#openOrigin(address),
      origins: () => this.#origins,
      onCoturnStarted: (origin, nowMs) => this.#coturnStarted(origin, nowMs),
      settle: () => this.#places.prove(arrival),
      onClosed: (closed) => this.#closed(closed),
    });
    arrival.connection = connection;
    this.#connections.add(connection);
    if (arrival.isOnProbation) connection.putOnProbation();
  }

  #coturnStarted(origin: Origin, nowMs: number): void {
    const startedMs = this.#startedMs.get(origin);
    if (startedMs !== undefined && nowMs - startedMs < START_INTERVAL_MS) return;
    this.#startedMs.set(origin, nowMs);
    this.#options.sink.suspectAll(origin);
  }

  #closed(connection: StatsdbConnection): void {
    this.#connections.delete(connection);
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

/** `address:port`, with an IPv6 address in brackets. */
function peerOf(address: string, port: number | undefined): string {
  return `${isIPv6(address) ? `[${address}]` : address}:${port ?? 0}`;
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const code = errorCode(cause);
  if (code === 'EADDRINUSE') return 'the address is in use';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'EADDRNOTAVAIL') return 'this machine has no such address';
  return cause.message;
}

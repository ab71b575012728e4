import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Logger } from 'pino';
import { unmapIpv4 } from '../../coturn/connection.ts';
import type { Origin } from '../../domain/origin.ts';
import type { Servers } from '../../domain/servers.ts';
import type { SourceStats } from '../../domain/source-stats.ts';
import { errorCode } from '../../log.ts';
import type { MessageSink, Source, SourceStatus } from '../source.ts';
import { Fleet, type Member } from './fleet.ts';
import type { Logins } from './logins.ts';
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
  /** What peers must send as AUTH; where none is needed everyone who can connect may publish. */
  readonly logins: Logins;
  /** The name of a coturn without a password of its own, by the address it connects from. */
  readonly serverName: (address: string) => string;
  readonly servers: Servers;
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

/** How often the file of servers is looked at, in ms: who is taken out has to go. */
const REFRESH_MS = 5_000;

/**
 * Creates a source that listens as if it were a Redis, so that no Redis is needed. Each coturn with
 * a password of its own is one server, and each address from which others connect, with a key space
 * of its own.
 */
export function createStatsdbSource(options: StatsdbSourceOptions): StatsdbSource {
  return new ListeningStatsdbSource(options);
}

/** Milliseconds in which a peer must have begun TLS. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** A peer that has come, from its first byte, which with TLS is before there is a connection. */
class Arrival implements Guest, Member {
  readonly address: string;
  readonly peer: string;
  readonly #socket: Socket;
  readonly #serverName: (address: string) => string;
  isOnProbation = false;
  connection: StatsdbConnection | undefined = undefined;

  constructor(socket: Socket, remoteAddress: string, serverName: (address: string) => string) {
    this.#socket = socket;
    this.#serverName = serverName;
    this.address = unmapIpv4(remoteAddress);
    this.peer = peerOf(this.address, socket.remotePort);
  }

  get hasProved(): boolean {
    return this.connection?.client.hasProved ?? false;
  }

  get server(): string {
    return this.connection?.client.server ?? this.#serverName(this.address);
  }

  get isNamed(): boolean {
    return this.connection?.client.server !== undefined;
  }

  get hasPublished(): boolean {
    return this.connection?.client.hasPublished ?? false;
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
  readonly #logins: Logins;
  readonly #fleet: Fleet;
  readonly #connections = new Set<StatsdbConnection>();
  readonly #places: Places;
  /** Those of the servers that sent messages; the sink limits their number. */
  readonly #origins = new Set<Origin>();
  #server: Server | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #address: ListenAddress | undefined;
  #lastId = 0;
  #refresh: NodeJS.Timeout | undefined;
  /** Of the logins that all connections were compared with. */
  #generation: number;

  constructor(options: StatsdbSourceOptions) {
    this.#options = options;
    this.stats = options.stats;
    this.#log = options.log.child({ source: options.stats.name });
    this.statsdb = new StatsdbStats(this.#log, options.nowMs);
    this.#logins = options.logins;
    this.#generation = this.#logins.generation;
    this.#fleet = new Fleet({ ...options, log: this.#log });
    this.#places = new Places(this.#logins.areNeeded);
  }

  get address(): ListenAddress | undefined {
    return this.#address;
  }

  status(): SourceStatus {
    const servers = countOf(this.#fleet.size, 'server');
    const connections = countOf(this.#connections.size, 'connection');
    const isListening = this.#address !== undefined;
    return {
      kind: 'statsdb',
      up: [...this.#connections].some(({ client }) => client.isCoturn),
      ready: isListening,
      detail: isListening ? `${servers}, ${connections}` : 'closed',
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
    clearInterval(this.#refresh);
    this.#fleet.stop();
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
    if (!this.#logins.mayChange) return;
    this.#refresh = setInterval(() => this.#refreshLogins(), REFRESH_MS).unref();
  }

  /** Sees whether the file of servers has changed: who is no longer in it has to go. */
  #refreshLogins(): void {
    this.#logins.refresh();
    const { generation } = this.#logins;
    if (generation === this.#generation) return;
    this.#generation = generation;
    for (const connection of this.#connections) {
      const { server } = connection.client;
      if (server !== undefined && !this.#logins.isServer(server)) connection.expel();
    }
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
    this.#refreshLogins();
    const arrival = new Arrival(socket, remoteAddress, this.#options.serverName);
    socket.on('close', () => this.#places.leave(arrival));
    const admission = this.#places.enter(arrival);
    arrival.isOnProbation = admission === 'probation';
    if (admission !== 'refused') return arrival;
    this.statsdb.noteRefused(arrival.peer, 'too_many_connections');
    socket.destroy();
    return undefined;
  }

  #open(arrival: Arrival, socket: Socket): void {
    const { peer } = arrival;
    const connection = new StatsdbConnection({
      socket,
      peer,
      id: ++this.#lastId,
      sink: this.#options.sink,
      logins: this.#logins,
      nowMs: this.#options.nowMs,
      stats: this.statsdb,
      openOrigin: () => this.#openOrigin(arrival),
      origins: () => this.#origins,
      onCoturn: () => this.#fleet.join(arrival),
      onCoturnStarted: (origin, nowMs) => this.#fleet.started(arrival, origin, nowMs),
      settle: () => this.#places.prove(arrival),
      onClosed: (closed) => this.#closed(closed, arrival),
    });
    arrival.connection = connection;
    this.#connections.add(connection);
    if (arrival.isOnProbation) connection.putOnProbation();
  }

  #closed(connection: StatsdbConnection, arrival: Arrival): void {
    this.#connections.delete(connection);
    this.#fleet.leave(arrival);
    const origin = connection.client.publishingOrigin;
    const { closeReason } = connection;
    if (origin === undefined || closeReason === 'quit' || closeReason === 'stopped') return;
    // What was written when it broke may be lost: its sums are no longer an unbroken series.
    this.#options.sink.noteGap(origin);
    this.stats.countDisconnect();
  }

  #openOrigin({ server, isNamed, address }: Arrival): Origin {
    const name = isNamed ? server : address;
    const origin = this.#options.sink.openOrigin(this.stats, name, server);
    this.#origins.add(origin);
    return origin;
  }
}

function countOf(count: number, what: string): string {
  return `${count} ${count === 1 ? what : `${what}s`}`;
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

import { createServer as createHttpServer } from 'node:http';
import { constants, createSecureServer } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createNetServer, type Server, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { formatHostPort, type HostPort } from '../config/values.ts';
import {
  createHandler,
  type Handler,
  type HandlerOptions,
  type Request,
  type Response,
} from './handler.ts';
import type { LockedTls } from './web-lock.ts';

/** What {@link createWebServer} serves, and when it is. */
export interface WebServerOptions extends Omit<HandlerOptions, 'onAnswer'> {
  readonly nowMs: () => number;
}

/** The HTTP server, with TLS where a lock asks for it. */
export interface WebServer {
  /** @returns `http://host:port`, or `https://…`, where it listens */
  listen(address: HostPort): Promise<string>;
  /** Closes every connection. Safe to call twice, and before `listen`. */
  close(): Promise<void>;
  readonly handler: Handler;
}

/**
 * The most connections. Beyond, one gives way that waits for nothing: if possible one that has not
 * asked anything yet, and of those the oldest.
 */
const MAX_CONNECTIONS = 256;
/** How long a request, or a TLS handshake, may take to arrive, in ms. */
const REQUEST_DEADLINE_MS = 10_000;
/** How long a connection may idle between two requests: Prometheus usually asks every minute. */
const IDLE_DEADLINE_MS = 75_000;
/** How long a reader may take: this, and the time of a slow line for all bytes. */
const ANSWER_DEADLINE_MS = 10_000;
const SLOW_LINE_BYTES_PER_MS = 64;
const SWEEP_MS = 1_000;
/** How many connections are let in before those who are in get their turn: about 2 ms of work. */
const CONNECTIONS_PER_TURN = 8;
/**
 * How many connections the system keeps for us meanwhile. Whoever comes when there are more is
 * forgotten and tries again after a second; Node's own 511 were full with a crowd of 500.
 */
const BACKLOG = 1024;

/** One connection; found again by the address and the port of its other end. */
interface Connection {
  readonly socket: Socket;
  /** Answers that are not written to their end. */
  unfinished: number;
  /** It was answered before, as that of a Prometheus or of a probe. */
  isKnown: boolean;
  idleSinceMs: number;
  /** When it is closed, unless something happens. */
  deadlineMs: number;
}

/** A server for these routes, not listening yet. */
export function createWebServer(options: WebServerOptions): WebServer {
  const connections = new Connections(options);
  const handler = createHandler({
    ...options,
    onAnswer: (request, bytes) => connections.noteAnswer(request, bytes),
  });
  const serve = (request: Request, response: Response): void => {
    if (connections.begin(request, response)) void handler(request, response);
  };
  const { lock } = options;
  const plainServer = createHttpServer({ keepAliveTimeout: IDLE_DEADLINE_MS }, serve);
  let secured: { readonly tls: LockedTls; readonly server: Server } | undefined;
  /** What takes a connection: made anew when certificates or rules changed. */
  const acceptor = (): Server => {
    lock?.refresh();
    const tls = lock?.tls;
    if (tls === undefined) return plainServer;
    if (secured?.tls !== tls) secured = { tls, server: createTlsServer(tls, serve) };
    return secured.server;
  };
  const letIn = createEntrance((socket) => {
    if (socket.destroyed) return;
    acceptor().emit('connection', socket);
    socket.resume();
  });
  const waiting = { allowHalfOpen: true, noDelay: true, pauseOnConnect: true };
  const server = createNetServer(waiting, (socket) => {
    if (connections.add(socket)) letIn(socket);
  });
  return {
    handler,
    async listen(address) {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ ...address, backlog: BACKLOG }, resolve);
      });
      // Such as no file descriptor left: who connects next may have more luck.
      server.on('error', (err) => options.log.warn({ err }, 'a connection could not be accepted'));
      connections.start();
      const bound = server.address();
      if (bound === null || typeof bound === 'string') throw new TypeError('No address');
      const scheme = lock?.tls === undefined ? 'http' : 'https';
      const host = { '0.0.0.0': '127.0.0.1', '::': '::1' }[bound.address] ?? bound.address;
      return `${scheme}://${formatHostPort({ host, port: bound.port })}`;
    },
    async close() {
      connections.stop();
      await lock?.close();
      if (!server.listening) return;
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function createTlsServer(
  tls: LockedTls,
  serve: (request: Request, response: Response) => void,
): Server {
  const common = { ...tls.options, handshakeTimeout: REQUEST_DEADLINE_MS };
  const server = tls.http2
    ? createSecureServer(
        { ...common, allowHTTP1: true, settings: { maxConcurrentStreams: 1 } },
        serve,
      )
    : createHttpsServer({ ...common, keepAliveTimeout: IDLE_DEADLINE_MS }, serve);
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    if (!tls.isWelcome(socket)) socket.destroy();
  });
  // A peer that breaks off is nobody's fault.
  server.on('sessionError', () => undefined);
  return server;
}

/**
 * Lets connections in a few per turn of the event loop: each costs a tenth of a millisecond or more,
 * and those who are in already would wait for a crowd of hundreds.
 */
function createEntrance(open: (socket: Socket) => void): (socket: Socket) => void {
  const queue: Socket[] = [];
  const next = (): void => {
    for (const socket of queue.splice(0, CONNECTIONS_PER_TURN)) open(socket);
    if (queue.length > 0) setImmediate(next);
  };
  return (socket) => {
    queue.push(socket);
    if (queue.length === 1) setImmediate(next);
  };
}

/** Who is connected, and for how long each may keep us waiting. */
class Connections {
  readonly #options: WebServerOptions;
  readonly #byPeer = new Map<string, Connection>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: WebServerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const { socket } of this.#byPeer.values()) socket.destroy();
  }

  /** @returns false when there was no place, and it is closed */
  add(socket: Socket): boolean {
    const { stats, nowMs } = this.#options;
    socket.on('error', () => undefined);
    if (this.#byPeer.size >= MAX_CONNECTIONS && !this.#makePlace()) {
      stats.refused.connections += 1;
      socket.destroy();
      return false;
    }
    const peer = peerOf(socket);
    const idleSinceMs = nowMs();
    const deadlineMs = idleSinceMs + REQUEST_DEADLINE_MS;
    this.#byPeer.set(peer, { socket, unfinished: 0, isKnown: false, idleSinceMs, deadlineMs });
    stats.connections = this.#byPeer.size;
    socket.once('close', () => {
      this.#byPeer.delete(peer);
      stats.connections = this.#byPeer.size;
    });
    return true;
  }

  /** @returns false when this connection has an answer to read first, and the request is dropped */
  begin(request: Request, response: Response): boolean {
    const connection = this.#byPeer.get(peerOf(request.socket));
    if (connection === undefined) return true;
    if (connection.unfinished > 0) {
      this.#options.stats.refused.pipelined += 1;
      if ('stream' in request) request.stream.close(constants.NGHTTP2_REFUSED_STREAM);
      else connection.unfinished = Number.POSITIVE_INFINITY;
      return false;
    }
    connection.unfinished = 1;
    connection.deadlineMs = Number.POSITIVE_INFINITY;
    let isDone = false;
    const done = (): void => {
      if (isDone) return;
      isDone = true;
      this.#finish(connection);
    };
    response.once('finish', done);
    response.once('close', done);
    return true;
  }

  noteAnswer(request: Request, bytes: number): void {
    const connection = this.#byPeer.get(peerOf(request.socket));
    if (connection === undefined) return;
    const patience = ANSWER_DEADLINE_MS + bytes / SLOW_LINE_BYTES_PER_MS;
    connection.deadlineMs = this.#options.nowMs() + patience;
  }

  #finish(connection: Connection): void {
    const nowMs = this.#options.nowMs();
    // Who sends requests without reading answers may come again, one by one.
    if (connection.unfinished > 1) connection.socket.destroySoon();
    connection.unfinished = 0;
    connection.isKnown = true;
    connection.idleSinceMs = nowMs;
    connection.deadlineMs = nowMs + IDLE_DEADLINE_MS;
  }

  #makePlace(): boolean {
    let oldest: Connection | undefined;
    for (const connection of this.#byPeer.values()) {
      if (connection.unfinished > 0) continue;
      if (oldest === undefined || givesWayBefore(connection, oldest)) oldest = connection;
    }
    if (oldest === undefined) return false;
    this.#options.stats.refused.connections += 1;
    this.#byPeer.delete(peerOf(oldest.socket));
    oldest.socket.destroy();
    return true;
  }

  #sweep(): void {
    const nowMs = this.#options.nowMs();
    for (const { socket, deadlineMs } of this.#byPeer.values()) {
      if (nowMs < deadlineMs) continue;
      this.#options.stats.refused.slow += 1;
      socket.destroy();
    }
  }
}

function givesWayBefore(one: Connection, other: Connection): boolean {
  if (one.isKnown !== other.isKnown) return other.isKnown;
  return one.idleSinceMs < other.idleSinceMs;
}

function peerOf(socket: {
  remoteAddress?: string | undefined;
  remotePort?: number | undefined;
}): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

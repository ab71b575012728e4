import type { Socket } from 'node:net';
import { type ClientOptions, StatsdbClient } from './client.ts';
import { ReplyBatch } from './reply-batch.ts';
import type { CloseReason, Refusal, StatsdbStats } from './statsdb-stats.ts';

/** What a connection needs of its server. */
export interface ConnectionOptions
  extends Pick<ClientOptions, 'id' | 'peer' | 'sink' | 'password' | 'openOrigin' | 'origins'> {
  readonly socket: Socket;
  /** The current time in ms; asked once for each chunk of bytes. */
  readonly nowMs: () => number;
  readonly stats: StatsdbStats;
  /** Hears once that the socket is closed. */
  readonly onClosed: (connection: StatsdbConnection) => void;
}

/**
 * Milliseconds until a peer must have sent the password, if one is set. coturn sends it with its
 * first bytes; who has not by then only takes a place.
 */
export const AUTHENTICATION_TIMEOUT_MS = 10_000;

/**
 * Milliseconds a peer has to read our last reply and hang up. Closing at once would reset the
 * connection under bytes that are still coming, and the reply would be lost.
 */
export const CLOSE_TIMEOUT_MS = 2_000;

/** One TCP connection: moves bytes between its socket and its client, and knows when to end it. */
export class StatsdbConnection {
  readonly client: StatsdbClient;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #replies: ReplyBatch;
  #timer: NodeJS.Timeout | undefined;
  #reason: CloseReason = 'peer';
  #isEnding = false;
  #isMuted = false;

  constructor(options: ConnectionOptions) {
    const { socket, peer, stats, password } = options;
    this.#options = options;
    this.#socket = socket;
    this.#replies = new ReplyBatch(socket);
    this.client = new StatsdbClient({
      ...options,
      replies: this.#replies,
      onWrongPassword: () => stats.noteWrongPassword(peer),
    });
    stats.noteOpened(peer);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    // Node answers the peer's end with ours, but not before our replies were read: perhaps never.
    socket.on('end', () => this.#closeWithin(CLOSE_TIMEOUT_MS));
    socket.on('error', () => this.#errored());
    socket.on('close', () => this.#closed());
    if (password !== undefined) {
      this.#startTimer(AUTHENTICATION_TIMEOUT_MS, () => this.#refuse('unauthenticated'));
    }
  }

  /** Why the connection closes or closed. */
  get closeReason(): CloseReason {
    return this.#reason;
  }

  /** Closes at once. */
  destroy(): void {
    if (!this.#isEnding) this.#reason = 'stopped';
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    // What comes after the end is read only to be thrown away.
    if (this.#isEnding) return;
    const end = this.client.take(chunk, this.#options.nowMs());
    if (this.#replies.isMuted) this.#noteMuted();
    if (end?.kind === 'quit') this.#end('quit');
    else if (end !== undefined) this.#refuse(end.reason);
    else if (this.#timer !== undefined && this.client.isAuthenticated) this.#stopTimer();
  }

  #noteMuted(): void {
    const { stats, peer } = this.#options;
    if (!this.#isMuted) stats.noteMuted(peer);
    this.#isMuted = true;
    stats.droppedReplies += this.#replies.takeDropped();
  }

  #refuse(refusal: Refusal): void {
    this.#options.stats.noteRefused(this.#options.peer, refusal);
    this.#end('refused');
  }

  #end(reason: CloseReason): void {
    this.#isEnding = true;
    this.#reason = reason;
    this.#socket.end();
    this.#closeWithin(CLOSE_TIMEOUT_MS);
  }

  #errored(): void {
    // A coturn that never reads resets its connection when it exits, so this is no alarm.
    if (!this.#isEnding) this.#reason = 'socket_error';
  }

  #closed(): void {
    this.#stopTimer();
    this.#options.stats.noteClosed(this.#options.peer, this.#reason);
    this.#options.onClosed(this);
  }

  #closeWithin(timeoutMs: number): void {
    this.#startTimer(timeoutMs, () => this.#socket.destroy());
  }

  #startTimer(timeoutMs: number, run: () => void): void {
    this.#stopTimer();
    this.#timer = setTimeout(run, timeoutMs).unref();
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

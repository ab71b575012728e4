import type { Socket } from 'node:net';
import { Turns } from '../turns.ts';
import { type ClientOptions, StatsdbClient } from './client.ts';
import { errorReply, ReplyBatch } from './reply-batch.ts';
import type { CloseReason, Refusal, StatsdbStats } from './statsdb-stats.ts';

/** What a connection needs of its server. */
export interface ConnectionOptions extends Omit<ClientOptions, 'replies' | 'onWrongPassword'> {
  readonly socket: Socket;
  /** The current time in ms; asked once for each chunk of bytes. */
  readonly nowMs: () => number;
  readonly stats: StatsdbStats;
  /** Asks for a lasting place, once the peer has proved itself; false when there is none. */
  readonly settle: () => boolean;
  /** Hears once that the socket is closed. */
  readonly onClosed: (connection: StatsdbConnection) => void;
}

/**
 * Milliseconds until a peer on probation must have proved itself. coturn sends its password with its
 * first bytes, and a message right behind; who has not by then only takes a place.
 */
export const PROBATION_MS = 10_000;

/** Milliseconds until the answer to a second wrong password, and to all that was sent behind it. */
export const WRONG_PASSWORD_DELAY_MS = 1_000;

const SERVER_REMOVED = errorReply('NOAUTH Authentication required.');
const TOO_MANY = errorReply('ERR max number of clients reached');

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
  readonly #turns: Turns;
  #timer: NodeJS.Timeout | undefined;
  #reason: CloseReason = 'peer';
  #isEnding = false;
  #isMuted = false;
  #isOnProbation = false;

  constructor(options: ConnectionOptions) {
    const { socket, peer, stats } = options;
    this.#options = options;
    this.#socket = socket;
    this.#turns = new Turns(socket);
    this.#replies = new ReplyBatch(socket);
    this.client = new StatsdbClient({
      ...options,
      replies: this.#replies,
      onWrongPassword: (server) => stats.noteWrongPassword(peer, server),
    });
    stats.noteOpened(peer);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    // Node answers the peer's end with ours, but not before our replies were read: perhaps never.
    socket.on('end', () => this.#closeWithin(CLOSE_TIMEOUT_MS));
    socket.on('error', () => this.#errored());
    socket.on('close', () => this.#closed());
  }

  /** From now on it has some seconds to prove itself. */
  putOnProbation(): void {
    const { logins } = this.#options;
    this.#isOnProbation = true;
    this.#startTimer(PROBATION_MS, () =>
      this.#refuse(logins.areNeeded ? 'unauthenticated' : 'too_many_connections'),
    );
  }

  /** Closed as soon as the words are sent: who opens thousands must not be able to hold them. */
  giveWay(): void {
    if (this.#isEnding) return;
    this.#refuse('too_many_connections', TOO_MANY);
    this.#socket.destroySoon();
  }

  /** Ended, since its coturn may not connect any more. */
  expel(): void {
    if (!this.#isEnding) this.#refuse('server_removed', SERVER_REMOVED);
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
    const wrongBefore = this.client.wrongPasswords;
    const end = this.client.take(chunk, this.#options.nowMs());
    if (this.#replies.isMuted) this.#noteMuted();
    if (end?.kind === 'quit') this.#end('quit');
    else if (end !== undefined) this.#refuse(end.reason);
    else if (this.#isOnProbation && this.client.hasProved) this.#settle();
    else if (this.client.wrongPasswords > Math.max(1, wrongBefore)) this.#slowDown();
    else this.#turns.take(chunk.length);
  }

  #settle(): void {
    this.#isOnProbation = false;
    this.#stopTimer();
    if (!this.#options.settle()) this.giveWay();
  }

  /** Who guesses passwords waits; what it sends meanwhile stays with the kernel. */
  #slowDown(): void {
    this.#socket.pause();
    setTimeout(() => this.#socket.resume(), WRONG_PASSWORD_DELAY_MS).unref();
  }

  #noteMuted(): void {
    const { stats, peer } = this.#options;
    if (!this.#isMuted) stats.noteMuted(peer);
    this.#isMuted = true;
    stats.droppedReplies += this.#replies.takeDropped();
  }

  #refuse(refusal: Refusal, words = ''): void {
    this.#options.stats.noteRefused(this.#options.peer, refusal);
    this.#end('refused', words);
  }

  #end(reason: CloseReason, words = ''): void {
    this.#isEnding = true;
    this.#reason = reason;
    this.#socket.end(words);
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

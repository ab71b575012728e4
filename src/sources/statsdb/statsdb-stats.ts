import type { Logger } from 'pino';
import { PROTOCOL_ERRORS, type ProtocolError } from '../resp/limits.ts';

/**
 * Why the embedded statsdb turned a connection away: too many at once, no password within the
 * time, or bytes that are not what they should be. A closed set: it is a metric label.
 */
export type Refusal = 'too_many_connections' | 'unauthenticated' | ProtocolError;

/** Every {@link Refusal}, so that all series start at 0. */
export const REFUSALS: readonly Refusal[] = [
  'too_many_connections',
  'unauthenticated',
  ...PROTOCOL_ERRORS,
];

/** How connections come to their end; `refused` ones are told apart by {@link REFUSALS}. */
export const CLOSE_REASONS = ['peer', 'quit', 'socket_error', 'refused', 'stopped'] as const;

/** One of {@link CLOSE_REASONS}. */
export type CloseReason = (typeof CLOSE_REASONS)[number];

/**
 * What is counted about the connections of one embedded statsdb. Plain numbers, read at a scrape;
 * all but `connections` only grow.
 */
export class StatsdbStats {
  /** Connections open now, those on their way out included. */
  connections = 0;
  /** Connections ever opened, refused ones included. */
  accepted = 0;
  /** Connections closed. */
  readonly closed: Record<CloseReason, number> = zeroes(CLOSE_REASONS);
  /** Connections refused; the sum is `closed.refused` once they are gone. */
  readonly refused: Record<Refusal, number> = zeroes(REFUSALS);
  /** Connections on which replies stopped because the peer does not read them. */
  mutedConnections = 0;
  /** Replies not sent on such connections. */
  droppedReplies = 0;
  /** Wrong passwords. */
  wrongPasswords = 0;
  /** Connections that could not be accepted, for example for want of file descriptors. */
  acceptErrors = 0;
}

function zeroes<K extends string>(keys: readonly K[]): Record<K, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>;
}

/** A warning of one kind is written at most this often, however often it happens. */
const WARN_INTERVAL_MS = 60_000;

/**
 * What the embedded statsdb tells about itself: each function moves a counter and writes a line.
 * Warnings are written at most once a minute for each kind, with the number so far, and name no
 * address; addresses are at debug only.
 */
export class StatsdbTelemetry {
  readonly #stats: StatsdbStats;
  readonly #log: Logger;
  readonly #nowMs: () => number;
  readonly #warnedAtMs = new Map<string, number>();

  constructor(stats: StatsdbStats, log: Logger, nowMs: () => number) {
    this.#stats = stats;
    this.#log = log;
    this.#nowMs = nowMs;
  }

  /** The port is open. */
  listening(host: string, port: number): void {
    this.#log.info({ host, port }, 'statsdb listens');
  }

  /** A connection was accepted. */
  connected(peer: string): void {
    this.#stats.accepted++;
    this.#stats.connections++;
    this.#log.debug({ peer }, 'statsdb connection opened');
  }

  /** A connection is gone. */
  closed(peer: string, reason: CloseReason): void {
    this.#stats.connections--;
    this.#stats.closed[reason]++;
    this.#log.debug({ peer, reason }, 'statsdb connection closed');
  }

  /** A connection is turned away; `closed` follows. */
  refused(peer: string, reason: Refusal): void {
    const total = ++this.#stats.refused[reason];
    this.#log.debug({ peer, reason }, 'statsdb connection refused');
    this.#warn(reason, { reason, total }, 'statsdb refused a connection');
  }

  /** A peer does not read its replies and gets no more of them. */
  muted(peer: string): void {
    const total = ++this.#stats.mutedConnections;
    this.#log.debug({ peer }, 'statsdb peer does not read replies');
    this.#warn('muted', { total }, 'statsdb stopped replying to a peer that does not read');
  }

  /** Replies were not sent to a peer that does not read. */
  repliesDropped(count: number): void {
    this.#stats.droppedReplies += count;
  }

  /** A password was wrong. */
  wrongPassword(peer: string): void {
    const total = ++this.#stats.wrongPasswords;
    this.#log.debug({ peer }, 'statsdb peer sent a wrong password');
    this.#warn('wrong_password', { total }, 'statsdb was sent a wrong password');
  }

  /** The operating system gave no connection. */
  acceptFailed(error: Error): void {
    const total = ++this.#stats.acceptErrors;
    this.#warn('accept', { total, err: error }, 'statsdb cannot accept connections');
  }

  #warn(kind: string, fields: object, message: string): void {
    const nowMs = this.#nowMs();
    const warnedAtMs = this.#warnedAtMs.get(kind);
    // A clock that was set back does not silence warnings.
    if (warnedAtMs !== undefined && Math.abs(nowMs - warnedAtMs) < WARN_INTERVAL_MS) return;
    this.#warnedAtMs.set(kind, nowMs);
    this.#log.warn(fields, message);
  }
}

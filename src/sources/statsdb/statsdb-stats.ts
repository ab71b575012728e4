import type { Logger } from 'pino';
import { addressOf } from '../../coturn/connection.ts';
import { PROTOCOL_ERRORS, type ProtocolError } from '../resp/limits.ts';

/**
 * Why the embedded statsdb turned a connection away: too many at once, no password within the time or
 * wrong ones, a name that is no longer in the file of servers, no TLS where it is asked for or none
 * that could be agreed on, or bytes that are not what they should be. A closed set: it is a metric
 * label.
 */
export type Refusal =
  | 'too_many_connections'
  | 'unauthenticated'
  | 'wrong_password'
  | 'server_removed'
  | 'plain_text'
  | 'tls_handshake'
  | ProtocolError;

/** Every {@link Refusal}, so that all series start at 0. */
export const REFUSALS: readonly Refusal[] = [
  'too_many_connections',
  'unauthenticated',
  'wrong_password',
  'server_removed',
  'plain_text',
  'tls_handshake',
  ...PROTOCOL_ERRORS,
];

/** How connections come to their end; `refused` ones are told apart by {@link REFUSALS}. */
export const CLOSE_REASONS = ['peer', 'quit', 'socket_error', 'refused', 'stopped'] as const;

/** One of {@link CLOSE_REASONS}. */
export type CloseReason = (typeof CLOSE_REASONS)[number];

/** What an operator has to mend, where the reason alone does not tell. */
const REFUSAL_TEXTS: Partial<Record<Refusal, string>> = {
  server_removed: 'statsdb closed a connection: its server is no longer in the file of servers',
  plain_text:
    'statsdb refused a connection without TLS: add tls=true to redis-statsdb of that coturn',
  tls_handshake: 'statsdb refused a connection: no TLS could be agreed on with the peer',
};

/** A warning of one kind is written at most this often for each address, however often it happens. */
const WARN_INTERVAL_MS = 60_000;

/** Warnings of different kinds or addresses that may be written in that time. */
const MAX_WARNINGS = 100;

interface WarningFields {
  readonly peer?: string;
  readonly [field: string]: unknown;
}

/**
 * What is counted about the connections of one embedded statsdb, and the lines that go with it.
 * Plain numbers, read at a scrape; all but `connections` only grow. Warnings are written at most once
 * a minute for each kind and address, with the number so far; those of a crowd of addresses are at
 * debug.
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
  readonly #log: Logger;
  readonly #nowMs: () => number;
  readonly #warnedAtMs = new Map<string, number>();

  constructor(log: Logger, nowMs: () => number) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  /** A connection was accepted. */
  noteOpened(peer: string): void {
    this.accepted++;
    this.connections++;
    this.#log.debug({ peer }, 'statsdb connection opened');
  }

  /** A connection is gone. */
  noteClosed(peer: string, reason: CloseReason): void {
    this.connections--;
    this.closed[reason]++;
    this.#log.debug({ peer, reason }, 'statsdb connection closed');
  }

  /** A peer is turned away. With TLS `code` is OpenSSL's name for why. */
  noteRefused(peer: string, reason: Refusal, code?: string): void {
    const total = ++this.refused[reason];
    this.#log.debug({ peer, reason }, 'statsdb connection refused');
    const why = code === undefined ? {} : { code };
    this.#warn(
      reason,
      { peer, reason, total, ...why },
      REFUSAL_TEXTS[reason] ?? 'statsdb refused a connection',
    );
  }

  /** A peer does not read its replies and gets no more of them. */
  noteMuted(peer: string): void {
    const total = ++this.mutedConnections;
    this.#log.debug({ peer }, 'statsdb peer does not read replies');
    this.#warn('muted', { peer, total }, 'statsdb stopped replying to a peer that does not read');
  }

  /** A password was wrong, perhaps with the name of a server. */
  noteWrongPassword(peer: string, server?: string): void {
    const total = ++this.wrongPasswords;
    this.#log.debug({ peer }, 'statsdb peer sent a wrong password');
    const who = server === undefined ? { peer } : { peer, server };
    this.#warn('password', { ...who, total }, 'statsdb was sent a wrong password');
  }

  /** The operating system gave no connection. */
  noteAcceptError(error: Error): void {
    const total = ++this.acceptErrors;
    this.#warn('accept', { total, err: error }, 'statsdb cannot accept connections');
  }

  #warn(kind: string, fields: WarningFields, message: string): void {
    const nowMs = this.#nowMs();
    for (const [key, warnedAtMs] of this.#warnedAtMs) {
      // A clock that was set back does not silence warnings.
      if (Math.abs(nowMs - warnedAtMs) < WARN_INTERVAL_MS) break;
      this.#warnedAtMs.delete(key);
    }
    const key = `${kind} ${addressOf(fields.peer ?? '')}`;
    if (this.#warnedAtMs.has(key) || this.#warnedAtMs.size >= MAX_WARNINGS) return;
    this.#warnedAtMs.set(key, nowMs);
    this.#log.warn(fields, message);
  }
}

function zeroes<K extends string>(keys: readonly K[]): Record<K, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>;
}

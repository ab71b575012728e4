import { PROTOCOL_ERRORS, type ProtocolError } from './resp/protocol-error.ts';

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

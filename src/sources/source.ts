import type { WireMessage } from '../coturn/delta.ts';
import type { Origin } from '../domain/origin.ts';
import type { KeyScan } from '../domain/reconcile.ts';
import type { SourceStats } from '../domain/source-stats.ts';

/** Something that receives coturn's messages and hands them to a {@link MessageSink}. */
export interface Source {
  /** What is counted about it; `stats.name` is the `source` label. */
  readonly stats: SourceStats;
  /** Whether it can receive now; cheap, read at every scrape. */
  status(): SourceStatus;
  /**
   * Begins to receive. Resolves without waiting for a peer (a server that is away is retried for
   * ever); rejects only for what retrying cannot mend, such as a listening port that is taken.
   */
  start(): Promise<void>;
  /** Stops receiving and closes what was opened. Safe to call twice, and before `start`. */
  stop(): Promise<void>;
}

/** The answer of {@link Source.status}. */
export interface SourceStatus {
  /** `redis` subscribes to a Redis, `statsdb` listens as one. */
  readonly kind: 'redis' | 'statsdb';
  /** Events can arrive now: subscribed, or at least one coturn is connected (`coturn_up`). */
  readonly up: boolean;
  /** Nothing on our side is missing: subscribed, or listening (`/readyz`). */
  readonly ready: boolean;
  /** A few words for people, without secrets: `subscribed`, `connection refused`, `3 connections`. */
  readonly detail: string;
}

/**
 * Where a source puts what it receives. `domain/Tracker` is one. Everything is synchronous and
 * never throws on any input.
 */
export interface MessageSink {
  /**
   * The key space of one coturn server (embedded statsdb) or of one Redis. The same pair of source
   * and name gives the same origin again, also of a state file.
   *
   * @param server the `server` label while no status message names a better one; absent: the name
   */
  openOrigin(stats: SourceStats, name: string, server?: string): Origin;
  /** Takes one message: the name of its Redis channel and its text. */
  receive(origin: Origin, key: string, payload: string, nowMs: number): void;
  /**
   * The hot path of {@link receive}: a traffic delta of an allocation that is already known.
   * Keeps nothing of the message, whose bytes are another's when it returns.
   *
   * @returns false when it was anything else, and nothing has happened: call `receive`
   */
  receiveDelta(origin: Origin, message: WireMessage, nowMs: number): boolean;
  /**
   * Messages of this origin may have been lost (a connection broke).
   *
   * @param deaf the time in which none could arrive, in ms, where it is known; told again with the
   *   same beginning, it has grown
   */
  noteGap(origin: Origin, deaf?: { readonly fromMs: number; readonly toMs: number }): void;
  /** A coturn of this origin has started anew: what was live is suspect until heard of (rule 7). */
  suspectAll(origin: Origin): void;
  /**
   * What is suspect of this origin is over: the process that held it is dead (rule 5).
   *
   * @param when.lostMs when it was last known to live, in ms
   */
  endSuspects(origin: Origin, when: { readonly lostMs: number; readonly nowMs: number }): void;
  /** Status keys (`turn/…/status`) of what is held of this origin; undefined for what does not live. */
  statusKeys(origin: Origin): Iterable<string | undefined>;
}

/** Takes what a reading of the status keys finds, then hears of its end. */
export type KeyReading = Pick<KeyScan, 'found' | 'compare' | 'end'>;

/** A sink whose allocations can be compared with the status keys of a Redis. */
export interface ScanSink extends MessageSink {
  /** Begins to read the status keys of an origin. */
  beginScan(origin: Origin, nowMs: number): KeyReading;
}

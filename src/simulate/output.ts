/**
 * Where one simulated server writes: what a coturn process does to its statsdb. All calls return at
 * once; whoever implements it keeps the order within one thread.
 *
 * Threads are numbered from 0; the number after the last relay thread is the listener's, which has
 * a connection too and sends keepalives only.
 */
export interface ServerOutput {
  /** `set <key> <text>`. */
  set(thread: number, key: string, text: string): void;
  /** `del <key> ""`, with coturn's stray empty argument. */
  delete(thread: number, key: string): void;
  /** `publish <channel> <text>`. */
  publish(thread: number, channel: string, text: string): void;
  /** The process is gone, without a word: its connections break after what was written before. */
  stopped(): void;
  /** The process is back: it deletes all status keys of the database, and connects anew. */
  started(): void;
}

/**
 * How long after it was given its id a client of coturn may still allocate (60 s, unless
 * `max-allocate-timeout` says otherwise), with some to spare, in ms.
 */
const UNORDERED_MS = 90_000;

/** The most relay threads that are remembered; there are a handful for each server. */
const MAX_THREADS = 10_000;

/** Ids begin with the number of the relay thread that gave them; the rest counts up from 1. */
const THREAD_DIGITS = 3;

/** The ids that one relay thread has given to allocations. */
interface Thread {
  highest: number;
  /** The highest before `sinceMs`. */
  recent: number;
  /** The highest of those that allocated {@link UNORDERED_MS} before `sinceMs`, or earlier. */
  settled: number;
  sinceMs: number;
}

/**
 * Notices by the ids of new allocations that a coturn has started anew. Within a process those of a
 * relay thread count up; not quite in the order of the allocations, since a client may wait a while
 * before it allocates. It is only a reason to look: servers in networks of their own may have the
 * same address.
 */
export class IdWatch {
  readonly #threads = new Map<string, Thread>();

  /**
   * Takes the id of an allocation that has just begun.
   *
   * @param endpoint `address:port` of the server that its client talks to
   * @param id 18 digits
   * @returns whether it cannot be of the process whose ids were seen there before
   */
  note(endpoint: string, id: string, nowMs: number): boolean {
    const name = `${endpoint} ${id.slice(0, THREAD_DIGITS)}`;
    const count = Number(id.slice(THREAD_DIGITS));
    const thread = this.#threads.get(name);
    if (thread !== undefined && isNext(thread, { count, nowMs })) return false;
    if (this.#threads.size >= MAX_THREADS) this.#threads.clear();
    this.#threads.set(name, { highest: count, recent: 0, settled: 0, sinceMs: nowMs });
    return thread !== undefined;
  }
}

/** Whether an id may be of the same process as those before, among which it is from now on. */
function isNext(thread: Thread, { count, nowMs }: { count: number; nowMs: number }): boolean {
  const elapsedMs = nowMs - thread.sinceMs;
  if (elapsedMs >= UNORDERED_MS) {
    // After twice as long, nothing has come in the latter half.
    thread.settled = elapsedMs < 2 * UNORDERED_MS ? thread.recent : thread.highest;
    thread.recent = thread.highest;
    thread.sinceMs = nowMs;
  }
  thread.highest = Math.max(thread.highest, count);
  return count > thread.settled;
}

import { pino } from 'pino';
import type { Session } from '../domain/session.ts';
import { createSessionRecord } from '../domain/session-record.ts';
import type { Tracker } from '../domain/tracker.ts';
import type { SessionObserver } from '../metrics/session-metrics.ts';
import type { RecordQueue } from './record-queue.ts';

/** What a {@link SessionFinisher} works with. */
interface SessionFinisherOptions {
  readonly tracker: Tracker;
  readonly records: RecordLog;
  readonly observer: SessionObserver;
  readonly nowMs: () => number;
  /** Whether somebody waits for the metrics, who comes before a backlog of ends; default: nobody. */
  readonly isPressed?: () => boolean;
  /** Hears of each session whose record is on its destination. */
  readonly onRecorded?: (session: Session) => void;
}

/** How often time passes for the tracker, in ms. */
const INTERVAL_MS = 100;

/** The most allocations, and the most sessions, of one turn of the event loop: about 5 ms of work. */
const SLICE = 500;

/**
 * Lets time pass for the tracker and writes a record of each session that finishes. Thousands may
 * end in one second, so they are worked off in slices between which events are taken in.
 */
export class SessionFinisher {
  readonly #options: SessionFinisherOptions;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;

  constructor(options: SessionFinisherOptions) {
    this.#options = options;
  }

  /** Begins to let time pass. */
  start(): void {
    this.#timer ??= setInterval(() => this.#work(), INTERVAL_MS);
  }

  /** Time stands still from now on. */
  stop(): void {
    clearInterval(this.#timer);
    if (this.#immediate !== undefined) clearImmediate(this.#immediate);
    this.#immediate = undefined;
  }

  /**
   * Writes the record of every session that has finished, as fast as the destination takes them.
   *
   * @param leftMs how long it may take still; what then remains is in line nevertheless
   */
  async drain(leftMs: () => number): Promise<void> {
    const { tracker, records } = this.#options;
    for (;;) {
      const finished = tracker.sessions.takeFinished(SLICE);
      if (finished.length === 0) return;
      for (const session of finished) this.#record(session);
      await records.room(leftMs());
    }
  }

  #work(): void {
    // A slice that is still to come goes on where the last one stopped.
    if (this.#immediate !== undefined) return;
    const { tracker, nowMs, isPressed } = this.#options;
    const moreDue = tracker.expire(nowMs(), SLICE);
    const finished = tracker.sessions.takeFinished(SLICE);
    for (const session of finished) this.#record(session);
    if (!moreDue && finished.length < SLICE) return;
    // One slice each time the timer fires, no more: a backlog of minutes must not make a scrape late.
    if (isPressed?.()) return;
    this.#immediate = setImmediate(() => {
      this.#immediate = undefined;
      this.#work();
    });
  }

  #record(session: Session): void {
    const { tracker, records, observer, onRecorded } = this.#options;
    observer.observe(session);
    // The series of the user stay until the record is safe.
    records.write(session, () => {
      tracker.users.leave(session);
      onRecorded?.(session);
    });
  }
}

/** Makes records of finished sessions and puts them in line. */
interface RecordLog {
  /** `onWritten` hears when the record is on its destination. */
  write(session: Session, onWritten: () => void): void;
  /** Resolves when there is room for more, or after `patienceMs`. */
  room(patienceMs: number): Promise<void>;
}

/** What records tell besides their sessions, or not. */
interface RecordLogOptions {
  readonly client?: 'address' | 'none';
  readonly replica?: string;
}

/**
 * Records as lines of JSON, made by pino: `level`, `time`, then the fields of a `SessionRecord`.
 *
 * @param wallOffsetMs what to add to the tracker's time to get Unix time in ms
 * @param options.client whether records tell where clients connected from
 * @param options.replica stands in each record as `replica`
 */
export function createRecordLog(
  queue: RecordQueue,
  wallOffsetMs: () => number,
  { client, replica }: RecordLogOptions = {},
): RecordLog {
  const log = pino(
    {
      base: replica === undefined ? null : { replica },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    queue,
  );
  return {
    write(session, onWritten) {
      const record = createSessionRecord(session, wallOffsetMs());
      log.info(client === 'none' ? { ...record, client: undefined } : record);
      queue.whenWritten(onWritten);
    },
    room: (patienceMs) => queue.room(patienceMs),
  };
}

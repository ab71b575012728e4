import type { DestinationStream, Logger } from 'pino';
import { errorCode } from '../log.ts';
import type { RecordFile, ReopenReason } from './record-file.ts';

/** A record that waits, as its line of JSON. */
interface Waiting {
  readonly line: string;
  /** Of the line as UTF-8. */
  readonly bytes: number;
  onWritten: () => void;
  /** Its write has failed before, and that was counted. */
  failed: boolean;
}

/** What a {@link RecordQueue} works with. */
interface RecordQueueOptions {
  readonly file: RecordFile;
  readonly stats: RecordStats;
  readonly log: Pick<Logger, 'error' | 'info'>;
  /** Takes lines that the destination does not get: the last resort. */
  readonly spill: (lines: Buffer) => void;
}

/**
 * The most bytes that wait: about 80,000 records, an hour of a busy server, while a disk is full.
 */
export const MAX_QUEUED_BYTES: number = 64 * 1024 * 1024;

/** The most bytes of one write. */
const BATCH_BYTES = 256 * 1024;

/** Below this many bytes there is room for more; ten of the largest writes. */
const ROOM_BYTES = 10 * BATCH_BYTES;

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
/** How long closing the destination may take. */
const CLOSE_MS = 100;
/** How often the log may tell of records that went to stderr. */
const SPILL_LOG_MS = 1_000;

/**
 * Writes records in order, one write at a time: where pino's lines go. What cannot be written waits
 * and is tried again; nothing is written twice, except that a line cut by a failure is begun anew in
 * a reopened file. The log hears of the first failure in a row, and of the first success after.
 */
export class RecordQueue implements DestinationStream {
  readonly #options: RecordQueueOptions;
  readonly #waiting: Waiting[] = [];
  #queuedBytes = 0;
  /** Bytes of the first waiting line that are on the destination. */
  #written = 0;
  #pump: Promise<void> | undefined;
  /** What the last write met: `busy` is a pipe whose reader is slow, `failing` anything else. */
  #condition: 'fine' | 'busy' | 'failing' = 'fine';
  #retryMs = FIRST_RETRY_MS;
  #wake: (() => void) | undefined;
  #onRoom: (() => void) | undefined;
  #spilledUntold = 0;
  #spillLog: NodeJS.Timeout | undefined;
  #stopping = false;
  #reopenWanted = false;
  #isLastSpilled = false;

  constructor(options: RecordQueueOptions) {
    this.#options = options;
  }

  /** Takes a line, which ends in a line feed. */
  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    const entry = { line, bytes, onWritten: ignore, failed: false };
    this.#isLastSpilled = this.#queuedBytes + bytes > MAX_QUEUED_BYTES;
    if (this.#isLastSpilled) {
      this.#spill([entry]);
      return;
    }
    this.#waiting.push(entry);
    this.#queuedBytes += bytes;
    this.#options.stats.queued += 1;
    this.#pump ??= this.#run();
  }

  /** Calls `listener` once the line that was taken last is on its destination. */
  whenWritten(listener: () => void): void {
    const last = this.#isLastSpilled ? undefined : this.#waiting.at(-1);
    if (last === undefined) listener();
    else last.onWritten = listener;
  }

  /** The file was renamed: lines from now on go to a new one of its name. */
  reopen(): void {
    this.#reopenWanted = true;
    this.#wake?.();
    this.#pump ??= this.#run();
  }

  /**
   * Resolves when there is room for more, when there is no use in waiting since the destination
   * fails, or after `patienceMs`.
   */
  async room(patienceMs: number): Promise<void> {
    const timeout = timer(patienceMs);
    while (!timeout.isOver() && this.#queuedBytes > ROOM_BYTES && this.#condition !== 'failing') {
      const changed = new Promise<void>((resolve) => {
        this.#onRoom = resolve;
      });
      await Promise.race([changed, timeout.elapsed]);
    }
    timeout.cancel();
  }

  /**
   * Writes what waits, tries once more what fails, spills the rest and closes the destination.
   *
   * @param deadlineMs how long that may take; a pipe that nobody reads would block for ever
   */
  async close(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    this.#wake?.();
    const timeout = timer(deadlineMs);
    await Promise.race([this.#pump, timeout.elapsed]);
    timeout.cancel();
    this.#options.stats.queued -= this.#waiting.length;
    this.#spill(this.#waiting.splice(0));
    this.#tellSpilled();
    const patience = timer(CLOSE_MS);
    await Promise.race([this.#options.file.close().catch(() => undefined), patience.elapsed]);
    patience.cancel();
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 || this.#reopenWanted) {
      try {
        await this.#open();
        if (this.#waiting.length > 0) {
          this.#advance(await this.#options.file.write(this.#nextBatch()));
        }
        this.#recovered();
      } catch (error) {
        this.#fail(error);
        // A slow reader is waited for until the deadline; anything else was tried once more.
        if (this.#stopping && this.#condition === 'failing') break;
        await this.#pause();
      }
      this.#onRoom?.();
    }
    this.#pump = undefined;
  }

  /** Only between writes: a line that was cut begins anew in the new file. */
  async #open(): Promise<void> {
    const { file, log } = this.#options;
    const wanted = this.#reopenWanted;
    this.#reopenWanted = false;
    try {
      const isOther = await file.open(wanted);
      if (isOther) this.#written = 0;
      if (!wanted) return;
      const done = isOther ? 'the record file is open anew' : 'there is no record file to reopen';
      log.info({ destination: file.name }, `SIGHUP: ${done}`);
    } catch (error) {
      this.#reopenWanted ||= wanted;
      throw error;
    }
  }

  #nextBatch(): Buffer {
    let lines = '';
    let length = -this.#written;
    for (const { line, bytes } of this.#waiting) {
      if (lines !== '' && length + bytes > BATCH_BYTES) break;
      lines += line;
      length += bytes;
    }
    return Buffer.from(lines).subarray(this.#written);
  }

  #advance(bytes: number): void {
    let left = this.#written + bytes;
    let done = 0;
    for (const waiting of this.#waiting) {
      if (left < waiting.bytes) break;
      left -= waiting.bytes;
      done += 1;
      this.#queuedBytes -= waiting.bytes;
      waiting.onWritten();
    }
    this.#written = left;
    this.#waiting.splice(0, done);
    this.#options.stats.queued -= done;
    this.#options.stats.written += done;
  }

  #fail(error: unknown): void {
    const { stats, log, file } = this.#options;
    if (this.#condition === 'fine') {
      const fields = { err: error, destination: file.name };
      log.error(fields, 'records cannot be written, trying again');
    }
    this.#condition = errorCode(error) === 'EAGAIN' ? 'busy' : 'failing';
    // The oldest have failed before.
    for (let index = this.#waiting.length - 1; index >= 0; index -= 1) {
      const entry = this.#waiting[index];
      if (entry === undefined || entry.failed) break;
      entry.failed = true;
      stats.failed += 1;
    }
    this.#onRoom?.();
  }

  #recovered(): void {
    const { log, file } = this.#options;
    if (this.#condition !== 'fine') {
      log.info({ destination: file.name }, 'records are written again');
    }
    this.#condition = 'fine';
    this.#retryMs = FIRST_RETRY_MS;
  }

  async #pause(): Promise<void> {
    const { elapsed, cancel } = timer(this.#retryMs);
    if (this.#condition === 'failing') {
      this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2);
    }
    await Promise.race([
      elapsed,
      new Promise<void>((resolve) => {
        this.#wake = resolve;
      }),
    ]);
    this.#wake = undefined;
    cancel();
  }

  #spill(entries: readonly Waiting[]): void {
    if (entries.length === 0) return;
    const { stats, spill } = this.#options;
    for (let start = 0; start < entries.length; start += SPILLED_TOGETHER) {
      const batch = entries.slice(start, start + SPILLED_TOGETHER);
      spill(Buffer.from(batch.map(({ line }) => line).join('')));
      for (const { failed, onWritten } of batch) {
        if (!failed) stats.failed += 1;
        onWritten();
      }
    }
    stats.spilled += entries.length;
    this.#spilledUntold += entries.length;
    if (this.#spillLog === undefined) this.#tellSpilled();
  }

  /** At once, and then no more often than once a second: thousands may be spilled one by one. */
  #tellSpilled(): void {
    clearTimeout(this.#spillLog);
    this.#spillLog = undefined;
    const count = this.#spilledUntold;
    if (count === 0) return;
    const { log, file } = this.#options;
    this.#spilledUntold = 0;
    const fields = { destination: file.name, count };
    log.error(fields, 'records went to stderr, their destination took none');
    if (!this.#stopping)
      this.#spillLog = setTimeout(() => this.#tellSpilled(), SPILL_LOG_MS).unref();
  }
}

/** How many records are spilled by one call. */
const SPILLED_TOGETHER = 100;

function ignore(): void {
  // Nobody asked.
}

function timer(ms: number) {
  let handle: NodeJS.Timeout | undefined;
  let isOver = ms <= 0;
  const elapsed = new Promise<void>((resolve) => {
    handle = setTimeout(() => {
      isOver = true;
      resolve();
    }, ms);
  });
  return { elapsed, isOver: () => isOver, cancel: () => clearTimeout(handle) };
}

/** What is counted about session records over the life of the process. */
export class RecordStats {
  /** Records that are on their destination. */
  written = 0;
  /** Records whose write failed; each is counted once, however often it is tried again. */
  failed = 0;
  /** Records that wait to be written. */
  queued = 0;
  /** Records that went to stderr, since the queue was full or the process ended. */
  spilled = 0;
  /** How often another file was opened, by why. */
  readonly reopened: Record<ReopenReason, number> = {
    signal: 0,
    day: 0,
    replaced: 0,
    deleted: 0,
  };
}

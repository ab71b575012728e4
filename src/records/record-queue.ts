import type { DestinationStream, Logger } from 'pino';
import { errorCode } from '../log.ts';
import type { RecordFile } from './record-file.ts';

/** A record that waits, as its line of JSON. */
interface Waiting {
  readonly line: Buffer;
  onWritten: () => void;
  /** Its write has failed before, and that was counted. */
  failed: boolean;
}

/** What a {@link RecordQueue} works with. */
interface RecordQueueOptions {
  readonly file: RecordFile;
  readonly stats: RecordStats;
  readonly log: Pick<Logger, 'error' | 'info'>;
  /** Takes a line that the destination does not get: the last resort. */
  readonly spill: (line: Buffer) => void;
}

/**
 * The most bytes that wait: about 80,000 records, an hour of a busy server, while a disk is full.
 */
export const MAX_QUEUED_BYTES: number = 64 * 1024 * 1024;

/** The most bytes of one write. */
const BATCH_BYTES = 256 * 1024;

const FIRST_RETRY_MS = 100;
/** How long closing the destination may take. */
const CLOSE_MS = 100;
const LAST_RETRY_MS = 5_000;

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
  #retryMs = FIRST_RETRY_MS;
  #wake: (() => void) | undefined;
  #stopping = false;
  #reopenWanted = false;
  #isLastSpilled = false;

  constructor(options: RecordQueueOptions) {
    this.#options = options;
  }

  /** Takes a line, which ends in a line feed. */
  write(line: string): void {
    const entry = { line: Buffer.from(line), onWritten: () => undefined, failed: false };
    this.#isLastSpilled = this.#queuedBytes + entry.line.length > MAX_QUEUED_BYTES;
    if (this.#isLastSpilled) {
      this.#spill([entry]);
      return;
    }
    this.#waiting.push(entry);
    this.#queuedBytes += entry.line.length;
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
    const patience = timer(CLOSE_MS);
    await Promise.race([this.#options.file.close().catch(() => undefined), patience.elapsed]);
    patience.cancel();
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 || this.#reopenWanted) {
      try {
        if (this.#reopenWanted) await this.#reopen();
        if (this.#waiting.length === 0) continue;
        const batch = this.#nextBatch();
        this.#advance(await this.#options.file.write(batch));
        this.#recovered();
      } catch (error) {
        this.#fail(error);
        // A slow reader is waited for until the deadline; anything else was tried once more.
        if (this.#stopping && !isBusy(error)) break;
        await this.#pause();
      }
    }
    this.#pump = undefined;
  }

  /** Only between writes: a line that was cut begins anew in the new file. */
  async #reopen(): Promise<void> {
    this.#reopenWanted = false;
    if (this.#options.file.reopen()) this.#written = 0;
    await this.#options.file.openNow();
  }

  #nextBatch(): Buffer {
    const lines: Buffer[] = [];
    let bytes = -this.#written;
    for (const { line } of this.#waiting) {
      if (lines.length > 0 && bytes + line.length > BATCH_BYTES) break;
      lines.push(line);
      bytes += line.length;
    }
    return Buffer.concat(lines).subarray(this.#written);
  }

  #advance(bytes: number): void {
    let left = this.#written + bytes;
    let done = 0;
    for (const { line, onWritten } of this.#waiting) {
      if (left < line.length) break;
      left -= line.length;
      done += 1;
      this.#queuedBytes -= line.length;
      onWritten();
    }
    this.#written = left;
    this.#waiting.splice(0, done);
    this.#options.stats.queued -= done;
    this.#options.stats.written += done;
  }

  #fail(error: unknown): void {
    const { stats, log, file } = this.#options;
    if (this.#retryMs === FIRST_RETRY_MS) {
      const fields = { err: error, destination: file.name };
      log.error(fields, 'records cannot be written, trying again');
    }
    // The oldest have failed before.
    for (let index = this.#waiting.length - 1; index >= 0; index -= 1) {
      const entry = this.#waiting[index];
      if (entry === undefined || entry.failed) break;
      entry.failed = true;
      stats.failed += 1;
    }
  }

  #recovered(): void {
    const { log, file } = this.#options;
    if (this.#retryMs !== FIRST_RETRY_MS) {
      log.info({ destination: file.name }, 'records are written again');
    }
    this.#retryMs = FIRST_RETRY_MS;
  }

  async #pause(): Promise<void> {
    const { elapsed, cancel } = timer(this.#retryMs);
    this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2);
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
    const { stats, log, file, spill } = this.#options;
    for (const entry of entries) {
      if (!entry.failed) stats.failed += 1;
      spill(entry.line);
      entry.onWritten();
    }
    stats.spilled += entries.length;
    const fields = { destination: file.name, count: entries.length };
    log.error(fields, 'records went to stderr, their destination took none');
  }
}

/** Whether the destination only asks to wait: a pipe that is full. */
function isBusy(error: unknown): boolean {
  return errorCode(error) === 'EAGAIN';
}

function timer(ms: number): { elapsed: Promise<void>; cancel: () => void } {
  let handle: NodeJS.Timeout | undefined;
  const elapsed = new Promise<void>((resolve) => {
    handle = setTimeout(resolve, ms);
  });
  return { elapsed, cancel: () => clearTimeout(handle) };
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
}

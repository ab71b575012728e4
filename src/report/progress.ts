import type { Writable } from 'node:stream';

/** How often the line is written anew, in ms. */
const INTERVAL_MS = 100;
const BAR_CHARACTERS = 20;
const CLEAR_LINE = '\r\u001b[K';

interface Read {
  readonly bytes: number;
  readonly records: number;
  readonly elapsedMs: number;
}

/** A line on a terminal that tells how far a report has come; silent everywhere else. */
export class Progress {
  readonly #terminal: Writable | undefined;
  readonly #totalBytes: number;
  readonly #nowMs: () => number;
  readonly #startMs: number;
  #shownMs = 0;
  #isShown = false;

  /** @param totalBytes of all files; 0 when nobody knows */
  constructor(stderr: Writable, totalBytes: number, nowMs: () => number) {
    this.#terminal = 'isTTY' in stderr && stderr.isTTY === true ? stderr : undefined;
    this.#totalBytes = totalBytes;
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
    this.#shownMs = this.#startMs;
  }

  /** Shows how many bytes of files and how many records were read, if it is time to. */
  show(bytes: number, records: number): void {
    if (this.#terminal === undefined) return;
    const nowMs = this.#nowMs();
    if (nowMs - this.#shownMs < INTERVAL_MS) return;
    this.#shownMs = nowMs;
    this.#isShown = true;
    this.#terminal.write(
      CLEAR_LINE + this.#text({ bytes, records, elapsedMs: nowMs - this.#startMs }),
    );
  }

  /** Takes the line away, so that other words have room. */
  clear(): void {
    if (this.#isShown) this.#terminal?.write(CLEAR_LINE);
    this.#isShown = false;
  }

  #text({ bytes, records, elapsedMs }: Read): string {
    const counts = `${records.toLocaleString('en')} records`;
    if (this.#totalBytes === 0) return `${megabytes(bytes)} MB, ${counts}`;
    const share = Math.min(1, bytes / this.#totalBytes);
    const done = Math.round(share * BAR_CHARACTERS);
    const bar = `[${'#'.repeat(done)}${'.'.repeat(BAR_CHARACTERS - done)}]`;
    const leftSeconds = share > 0 ? (elapsedMs / share - elapsedMs) / 1000 : 0;
    const size = `${megabytes(bytes)} of ${megabytes(this.#totalBytes)} MB`;
    return `${bar} ${Math.floor(share * 100)} %, ${size}, ${counts}, ${Math.ceil(leftSeconds)} s left`;
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0);
}

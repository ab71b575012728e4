import { Origin } from '../domain/origin.ts';
import type { SourceStats } from '../domain/source-stats.ts';
import type { KeyReading, ScanSink } from '../sources/source.ts';
import type { NameHider } from './name-hider.ts';
import type { RecordedIncident, RecordedLine, RecordedMessage } from './recording.ts';

/** What a {@link Recorder} works with. */
interface RecorderOptions {
  readonly write: (line: RecordedLine) => void;
  readonly nowMs: () => number;
  /** Replaces names and addresses; absent: they are kept. */
  readonly hider?: NameHider | undefined;
}

/** A line without whence and when. */
type What = Omit<RecordedMessage, 't'> | Omit<RecordedIncident, 't'>;

/**
 * Writes down all that sources hand to the accounting, so that `Player` can hand it on again.
 * Accounts for nothing itself.
 */
export class Recorder implements ScanSink {
  readonly #options: RecorderOptions;
  readonly #startedMs: number;
  readonly #origins = new Map<string, Origin>();

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#startedMs = options.nowMs();
  }

  openOrigin(stats: SourceStats, name: string): Origin {
    const key = JSON.stringify([stats.name, name]);
    const origin = this.#origins.get(key) ?? new Origin(this.#origins.size, stats, name);
    this.#origins.set(key, origin);
    return origin;
  }

  receive(origin: Origin, channel: string, message: string, nowMs: number): void {
    this.#write(origin, nowMs, this.#shown(channel, message));
  }

  /** Leaves all to `receive`, which gets texts that may be kept. */
  receiveDelta(): boolean {
    return false;
  }

  noteGap(origin: Origin, deaf?: { readonly fromMs: number; readonly toMs: number }): void {
    const { nowMs } = this.#options;
    const from = deaf === undefined ? {} : { from: this.#since(deaf.fromMs) };
    this.#write(origin, deaf?.toMs ?? nowMs(), { event: 'gap', ...from });
  }

  suspectAll(origin: Origin): void {
    this.#write(origin, this.#options.nowMs(), { event: 'restart' });
  }

  endSuspects(origin: Origin, { lostMs, nowMs }: { lostMs: number; nowMs: number }): void {
    this.#write(origin, nowMs, { event: 'dead', from: this.#since(lostMs) });
  }

  statusKeys(): Iterable<undefined> {
    return [];
  }

  beginScan(origin: Origin, nowMs: number): KeyReading {
    this.#write(origin, nowMs, { event: 'scan_begin' });
    let found = 0;
    return {
      found: (key, value, atMs) => {
        found += 1;
        this.#write(origin, atMs, { event: 'scan_key', ...this.#shown(key, value) });
      },
      compare: () => false,
      end: (isPartial = false) => {
        const partial = isPartial ? ({ partial: true } as const) : {};
        this.#write(origin, this.#options.nowMs(), { event: 'scan_end', ...partial });
        return { found, adopted: 0, suspected: 0, isWrongDatabase: false };
      },
    };
  }

  /** The last line, which says for how long it went on after the last message. */
  endLine(): RecordedLine {
    return { t: this.#since(this.#options.nowMs()), event: 'end' };
  }

  #shown(channel: string, message: string): { channel: string; message: string } {
    return this.#options.hider?.hide(channel, message) ?? { channel, message };
  }

  #write({ stats, name }: Origin, atMs: number, what: What): void {
    const { write, hider } = this.#options;
    const source = hider?.hideServer(stats.name) ?? stats.name;
    // A Redis tells nothing of the servers behind it.
    const sender =
      stats.serverFrom === 'connection' ? (hider?.hideServer(name) ?? name) : undefined;
    const t = this.#since(atMs);
    const heard = { t, source, ...(sender === undefined ? {} : { server: sender }) };
    write({ ...heard, ...what });
  }

  #since(atMs: number): number {
    return Math.max(0, Math.round(atMs - this.#startedMs));
  }
}

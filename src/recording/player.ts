import type { Origin } from '../domain/origin.ts';
import { SourceStats } from '../domain/source-stats.ts';
import type { KeyReading, ScanSink } from '../sources/source.ts';
import type { RecordedLine } from './recording.ts';

/** The name of the source of recordings that tell none. */
const UNNAMED = 'recording';

/** Hands the lines of a recording to the accounting, in its own time. */
export class Player {
  readonly #sink: ScanSink;
  readonly #sources = new Map<string, SourceStats>();
  readonly #scans = new Map<Origin, KeyReading>();

  constructor(sink: ScanSink) {
    this.#sink = sink;
  }

  /** What was counted about each source that was heard of. */
  get sources(): readonly SourceStats[] {
    return [...this.#sources.values()];
  }

  /** Hands on one line, by default at its own time, in ms. */
  play(line: RecordedLine, t: number = line.t): void {
    if (line.event === 'end') return;
    const origin = this.#originOf(line);
    switch (line.event) {
      case undefined:
        this.#sink.receive(origin, line.channel, line.message, t);
        return;
      case 'scan_begin':
        this.#scans.set(origin, this.#sink.beginScan(origin, t));
        return;
      case 'scan_key':
        this.#scans.get(origin)?.found(line.channel, line.message, t);
        return;
      case 'scan_end':
        this.#scans.get(origin)?.end(line.partial);
        this.#scans.delete(origin);
        return;
      case 'gap':
        this.#sink.noteGap(
          origin,
          line.from === undefined ? undefined : { fromMs: line.from, toMs: t },
        );
        return;
      case 'restart':
        this.#sink.suspectAll(origin);
        return;
      case 'dead':
        this.#sink.endSuspects(origin, { lostMs: line.from ?? t, nowMs: t });
        return;
    }
  }

  #originOf({ source = UNNAMED, server }: RecordedLine): Origin {
    let stats = this.#sources.get(source);
    if (stats === undefined) {
      stats = new SourceStats(source, server === undefined ? 'status' : 'connection');
      this.#sources.set(source, stats);
    }
    return this.#sink.openOrigin(stats, server ?? source);
  }
}

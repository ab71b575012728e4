import type { Readable } from 'node:stream';
import { Bill, type BillOptions, type BillResult } from './bill.ts';
import { IdSet } from './id-set.ts';
import type { InputFile } from './input-files.ts';
import { readRecords } from './read-records.ts';
import { LONGEST_DISORDER_MS, SessionMerger } from './session-merger.ts';

/** What a report is made of, and who hears of it. */
export interface ReportRun {
  readonly files: readonly InputFile[];
  readonly stdin: Readable;
  readonly options: BillOptions;
  /** Ends the reading early. */
  readonly signal: AbortSignal;
  readonly onProgress: (bytes: number, records: number) => void;
  /** A line that cannot be read; `where` is `file:line`. */
  readonly onProblem: (where: string, reason: string) => void;
}

/** A bill and what became of the lines that it was made of. */
export interface Report extends BillResult {
  readonly records: number;
  /** Lines whose session was counted before. */
  readonly repeated: number;
  /** Lines of JSON that are no session records. */
  readonly others: number;
  /** Lines and rests of files that could not be read. */
  readonly problems: number;
}

/** What makes a bill wrong if one went on; its message is one line that names file and line. */
export class ReportError extends Error {
  override readonly name = 'ReportError';
}

/**
 * Reads record files once and sums them up.
 *
 * @throws {ReportError} when records that belong together are too far out of order, or it is ended
 */
export async function runReport(run: ReportRun): Promise<Report> {
  const { files, stdin, options, signal, onProgress, onProblem } = run;
  const ids = new IdSet();
  const bill = new Bill(options);
  const merger = new SessionMerger((session) => bill.add(session));
  const counts = { records: 0, repeated: 0, others: 0, problems: 0 };
  let bytes = 0;
  let disorder: string | undefined;
  const observer = {
    onBytes: (count: number) => {
      bytes += count;
    },
    onProblem: (where: string, reason: string) => {
      counts.problems += 1;
      onProblem(where, reason);
    },
    onOther: () => {
      counts.others += 1;
    },
    onDisorder: (where: string, byMs: number) => {
      if (byMs > LONGEST_DISORDER_MS) disorder ??= where;
    },
  };
  for await (const batch of readRecords(files, { observer, stdin })) {
    if (signal.aborted) throw new ReportError('Stopped before the end: there is no bill');
    for (const record of batch) {
      if (ids.add(record.id)) merger.push(record);
      else counts.repeated += 1;
    }
    counts.records += batch.length;
    onProgress(bytes, counts.records);
  }
  merger.finish();
  if (disorder !== undefined && merger.needsOrder) {
    throw new ReportError(
      `Cannot merge records at ${disorder}: expected the order of time, which tells what belongs together; sort the lines (sort FILE)`,
    );
  }
  return { ...bill.result(), ...counts };
}

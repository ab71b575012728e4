import type { Readable } from 'node:stream';
import type { BillRecord } from './bill-record.ts';
import type { InputFile } from './input-files.ts';
import { type InputObserver, RecordInput } from './record-input.ts';

/** What {@link readRecords} needs beside the files. */
export interface ReadOptions {
  readonly observer: InputObserver;
  readonly stdin: Readable;
}

interface Waiting {
  readonly file: InputFile;
  /** Of its first record; the smallest number for standard input, which cannot be looked at. */
  readonly firstMs: number;
}

const PEEK_BYTES = 16 * 1024;
const SILENT: InputObserver = {
  onBytes() {},
  onProblem() {},
  onOther() {},
  onDisorder() {},
};

/**
 * The records of all files in one order of time, in batches: those of a pair of exporters come side
 * by side, whatever the order of the arguments. Only files whose times overlap are open together.
 */
export async function* readRecords(
  files: readonly InputFile[],
  options: ReadOptions,
): AsyncGenerator<readonly BillRecord[], undefined> {
  const waiting = await inOrder(files, options);
  let active: RecordInput[] = [];
  for (;;) {
    while (waiting[0] !== undefined && waiting[0].firstMs <= oldestOf(active)) {
      const input = new RecordInput(waiting[0].file, options);
      waiting.shift();
      if (await input.fill()) active.push(input);
    }
    if (active.length === 0) return undefined;
    const [only] = active;
    const untilMs = waiting[0]?.firstMs ?? Number.POSITIVE_INFINITY;
    yield active.length === 1 && only !== undefined
      ? takeUntil(only, untilMs)
      : takeMerged(active, untilMs);
    active = await refill(active);
  }
}

async function inOrder(files: readonly InputFile[], options: ReadOptions): Promise<Waiting[]> {
  const waiting: Waiting[] = [];
  for (const file of files) waiting.push({ file, firstMs: await firstTime(file, options) });
  return waiting.sort((left, right) => left.firstMs - right.firstMs);
}

async function firstTime(file: InputFile, { stdin }: ReadOptions): Promise<number> {
  if (file.path === undefined) return Number.MIN_SAFE_INTEGER;
  const input = new RecordInput(file, { observer: SILENT, stdin, chunkBytes: PEEK_BYTES });
  await input.fill();
  const firstMs = input.head?.timeMs ?? Number.MIN_SAFE_INTEGER;
  input.close();
  return firstMs;
}

/** The time of the oldest head; without inputs the largest number, so that one is opened. */
function oldestOf(inputs: readonly RecordInput[]): number {
  return inputs.reduce(
    (oldest, { head }) => Math.min(oldest, head?.timeMs ?? oldest),
    Number.POSITIVE_INFINITY,
  );
}

/** What one input holds up to the moment at which another begins, at least one record. */
function takeUntil(input: RecordInput, untilMs: number): BillRecord[] {
  const { records, next } = input;
  let end = next + 1;
  while (end < records.length && (records[end]?.timeMs ?? 0) < untilMs) end += 1;
  input.next = end;
  return records.slice(next, end);
}

/** Takes the oldest head again and again, until an input has to be filled or another begins. */
function takeMerged(inputs: readonly RecordInput[], untilMs: number): BillRecord[] {
  const taken: BillRecord[] = [];
  for (;;) {
    let oldest: RecordInput | undefined;
    for (const input of inputs) {
      if (input.head === undefined) return taken;
      if (oldest?.head === undefined || input.head.timeMs < oldest.head.timeMs) oldest = input;
    }
    if (oldest?.head === undefined) return taken;
    if (oldest.head.timeMs >= untilMs && taken.length > 0) return taken;
    taken.push(oldest.head);
    oldest.next += 1;
  }
}

async function refill(inputs: readonly RecordInput[]): Promise<RecordInput[]> {
  const left: RecordInput[] = [];
  for (const input of inputs) {
    if (input.head !== undefined || (await input.fill())) left.push(input);
  }
  return left;
}

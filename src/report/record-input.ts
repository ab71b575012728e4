import { createReadStream } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { errorCode } from '../log.ts';
import { type BillRecord, parseRecordLine } from './bill-record.ts';
import type { InputFile } from './input-files.ts';

/** Hears what goes on while files are read. */
export interface InputObserver {
  /** Bytes came in, as they lie on disk. */
  onBytes(count: number): void;
  /** A line, or the rest of a file, cannot be read; `where` is `file:line`. */
  onProblem(where: string, reason: string): void;
  /** A line is JSON, but no session record. */
  onOther(): void;
  /** A record is older than the one before it in the same input, by so much. */
  onDisorder(where: string, byMs: number): void;
}

/** What a {@link RecordInput} needs beside its file. */
export interface RecordInputOptions {
  readonly observer: InputObserver;
  readonly stdin: Readable;
  /** How much is read at a time; default: 1 MiB. */
  readonly chunkBytes?: number;
}

const CHUNK_BYTES = 1024 * 1024;
/** No record is longer: 32 addresses and names of 64 KB make less. */
const MAX_LINE_BYTES = 8 * 1024 * 1024;
const LINE_FEED = 0x0a;

/** Begins of formats that people pack logs with, of which only gzip is unpacked here. */
const GZIP = '1f8b';
const FOREIGN_FORMATS: ReadonlyMap<string, string> = new Map([
  ['28b52ffd', 'zstdcat'],
  ['fd377a58', 'xzcat'],
  ['425a6839', 'bzcat'],
]);

/** Reads the records of one file or of standard input, chunk by chunk. */
export class RecordInput {
  /** Read and not yet taken; `next` is the first of them. */
  records: BillRecord[] = [];
  next = 0;
  readonly #name: string;
  readonly #observer: InputObserver;
  readonly #open: () => Readable;
  #chunks: AsyncIterator<Buffer, undefined> | undefined;
  #isOver = false;
  #source: Readable | undefined;
  #rest: Buffer[] = [];
  #restBytes = 0;
  #line = 0;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(file: InputFile, options: RecordInputOptions) {
    const { name, path } = file;
    const { observer, stdin, chunkBytes = CHUNK_BYTES } = options;
    this.#name = name;
    this.#observer = observer;
    this.#open = () =>
      path === undefined ? stdin : createReadStream(path, { highWaterMark: chunkBytes });
  }

  /** The record that comes next; undefined when {@link fill} has to be called. */
  get head(): BillRecord | undefined {
    return this.records[this.next];
  }

  /**
   * Reads on until there are records.
   *
   * @returns false at the end of the file
   */
  async fill(): Promise<boolean> {
    this.records = [];
    this.next = 0;
    while (this.records.length === 0 && !this.#isOver) {
      try {
        await this.#readOn();
      } catch (error) {
        this.#isOver = true;
        this.#source?.destroy();
        this.#observer.onProblem(this.#where(), `the rest cannot be read: ${explain(error)}`);
      }
    }
    return this.records.length > 0;
  }

  /** Stops reading, for example because only the first record was wanted. */
  close(): void {
    this.#isOver = true;
    this.#source?.destroy();
  }

  async #readOn(): Promise<void> {
    this.#chunks ??= this.#unpack(this.#open());
    const { done, value } = await this.#chunks.next();
    if (!done) {
      this.#take(value);
      return;
    }
    this.#isOver = true;
    if (this.#rest.length > 0) this.#takeLine(Buffer.concat(this.#rest).toString());
  }

  /** The chunks of a stream, unpacked when they begin as a gzip file does. */
  async *#unpack(source: Readable): AsyncGenerator<Buffer, undefined> {
    this.#source = source;
    const raw = this.#counted(source);
    const { value: first, done } = await raw.next();
    if (done || first === undefined) return undefined;
    const begin = first.subarray(0, 4).toString('hex');
    const unpacker = FOREIGN_FORMATS.get(begin);
    if (unpacker !== undefined) {
      throw new Error(`expected JSON lines or gzip; use ${unpacker} ${this.#name} and a pipe`);
    }
    if (!begin.startsWith(GZIP)) {
      yield first;
      yield* raw;
      return undefined;
    }
    const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
    // Errors come out of the iterator.
    yield* pipeline(Readable.from(startingWith(first, raw)), gunzip, () => {});
    return undefined;
  }

  async *#counted(source: Readable): AsyncGenerator<Buffer, undefined> {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      this.#observer.onBytes(chunk.length);
      yield chunk;
    }
    return undefined;
  }

  #take(chunk: Buffer): void {
    const end = chunk.lastIndexOf(LINE_FEED);
    if (end < 0) {
      this.#keep(chunk);
      return;
    }
    const whole = chunk.subarray(0, end);
    const text = this.#rest.length > 0 ? Buffer.concat([...this.#rest, whole]) : whole;
    this.#rest = [];
    this.#restBytes = 0;
    for (const line of text.toString().split('\n')) this.#takeLine(line);
    this.#keep(chunk.subarray(end + 1));
  }

  #keep(rest: Buffer): void {
    if (rest.length === 0) return;
    this.#restBytes += rest.length;
    if (this.#restBytes > MAX_LINE_BYTES) {
      throw new Error(`the next line is longer than ${MAX_LINE_BYTES} bytes`);
    }
    // A copy: a part would keep its whole chunk in memory.
    this.#rest.push(Buffer.from(rest));
  }

  #takeLine(line: string): void {
    this.#line += 1;
    if (line.trim() === '') return;
    const parsed = parseRecordLine(line);
    if (parsed.kind === 'bad') this.#observer.onProblem(this.#where(), parsed.reason);
    if (parsed.kind === 'other') this.#observer.onOther();
    if (parsed.kind !== 'record') return;
    const { timeMs } = parsed.record;
    if (timeMs < this.#lastMs) this.#observer.onDisorder(this.#where(), this.#lastMs - timeMs);
    else this.#lastMs = timeMs;
    this.records.push(parsed.record);
  }

  #where(): string {
    return `${this.#name}:${this.#line}`;
  }
}

async function* startingWith<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T, undefined> {
  yield first;
  yield* rest;
  return undefined;
}

/** zlib's words for a file that ends too early tell nobody what that means. */
function explain(error: unknown): string {
  if (errorCode(error) === 'Z_BUF_ERROR') return 'the compressed file is cut';
  return error instanceof Error ? error.message : String(error);
}

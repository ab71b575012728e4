import type { RecordFile } from '../../../src/records/record-file.ts';

/** What one write does: takes this many bytes, fails, or never comes back. */
export type WriteResult = number | Error | 'stuck';

/** A destination that takes what its script says, and everything after the script. */
export class FakeRecordFile implements RecordFile {
  readonly name = 'records.jsonl';
  /** Contents by file: a new one begins with each reopening. */
  readonly files: Buffer[] = [Buffer.alloc(0)];
  /** Lengths of the buffers that were given to `write`. */
  readonly writes: number[] = [];
  isClosed = false;
  /** False where nothing is ever opened anew, as on stdout. */
  hasFiles = true;
  /** What opening does. */
  openError: Error | undefined;
  readonly #script: WriteResult[];
  #isStale = false;

  constructor(script: readonly WriteResult[] = []) {
    this.#script = [...script];
  }

  /** All that was written to the newest file. */
  get text(): string {
    return this.files.at(-1)?.toString() ?? '';
  }

  async open(anew = false): Promise<boolean> {
    this.#isStale ||= anew;
    if (this.openError !== undefined) throw this.openError;
    if (!this.#isStale || !this.hasFiles) return false;
    this.#isStale = false;
    this.files.push(Buffer.alloc(0));
    return true;
  }

  async write(bytes: Buffer): Promise<number> {
    this.writes.push(bytes.length);
    await Promise.resolve();
    const result = this.#script.shift() ?? bytes.length;
    if (result === 'stuck') return new Promise(() => undefined);
    if (result instanceof Error) throw result;
    const taken = bytes.subarray(0, result);
    const last = this.files.length - 1;
    this.files[last] = Buffer.concat([this.files[last] ?? Buffer.alloc(0), taken]);
    return taken.length;
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

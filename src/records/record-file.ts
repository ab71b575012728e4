import {
  close,
  closeSync,
  constants,
  fstat,
  fstatSync,
  open,
  openSync,
  readSync,
  type Stats,
  write,
} from 'node:fs';
import { lstat, open as openForReading, rename, rm, stat, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Logger } from 'pino';
import { datedPath, isDated } from '../config/values.ts';
import { errorCode } from '../log.ts';
import type { RecordStats } from './record-queue.ts';

const openFile = promisify(open);
const closeFile = promisify(close);
const statFile = promisify(fstat);

/** Standard output, which is never opened nor closed by us. */
const STDOUT_FD = 1;

/** How much of the end of a file is read: several times the largest write of records. */
const TAIL_BYTES = 1024 * 1024;

const DAY_MS = 86_400_000;

/** Where lines of records go: standard output, or a file that is only appended to. */
export interface RecordFile {
  /** For people: the path, or `stdout`. */
  readonly name: string;
  /**
   * Makes sure that what the name stands for now is open: the file of the day, or a new one where
   * the old was deleted or replaced. Nothing for stdout.
   *
   * @param anew it was renamed: to be opened again in any case
   * @returns whether that is another file than before, in which a line that was cut begins anew
   * @throws what the system says, for example ENOSPC or EACCES
   */
  open(anew?: boolean): Promise<boolean>;
  /**
   * Appends bytes; may write only the first of them.
   *
   * @returns how many were written
   * @throws what the system says, for example ENOSPC or EPIPE
   */
  write(bytes: Buffer): Promise<number>;
  /** Closes what was opened. */
  close(): Promise<void>;
}

/** Standard output as a destination. */
export function createStdout(): RecordFile {
  return {
    name: 'stdout',
    open: () => Promise.resolve(false),
    write: (bytes) => writeSome(STDOUT_FD, bytes),
    close: () => Promise.resolve(),
  };
}

/** What a file of records works with. */
export interface RecordFileOptions {
  /** Path of the file; with `%Y-%m-%d` in its name there is one for each day (UTC). */
  readonly path: string;
  /** Unix time in ms. */
  readonly unixMs: () => number;
  readonly stats: RecordStats;
  readonly log: Pick<Logger, 'warn' | 'info'>;
}

/** A file as a destination; it is opened, and made, by `open` or at the first write. */
export function createRecordFile(options: RecordFileOptions): RecordFile {
  return new AppendedFile(options);
}

class AppendedFile implements RecordFile {
  readonly #options: RecordFileOptions;
  #file: { readonly fd: number; readonly path: string } | undefined;
  #isWhole = false;

  constructor(options: RecordFileOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.path;
  }

  async open(anew = false): Promise<boolean> {
    const { path: pattern, unixMs, stats } = this.#options;
    const path = datedPath(pattern, unixMs());
    const old = this.#file;
    const reason = old === undefined ? 'first' : await whyAnother(old, path, anew);
    if (reason === undefined) return false;
    this.#file = { fd: await openChecked(path), path };
    this.#isWhole = false;
    if (isDated(pattern)) await this.#link(path);
    if (old === undefined || reason === 'first') return false;
    await closeFile(old.fd);
    stats.reopened[reason] += 1;
    this.#tell(reason, path);
    return true;
  }

  async write(bytes: Buffer): Promise<number> {
    if (this.#file === undefined) await this.open();
    const file = this.#file;
    if (file === undefined) throw new Error('The file of records is closed');
    // Here and not when it is opened: a full disk, which takes no line feed, does not stop a start.
    if (!this.#isWhole) await endCutLine(file.path, file.fd);
    this.#isWhole = true;
    return await writeSome(file.fd, bytes);
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) await closeFile(file.fd);
  }

  #tell(reason: ReopenReason, path: string): void {
    const { log } = this.#options;
    if (reason === 'deleted') {
      log.warn({ path }, 'the record file was deleted and what it held is lost, a new one is open');
    } else if (reason === 'replaced') {
      log.info({ path }, 'the record file was renamed or replaced, a new one is open');
    } else if (reason === 'day') log.info({ path }, 'a new day, a new record file');
  }

  /** Beside the files of the days stands a link to the newest, for `tail -F` and people. */
  async #link(path: string): Promise<void> {
    const link = linkName(this.#options.path);
    const fresh = `${link}.tmp`;
    try {
      const there = await lstat(link).catch(() => undefined);
      if (there?.isSymbolicLink() === false) throw new Error('something else has its name');
      await rm(fresh, { force: true });
      await symlink(basename(path), fresh);
      await rename(fresh, link);
    } catch (error) {
      this.#options.log.warn({ err: error, link }, 'no link to the newest record file can be made');
    }
  }
}

/** Why another file had to be opened; the `reason` label of `coturn_exporter_records_reopened_total`. */
export const REOPEN_REASONS = ['signal', 'day', 'replaced', 'deleted'] as const;
export type ReopenReason = (typeof REOPEN_REASONS)[number];

async function whyAnother(
  old: { readonly fd: number; readonly path: string },
  path: string,
  anew: boolean,
): Promise<ReopenReason | undefined> {
  if (anew) return 'signal';
  if (old.path !== path) return 'day';
  const held = await statFile(old.fd);
  if (!held.isFile()) return undefined;
  const named = await stat(path).catch((error: unknown) => missing(error, held));
  if (named?.ino === held.ino && named.dev === held.dev) return undefined;
  return held.nlink === 0 ? 'deleted' : 'replaced';
}

/** That a path cannot be looked at does not mean that the file is gone. */
function missing(error: unknown, held: Stats): Stats | undefined {
  return errorCode(error) === 'ENOENT' ? undefined : held;
}

/** Without waiting for the reader of a pipe. */
async function openChecked(path: string): Promise<number> {
  const there = await stat(path).catch(() => undefined);
  if (there?.isSocket() || there?.isBlockDevice()) {
    throw Object.assign(new Error('It is neither a file nor a pipe'), { code: 'EINVAL' });
  }
  const { O_APPEND, O_CREAT, O_NONBLOCK, O_WRONLY } = constants;
  // Records hold user names and addresses: not for everyone on the machine.
  return await openFile(path, O_APPEND | O_CREAT | O_NONBLOCK | O_WRONLY, 0o640);
}

/** `sessions-%Y-%m-%d.jsonl` → `sessions.jsonl`, beside it; `newest.jsonl` where nothing is left. */
export function linkName(pattern: string): string {
  const rest = basename(pattern)
    .replaceAll(/[-_.]?%[A-Za-z]/g, '')
    .replace(/^[-_]+/, '');
  return join(dirname(pattern), rest === '' || rest.startsWith('.') ? `newest${rest}` : rest);
}

/** A process that was killed may have left a part of a line; the next record begins its own. */
async function endCutLine(path: string, fd: number): Promise<void> {
  if (!(await statFile(fd)).isFile()) return;
  const file = await openForReading(path, 'r').catch(() => undefined);
  if (file === undefined) return;
  try {
    const { size } = await file.stat();
    if (size === 0) return;
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
    if (buffer.toString() !== '\n') await writeSome(fd, Buffer.from('\n'));
  } finally {
    await file.close();
  }
}

function writeSome(fd: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, (error, written) => (error ? reject(error) : resolve(written)));
  });
}

/**
 * Session ids of the newest records in a file, or in those of today and yesterday: what a killed
 * process had written and not yet noted down. Empty when there is no file that can be read.
 */
export function recentRecordIds(pattern: string, unixMs: number): ReadonlySet<string> {
  const ids = new Set<string>();
  const days = isDated(pattern) ? [unixMs - DAY_MS, unixMs] : [unixMs];
  for (const day of days) {
    for (const line of readTail(datedPath(pattern, day)).split('\n')) {
      const id = sessionIdOf(line);
      if (id !== undefined) ids.add(id);
    }
  }
  return ids;
}

function readTail(path: string): string {
  let fd: number;
  try {
    // Not to wait for a writer, should it be a pipe.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return '';
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) return '';
    const { size } = stats;
    const length = Math.min(size, TAIL_BYTES);
    const bytes = Buffer.alloc(length);
    readSync(fd, bytes, 0, length, size - length);
    return bytes.toString();
  } finally {
    closeSync(fd);
  }
}

/** The first line may be a part of one, and the last may be cut. */
function sessionIdOf(line: string): string | undefined {
  try {
    const record: unknown = JSON.parse(line);
    if (typeof record !== 'object' || record === null || !('session_id' in record))
      return undefined;
    return typeof record.session_id === 'string' ? record.session_id : undefined;
  } catch {
    return undefined;
  }
}

import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  statSync,
} from 'node:fs';
import { errorCode } from '../log.ts';

/** The largest file of configuration that is read, in bytes: a hundred times a chain of certificates. */
export const MAX_CONFIG_BYTES: number = 1024 * 1024;

const BYTE_ORDER_MARK = '\uFEFF';

/** A file that is there and can be opened, and is nothing to read. */
export class WrongFileError extends Error {
  /** What it should have been, to follow "expected". */
  readonly expected: string;

  constructor(expected: string) {
    super(`It is not ${expected}`);
    this.expected = expected;
  }
}

/** How a file is read. */
export interface ReadOptions {
  /** More than this is refused. */
  readonly maxBytes?: number;
  /** Not through a symbolic link. */
  readonly noFollow?: boolean;
}

/**
 * The text of a regular file, UTF-8, without a byte order mark.
 *
 * @throws like {@link readBytes}
 */
export function readTextFile(path: string, options?: ReadOptions): string {
  const text = readBytes(path, options).toString('utf8');
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
}

/**
 * The bytes of a regular file. Nothing is waited for: a pipe, whose writer may never come, is refused
 * like everything else that is no file.
 *
 * @throws {WrongFileError} for what is no regular file, or too large
 * @throws what the system says, for example ENOENT or EACCES
 */
export function readBytes(
  path: string,
  { maxBytes = Number.POSITIVE_INFINITY, noFollow = false }: ReadOptions = {},
): Buffer {
  const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
  const fd = openSync(path, O_RDONLY | O_NONBLOCK | (noFollow ? O_NOFOLLOW : 0));
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new WrongFileError('a regular file');
    if (stats.size > maxBytes) throw new WrongFileError(`a file of at most ${maxBytes} bytes`);
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Files of configuration that are read, and noticed when they are replaced or written. */
export class WatchedFiles {
  readonly #seen = new Map<string, string>();

  /** Begins anew: none was read. */
  forget(): void {
    this.#seen.clear();
  }

  /** @throws like {@link readTextFile}; the file is watched nevertheless */
  read(path: string): string {
    this.#seen.set(path, signatureOf(path));
    return readTextFile(path, { maxBytes: MAX_CONFIG_BYTES });
  }

  /** Whether one of those that were read is another now. */
  haveChanged(): boolean {
    for (const [path, signature] of this.#seen) {
      if (signatureOf(path) !== signature) return true;
    }
    return false;
  }
}

/** Differs when the file was written, replaced, or reached by another link. */
function signatureOf(path: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs} ${ctimeMs} ${lstatSync(path).ino}`;
  } catch (error) {
    return errorCode(error) ?? 'unknown';
  }
}

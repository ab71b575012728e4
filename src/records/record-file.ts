import { close, closeSync, constants, fstatSync, open, openSync, readSync, write } from 'node:fs';
import { open as openForReading } from 'node:fs/promises';
import { promisify } from 'node:util';

const openFile = promisify(open);
const closeFile = promisify(close);

/** Standard output, which is never opened nor closed by us. */
const STDOUT_FD = 1;

/** Where lines of records go: standard output, or a file that is only appended to. */
export interface RecordFile {
  /** Opens the destination, so that a wrong path is found at the start; nothing for stdout. */
  openNow(): Promise<void>;
  /** For people: the path, or `stdout`. */
  readonly name: string;
  /**
   * Appends bytes; may write only the first of them.
   *
   * @returns how many were written
   * @throws what the system says, for example ENOSPC or EPIPE
   */
  write(bytes: Buffer): Promise<number>;
  /**
   * Opens the file anew by its name before the next write, since it was renamed.
   *
   * @returns whether that is another file, in which a line that was cut has to begin anew
   */
  reopen(): boolean;
  /** Closes what was opened. */
  close(): Promise<void>;
}

/** Standard output as a destination. */
export function createStdout(): RecordFile {
  return {
    name: 'stdout',
    async openNow() {},
    write: (bytes) => writeSome(STDOUT_FD, bytes),
    reopen: () => false,
    async close() {},
  };
}

/** A file as a destination; it is opened, and made, at the first write or by `openNow`. */
export function createRecordFile(path: string): RecordFile {
  let fd: number | undefined;
  let stale = false;
  let isWhole = false;
  const drop = async (): Promise<void> => {
    const old = fd;
    fd = undefined;
    stale = false;
    if (old !== undefined) await closeFile(old);
  };
  const current = async (): Promise<number> => {
    if (stale) await drop();
    const flags = constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY;
    // Records hold user names and addresses: not for everyone on the machine.
    if (fd === undefined) {
      fd = await openFile(path, flags, 0o640);
      isWhole = false;
    }
    return fd;
  };
  return {
    name: path,
    async write(bytes) {
      const to = await current();
      // Here and not when it is opened: a full disk, which takes no line feed, does not stop a start.
      if (!isWhole) await endCutLine(path, to);
      isWhole = true;
      return await writeSome(to, bytes);
    },
    reopen() {
      stale = true;
      return true;
    },
    close: drop,
    async openNow() {
      await current();
    },
  };
}

/** A process that was killed may have left a part of a line; the next record begins its own. */
async function endCutLine(path: string, fd: number): Promise<void> {
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

/** How much of the end of a file is read: several times the largest write of records. */
const TAIL_BYTES = 1024 * 1024;

/**
 * Session ids of the newest records in a file: what a killed process had written and not yet noted
 * down. Empty when there is no file that can be read.
 */
export function recentRecordIds(path: string): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const line of readTail(path).split('\n')) {
    const id = sessionIdOf(line);
    if (id !== undefined) ids.add(id);
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

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

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

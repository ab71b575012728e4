import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SavedSession } from '../domain/saved-session.ts';
import { renderEnd, renderHeader, renderSession, type StateHeader } from './state-format.ts';

/** How much text is made before the event loop gets its turn, in characters; about 2 ms of work. */
const SLICE_LENGTH = 128 * 1024;

/**
 * Writes a state file beside the old one and puts it in its place, so that there is a whole one at
 * any moment.
 *
 * @throws what the system says; the old file is there still
 */
export async function writeStateFile(
  path: string,
  sessions: Iterable<SavedSession>,
  header: Omit<StateHeader, 'format' | 'version'>,
): Promise<void> {
  const fresh = `${path}.tmp`;
  await rm(fresh, { force: true });
  // Exclusively: not through a link that somebody left there. Sessions hold user names and addresses:
  // for nobody else on the machine.
  const file = await open(fresh, 'wx', 0o600);
  try {
    await file.appendFile(renderHeader(header));
    const count = await writeSessions(file, sessions);
    await file.appendFile(renderEnd(count));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(fresh, path);
  await syncFolder(dirname(path));
}

/** Notes in a state file, without taking space, that it is no longer the last word of its writer. */
export function clearFinal(path: string): void {
  const mark = '"isFinal":true';
  const fd = openSync(path, 'r+');
  try {
    const start = Buffer.alloc(HEADER_BYTES);
    const at = start.subarray(0, readSync(fd, start, 0, HEADER_BYTES, 0)).indexOf(mark);
    if (at >= 0) writeSync(fd, 'null', at + mark.length - 'true'.length);
  } finally {
    closeSync(fd);
  }
}

/** More than the first line of a state file has. */
const HEADER_BYTES = 1024;

/** By `appendFile`, which goes on until all is written: `write` may stop half-way on a full disk. */
async function writeSessions(file: FileHandle, sessions: Iterable<SavedSession>): Promise<number> {
  let count = 0;
  let text = '';
  for (const session of sessions) {
    text += renderSession(session);
    count += 1;
    if (text.length >= SLICE_LENGTH) {
      await file.appendFile(text);
      text = '';
    }
  }
  await file.appendFile(text);
  return count;
}

/** Without this a power cut may undo the renaming. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

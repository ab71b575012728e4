import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SavedSession } from '../domain/saved-session.ts';
import { errorCode } from '../log.ts';
import {
  parseState,
  renderEnd,
  renderHeader,
  renderSession,
  type SavedState,
} from './state-format.ts';

/** How many sessions are written before the event loop gets its turn; about 2 ms of work. */
const SLICE = 100;

/**
 * Reads a state file.
 *
 * @returns undefined when there is none
 * @throws {Error} that names the file, when it cannot be read or is not one of ours
 */
export function readStateFile(path: string): SavedState | undefined {
  try {
    return parseState(readFileSync(path, 'utf8'));
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `Cannot use --state.file "${path}": ${why}; it is left as it is, expected a state file or none`,
      { cause },
    );
  }
}

/**
 * Writes a state file beside the old one and puts it in its place, so that there is a whole one at
 * any moment.
 *
 * @throws what the system says; the old file is there still
 */
export async function writeStateFile(
  path: string,
  sessions: Iterable<SavedSession>,
  header: { savedAt: string; isFinal: boolean },
): Promise<void> {
  const fresh = `${path}.tmp`;
  // Sessions hold user names and addresses: for nobody else on the machine.
  const file = await open(fresh, 'w', 0o600);
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
  const at = readFileSync(path).indexOf(mark);
  if (at < 0) return;
  const fd = openSync(path, 'r+');
  try {
    writeSync(fd, 'null', at + mark.length - 'true'.length);
  } finally {
    closeSync(fd);
  }
}

/** By `appendFile`, which goes on until all is written: `write` may stop half-way on a full disk. */
async function writeSessions(file: FileHandle, sessions: Iterable<SavedSession>): Promise<number> {
  let count = 0;
  let text = '';
  for (const session of sessions) {
    text += renderSession(session);
    count += 1;
    if (count % SLICE === 0) {
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

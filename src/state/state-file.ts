import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { SavedSession } from '../domain/saved-session.ts';
import { errorCode } from '../log.ts';
import {
  parseStateHeader,
  parseStateLine,
  renderEnd,
  renderHeader,
  renderSession,
  type StateHeader,
} from './state-format.ts';

/** What {@link readState} hands on while it reads. */
export interface StateReader {
  /** Called first. */
  readonly onHeader: (header: StateHeader) => void;
  readonly onSession: (session: SavedSession) => void;
}

/** What became of a state file that was read. */
export interface StateSummary {
  /** Lines that could not be read; they are in the file beside it now. */
  readonly badLines: number;
  /** Its end is missing: some sessions are not there. */
  readonly isCut: boolean;
}

/** How much text is made before the event loop gets its turn, in characters; about 2 ms of work. */
const SLICE_LENGTH = 128 * 1024;
/** More than the first line of a state file has. */
const HEADER_BYTES = 1024;
/** How much is read before the event loop gets its turn: some hundred sessions, about 5 ms of work. */
const CHUNK_BYTES = 256 * 1024;
/** The longest line that is read; a session with a thousand allocations is below a tenth of it. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const LF = 10;

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

/**
 * Reads a state file line by line, of whatever size. A line that cannot be read is set aside in
 * `….bad`, and the rest is read.
 *
 * @returns undefined when there is none
 * @throws {Error} that names the file, when it cannot be read or is not one of ours; it stays as it is
 */
export async function readState(
  path: string,
  reader: StateReader,
): Promise<StateSummary | undefined> {
  try {
    // Without waiting for a writer, should it be a pipe.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!(await file.stat()).isFile()) throw new Error('it is not a regular file');
      return await readLines(file, path, reader);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined;
    throw unusable(
      path,
      `${messageOf(cause)}; it is left as it is, expected a state file or none`,
      cause,
    );
  }
}

/** The error of a state file that an exporter cannot work with. */
export function unusable(path: string, why: string, cause: unknown): Error {
  return new Error(`Cannot use --state.file "${path}": ${why}`, { cause });
}

/** Only the first line of a state file, for who wants to know whether it is one. */
export async function checkState(path: string): Promise<void> {
  const stop = new Error('enough');
  try {
    await readState(path, {
      onHeader() {
        throw stop;
      },
      onSession: () => undefined,
    });
  } catch (error) {
    if (!(error instanceof Error && error.cause === stop)) throw error;
  }
}

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

async function readLines(
  file: FileHandle,
  path: string,
  reader: StateReader,
): Promise<StateSummary> {
  let version: number | undefined;
  let lines = 0;
  let expected: number | undefined;
  const bad: string[] = [];
  for await (const batch of linesOf(file)) {
    for (const line of batch) {
      if (version === undefined) {
        const header = parseStateHeader(line);
        reader.onHeader(header);
        version = header.version;
        continue;
      }
      const parsed = parseStateLine(line, version);
      if (parsed?.kind === 'end') expected = parsed.sessions;
      else lines += 1;
      if (parsed === undefined) bad.push(line);
      else if (parsed.kind === 'session') reader.onSession(parsed.session);
    }
  }
  if (bad.length > 0) setAside(`${path}.bad`, bad);
  return { badLines: bad.length, isCut: expected !== lines };
}

/** The lines of a file, those of one chunk together; the last may lack its line feed. */
async function* linesOf(file: FileHandle): AsyncGenerator<readonly string[]> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let rest: Buffer[] = [];
  let restBytes = 0;
  for (;;) {
    const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES);
    if (bytesRead === 0) break;
    const bytes = chunk.subarray(0, bytesRead);
    const end = bytes.lastIndexOf(LF);
    if (end >= 0) {
      yield Buffer.concat([...rest, bytes.subarray(0, end)])
        .toString()
        .split('\n');
      rest = [];
      restBytes = 0;
    }
    const tail = Buffer.from(bytes.subarray(end + 1));
    restBytes += tail.length;
    // What has no end at all is no line; what is left of it is found bad.
    if (restBytes <= MAX_LINE_BYTES) rest.push(tail);
  }
  if (restBytes > 0) yield [Buffer.concat(rest).toString()];
}

function setAside(path: string, lines: readonly string[]): void {
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;
  const fd = openSync(path, O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_WRONLY, 0o600);
  try {
    for (const line of lines) writeSync(fd, `${line}\n`);
  } finally {
    closeSync(fd);
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

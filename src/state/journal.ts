import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { readTextFile } from '../config/files.ts';
import { errorCode } from '../log.ts';

/** A line of the journal that is no session id: an exporter has taken over the state file. */
const OPENED = 'opened';
const LF = 10;

/** Neither through a link nor waiting for the other end of a pipe. */
const PLAIN = constants.O_NOFOLLOW | constants.O_NONBLOCK;
const APPEND = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | PLAIN;

/** What a journal tells. */
export interface Journal {
  /** Sessions of the state file that have their record already. */
  readonly recorded: ReadonlySet<string>;
  /** An exporter went on from the state file, so it is not the last word of its writer any more. */
  readonly wasOpened: boolean;
}

/**
 * A list beside the state file of the sessions that were recorded since it was written: a process
 * that is killed leaves a state file in which they still live, and nobody wants two records. Written
 * at once and synchronously, a short line for each record.
 */
export class RecordJournal {
  readonly #path: string;
  #fd: number | undefined;
  /** What was recorded since the snapshot under way began. */
  #sinceSnapshot: string[] = [];

  constructor(stateFile: string) {
    this.#path = `${stateFile}.recorded`;
  }

  /** What an earlier process left; empty when there is none. */
  read(): Journal {
    let text = '';
    try {
      text = readTextFile(this.#path, { noFollow: true });
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw wrong(this.#path, error);
    }
    const lines = text.split('\n').filter((line) => line !== '');
    return { recorded: new Set(lines), wasOpened: lines.includes(OPENED) };
  }

  /** An exporter goes on from the state file. */
  open(): void {
    this.#append(`${OPENED}\n`);
  }

  /** These sessions have their records. */
  add(ids: readonly string[]): void {
    this.#sinceSnapshot.push(...ids);
    this.#append(`${ids.join('\n')}\n`);
  }

  /** A snapshot begins: sessions recorded from now on may be in it. */
  beginSnapshot(): void {
    this.#sinceSnapshot = [];
  }

  /** The snapshot is the state file now: only what was recorded since it began is of interest. */
  endSnapshot(): void {
    const fresh = `${this.#path}.tmp`;
    rmSync(fresh, { force: true });
    const text = this.#sinceSnapshot.map((id) => `${id}\n`).join('');
    writeFileSync(fresh, text, { flag: 'wx', mode: 0o600 });
    renameSync(fresh, this.#path);
    this.close();
  }

  /** Closes the file; it is opened again when needed. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #append(text: string): void {
    if (this.#fd === undefined) {
      this.#fd = openSync(this.#path, APPEND, 0o600);
      endCutLine(this.#fd);
    }
    writeSync(this.#fd, text);
  }
}

/** A process that was killed may have left a part of a line; the next one begins its own. */
function endCutLine(fd: number): void {
  const { size } = fstatSync(fd);
  const last = Buffer.alloc(1);
  if (size > 0 && readSync(fd, last, 0, 1, size - 1) === 1 && last[0] !== LF) writeSync(fd, '\n');
}

function wrong(path: string, cause: unknown): Error {
  return new Error(`Cannot read "${path}": ${cause instanceof Error ? cause.message : cause}`, {
    cause,
  });
}

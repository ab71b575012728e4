import {
  closeSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { readTextFile } from '../config/files.ts';
import { errorCode } from '../log.ts';

/** Who holds a lock, as its file tells. */
interface Holder {
  readonly pid: number;
  /** When that process began, so that another with its number is not taken for it. */
  readonly started: string;
  /** The machine since it was booted, and the name space of its process numbers. */
  readonly place: string;
}

/** How often a holder touches its lock, in ms. */
const TOUCH_MS = 500;
/** How long a lock of another place has to be left alone until it is taken for abandoned, in ms. */
const ABANDONED_MS = 4 * TOUCH_MS;

/** No disk has to have room for a lock: without one an exporter runs as well. */
const NO_SPACE = ['ENOSPC', 'EDQUOT'];

/**
 * A file beside the state file that keeps a second process from using it. One that a killed process
 * left does not: where its process can be looked up (`/proc`, same machine and container) it is
 * dead, and elsewhere nobody touches the file any more.
 */
export class StateLock {
  readonly #path: string;
  readonly #text: string;
  #timer: NodeJS.Timeout | undefined;

  constructor(stateFile: string) {
    this.#path = `${stateFile}.lock`;
    this.#text = `${JSON.stringify(describeSelf())}\n`;
  }

  /**
   * Takes the lock.
   *
   * @throws {Error} that names the process which holds it, or what the system says
   */
  async acquire(): Promise<void> {
    if (this.#timer !== undefined) return;
    for (let attempt = 0; !this.#create(); attempt += 1) {
      const text = this.#read();
      if (text === undefined) continue;
      const holder = parseHolder(text);
      if (attempt > 2 || (holder !== undefined && (await this.#isHeld(holder)))) {
        throw new Error(
          `another process uses it${holder === undefined ? '' : ` (pid ${holder.pid})`}`,
        );
      }
      this.#remove(text);
    }
    this.#timer = setInterval(() => this.#touch(), TOUCH_MS).unref();
  }

  /** Gives it back. Safe to call twice, and without having it. */
  release(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#read() === this.#text) rmSync(this.#path, { force: true });
  }

  /** @returns false when there is one already */
  #create(): boolean {
    try {
      const fd = openSync(this.#path, 'wx', 0o600);
      try {
        writeSync(fd, this.#text);
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      if (errorCode(error) === 'EEXIST') return false;
      if (!NO_SPACE.includes(errorCode(error) ?? '')) throw error;
    }
    return true;
  }

  /** Undefined when there is none any more. */
  #read(): string | undefined {
    try {
      return readTextFile(this.#path, { maxBytes: 4096, noFollow: true });
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #isHeld(holder: Holder): Promise<boolean> {
    const self = describeSelf();
    if (holder.place === self.place) return startOf(holder.pid) === holder.started;
    const touchedMs = this.#touchedMs();
    await sleep(ABANDONED_MS);
    return this.#touchedMs() !== touchedMs;
  }

  /** By a name that is only ours: of two processes that find it abandoned one moves it away. */
  #remove(text: string): void {
    const aside = `${this.#path}.${process.pid}`;
    try {
      renameSync(this.#path, aside);
      // Somebody was quicker, and this is already the new one.
      if (readFileSync(aside, 'utf8') !== text) renameSync(aside, this.#path);
      else rmSync(aside, { force: true });
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }

  #touch(): void {
    try {
      const now = new Date();
      utimesSync(this.#path, now, now);
    } catch {
      // It was deleted, or there was no room for it.
    }
  }

  #touchedMs(): number {
    try {
      return statSync(this.#path).mtimeMs;
    } catch {
      return 0;
    }
  }
}

function describeSelf(): Holder {
  return { pid: process.pid, started: startOf(process.pid) ?? '', place: place() };
}

/** Undefined when there is no such process. */
function startOf(pid: number): string | undefined {
  try {
    // The name of the program stands in parentheses and may hold any character; proc(5), field 22.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    // Without /proc only its number tells, and our own would be a process before us.
    return process.platform !== 'linux' && pid !== process.pid && isRunning(pid) ? '' : undefined;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

function place(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

/** Undefined for what is no lock of ours, such as a file that was cut. */
function parseHolder(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { pid, started, place: where } = value as Partial<Record<keyof Holder, unknown>>;
    if (!Number.isSafeInteger(pid) || typeof started !== 'string' || typeof where !== 'string') {
      return undefined;
    }
    return { pid: Number(pid), started, place: where };
  } catch {
    return undefined;
  }
}

import { type ChildProcess, spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import type { Defer } from './cleanup.ts';

export interface TestProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** It relays over UDP, of which a busy machine drops what is not read in time: it comes first. */
  readonly isUrgent?: boolean;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const TERM_GRACE_MS = 5_000;
const SHOWN_LINES = 30;
const URGENT_NICENESS = -10;
const running = new Set<ChildProcess>();
let watchesExit = false;

/** A program that a test started: its output by lines and its end. Ended at the latest by `defer`. */
export class TestProcess {
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  /** Settles when the program has ended and all of its output was read. */
  readonly exited: Promise<ProcessExit>;
  readonly #child: ChildProcess;
  readonly #command: string;

  constructor(defer: Defer, options: TestProcessOptions) {
    killAllWhenThisProcessEnds();
    this.#command = options.command;
    const child = spawn(options.command, options.args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
    });
    this.#child = child;
    if (options.isUrgent === true && child.pid !== undefined) comeFirst(child.pid);
    running.add(child);
    createInterface({ input: child.stdout }).on('line', (line) => this.stdout.push(line));
    createInterface({ input: child.stderr }).on('line', (line) => this.stderr.push(line));
    this.exited = new Promise((resolve) => {
      child.once('error', (failure) => {
        this.stderr.push(failure.message);
        running.delete(child);
        resolve({ code: null, signal: null });
      });
      child.once('close', (code, signal) => {
        running.delete(child);
        resolve({ code, signal });
      });
    });
    defer(async () => {
      await this.stop();
    });
  }

  get isRunning(): boolean {
    return running.has(this.#child);
  }

  /** Its number, as the system has it; 0 when it could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it: SIGTERM, and SIGKILL when that has no effect in time. Safe to call twice. */
  async stop(): Promise<ProcessExit> {
    if (this.isRunning) this.#child.kill('SIGTERM');
    const lastResort = setTimeout(() => this.#child.kill('SIGKILL'), TERM_GRACE_MS);
    try {
      return await this.exited;
    } finally {
      clearTimeout(lastResort);
    }
  }

  /** The last lines of output, for messages. */
  describe(): string {
    const state = this.isRunning ? 'running' : 'ended';
    const lines = [...this.stdout.slice(-SHOWN_LINES), ...this.stderr.slice(-SHOWN_LINES)];
    return [`${this.#command} (${state}) said:`, ...lines].join('\n');
  }
}

/** As root only; the tests of anybody else need a machine that has time. */
function comeFirst(pid: number): void {
  try {
    setPriority(pid, URGENT_NICENESS);
  } catch {
    // It has ended, or may not.
  }
}

function killAllWhenThisProcessEnds(): void {
  if (watchesExit) return;
  watchesExit = true;
  const killAll = () => {
    for (const child of running) child.kill('SIGKILL');
  };
  process.once('exit', killAll);
  process.once('SIGTERM', () => {
    killAll();
    process.exit(143);
  });
}

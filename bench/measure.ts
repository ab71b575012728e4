import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

/** One line of the table: numbers of some rounds, against those of somebody else if there are any. */
export interface Row {
  readonly what: string;
  readonly unit: string;
  readonly ours: readonly number[];
  /** Measured in the same rounds, in turn with ours. */
  readonly peer?: { readonly name: string; readonly values: readonly number[] };
  /**
   * Of the medians: how many times better than the peer's ours has to be, or without `ratio` the most
   * that ours may be.
   */
  readonly target?: { readonly ratio?: true; readonly floor: number; readonly aim: number };
}

/** How often everything is measured. */
export const ROUNDS = 5;

/** What a piece of work took, in ms. */
export interface Cost {
  /** Of all threads of the process. */
  readonly cpu: number;
  readonly wall: number;
}

/** The middle of some numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** How long somebody has to do next to nothing to count as idle. */
const IDLE_MS = 300;

const PROGRAM = fileURLToPath(new URL('../dist/coturn-exporter.cjs', import.meta.url));
const PEERS = fileURLToPath(new URL('peers.ts', import.meta.url));

/** Says on file descriptor 3, when told to, for how long the event loop was held up at most, in ms. */
const STALL_MONITOR = `data:text/javascript,${encodeURIComponent(`
import { writeSync } from 'node:fs';
let last = performance.now();
let longest = 0;
setInterval(() => {
  const now = performance.now();
  longest = Math.max(longest, now - last - 1);
  last = now;
}, 1).unref();
process.on('SIGUSR2', () => {
  writeSync(3, longest + '\\n');
  longest = 0;
});`)}`;

/** A process that is measured. */
export class Measured {
  readonly child: ChildProcess;
  #said = '';

  private constructor(command: string, args: readonly string[]) {
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (bytes: Buffer) => {
        // Records would be kept for nothing.
        if (this.#said.length < 1_000_000) this.#said += bytes;
      });
    }
  }

  /** The exporter as it is built, once it runs. */
  static exporter(...flags: readonly string[]): Promise<Measured> {
    return Measured.#run([PROGRAM, ...flags]);
  }

  /** The same, which tells its stalls; to load what watches them takes a tenth of a second. */
  static watchedExporter(...flags: readonly string[]): Promise<Measured> {
    return Measured.#run(['--import', STALL_MONITOR, PROGRAM, ...flags]);
  }

  static async #run(args: readonly string[]): Promise<Measured> {
    const common = ['--web.listen-address=127.0.0.1:0', '--user.max-series=10000000'];
    const exporter = new Measured(process.execPath, [...args, ...common]);
    await exporter.says(/coturn-exporter is running/);
    return exporter;
  }

  /** One of `peers.ts`, once it is ready. */
  static async peer(name: string, port: number): Promise<Measured> {
    const peer = new Measured(process.execPath, ['--import', 'tsx', PEERS, name, String(port)]);
    await peer.says(/ready/);
    return peer;
  }

  /** A redis-server that keeps nothing and cuts off no subscriber. */
  static async redis(port: number): Promise<Measured> {
    const limits = ['--client-output-buffer-limit', 'pubsub', '0', '0', '0'];
    const flags = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', ...limits];
    const redis = new Measured('redis-server', flags);
    await redis.says(/Ready to accept/);
    return redis;
  }

  /** What stands in a line that it prints. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.#said);
      if (found !== null) return found;
      if (this.child.exitCode !== null) throw new Error(`It ended early:\n${this.#said}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Where its metrics are, by its own log. */
  async url(): Promise<string> {
    const [, url = ''] = await this.says(/"address":"(http:[^"]*)"/);
    return `${url}/metrics`;
  }

  /** What it takes to do something, until its end or the moment that it resolves to. */
  async cost(work: () => Promise<unknown>): Promise<Cost> {
    const cpuBefore = this.#cpuMs();
    const begin = performance.now();
    const end = await work();
    const wall = (typeof end === 'number' ? end : performance.now()) - begin;
    return { cpu: this.#cpuMs() - cpuBefore, wall };
  }

  /**
   * Resolves when it has had nothing to do for a while.
   *
   * @returns since when, as `performance.now()` tells it
   */
  async idle(): Promise<number> {
    let [last, since] = [this.#cpuMs(), performance.now()];
    while (performance.now() - since < IDLE_MS) {
      await new Promise((resolve) => setTimeout(resolve, IDLE_MS / 5));
      const now = this.#cpuMs();
      if (now - last > IDLE_MS / 50 || this.#wantsToRun()) since = performance.now();
      last = now;
    }
    return since;
  }

  /** Resident memory in bytes. */
  get rss(): number {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024;
  }

  /** For how long the event loop of an exporter was held up at most since this was asked, in ms. */
  async stall(): Promise<number> {
    const answer = once(this.child.stdio[3] as NodeJS.ReadableStream, 'data');
    this.child.kill('SIGUSR2');
    return Number(String((await answer)[0]));
  }

  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, 'exit');
    this.child.kill(signal);
    await exit;
  }

  /** True also while others have the processor. */
  #wantsToRun(): boolean {
    return readFileSync(`/proc/${this.child.pid}/stat`, 'utf8').includes(') R ');
  }

  #cpuMs(): number {
    const tasks = `/proc/${this.child.pid}/task`;
    let nanoseconds = 0;
    for (const task of readdirSync(tasks)) {
      nanoseconds += Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]);
    }
    return nanoseconds / 1e6;
  }
}

/** A port of loopback that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No port');
  return address.port;
}

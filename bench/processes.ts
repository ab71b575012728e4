import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

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

/** A redis-server that keeps nothing and cuts off no subscriber. */
export async function startRedis(port: number): Promise<ChildProcess> {
  const limits = ['--client-output-buffer-limit', 'pubsub', '0', '0', '0'];
  const flags = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const child = spawn('redis-server', [...flags, ...limits], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await firstLine(child, 'Ready to accept');
  return child;
}

/** A module of this folder in a process of its own, once it has said `ready`. */
export async function startModule(name: string, args: readonly string[]): Promise<ChildProcess> {
  const path = new URL(name, import.meta.url).pathname;
  const child = spawn(process.execPath, ['--import', 'tsx', path, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await firstLine(child, 'ready');
  return child;
}

/** Waits until a process prints a line that holds `text`, and gives that line. */
export function firstLine(child: ChildProcess, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = '';
    const onData = (chunk: Buffer): void => {
      seen += chunk.toString();
      const line = seen.split('\n').find((one) => one.includes(text));
      if (line === undefined || !seen.includes('\n')) return;
      child.stdout?.off('data', onData);
      resolve(line);
    };
    child.stdout?.on('data', onData);
    child.once('exit', () => reject(new Error(`It ended without "${text}"`)));
  });
}

/** Stops a process and waits for its end. */
export async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** Processor time that a process has taken so far, user and system, in seconds. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const ticks = Number(fields[11]) + Number(fields[12]);
  return ticks / 100;
}

/** The middle of some numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

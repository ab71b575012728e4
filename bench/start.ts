import { spawn } from 'node:child_process';
import { freePort, median, stopProcess } from './processes.ts';

const MAIN = new URL('../dist/coturn-exporter.cjs', import.meta.url).pathname;

/** Seconds from the start of the process to its first answer on /metrics. */
export async function benchStart(): Promise<string> {
  const seconds: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const [web, statsdb] = [await freePort(), await freePort()];
    const started = performance.now();
    const flags = [
      `--web.listen-address=127.0.0.1:${web}`,
      `--statsdb.listen-address=127.0.0.1:${statsdb}`,
    ];
    const child = spawn(process.execPath, [MAIN, ...flags], { stdio: 'ignore' });
    while (!(await answers(`http://127.0.0.1:${web}/metrics`))) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    seconds.push((performance.now() - started) / 1000);
    await stopProcess(child);
  }
  return `start to first answer on /metrics: ${median(seconds).toFixed(2)} s`;
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.text();
    return response.ok;
  } catch {
    return false;
  }
}

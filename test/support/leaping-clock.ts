import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Defer } from './cleanup.ts';
import { createTempFolder } from './temp-folder.ts';
import type { TestProcess } from './test-process.ts';

/** A wall clock for Node.js processes that a test can set. */
export interface LeapingClock {
  /** For the process whose clock it is to be. */
  readonly env: Readonly<Record<string, string>>;
  /** How far it is ahead of this machine's, in ms, for processes that begin from now on. */
  set(aheadMs: number): void;
  /** The same, also for one that runs; takes effect within milliseconds. */
  leap(process: TestProcess, aheadMs: number): void;
}

/** Run before the program: `Date.now()` is ahead by what the file says, read anew on SIGUSR2. */
const PRELOAD = `
import { readFileSync } from 'node:fs';
const now = Date.now;
let aheadMs = 0;
const read = () => { aheadMs = Number(readFileSync(process.env.LEAPING_CLOCK_FILE, 'utf8')); };
read();
process.on('SIGUSR2', read);
Date.now = () => now() + aheadMs;
`;

/**
 * Stands in for `date --set`, which would leap for everything on this machine. Like that it leaves
 * the steady clock alone.
 */
export function createLeapingClock(defer: Defer): LeapingClock {
  const file = join(createTempFolder(defer), 'ahead-ms');
  const set = (aheadMs: number) => writeFileSync(file, String(aheadMs));
  set(0);
  const preload = `data:text/javascript;base64,${Buffer.from(PRELOAD).toString('base64')}`;
  return {
    env: { NODE_OPTIONS: `--import=${preload}`, LEAPING_CLOCK_FILE: file },
    set,
    leap(process, aheadMs) {
      set(aheadMs);
      process.kill('SIGUSR2');
    },
  };
}

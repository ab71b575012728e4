#!/usr/bin/env node
import { writeSync } from 'node:fs';
import { readBuildInfo } from './build-info.ts';
import type { CommandContext } from './cli/command.ts';
import { COMMANDS } from './cli/commands.ts';
import { ConfigError, nearestName, quote } from './config/config-error.ts';
import { errorCode } from './log.ts';

const STDERR_FD = 2;
/** How often, and in how many ms each, a full pipe is tried: two seconds for those that stay full. */
const MAX_ATTEMPTS = 200;
const ATTEMPT_MS = 10;

/**
 * Runs a command and gives its exit code: 0 fine, 1 failed while running, 2 bad usage.
 *
 * @param argv arguments, after the name of the script
 */
async function run(argv: readonly string[], context: CommandContext): Promise<number> {
  const [name, ...rest] = argv;
  const command = COMMANDS.find((each) => each.name === name);
  if (command !== undefined) return await command.run(rest, context);
  // A word, and no URL that may hold a password: that is left to the parser, which hides it.
  if (name !== undefined && /^[a-z][a-z-]*$/.test(name)) throw unknownCommand(name);
  const { runServe } = await import('./cli/serve.ts');
  return await runServe(argv, context, COMMANDS);
}

function unknownCommand(name: string): ConfigError {
  const nearest = nearestName(
    name,
    COMMANDS.map((command) => command.name),
  );
  const advice = nearest === undefined ? 'see --help' : `did you mean ${nearest}?`;
  return new ConfigError(`Unknown command ${quote(name)}: ${advice}`);
}

/** @throws what is no matter of usage or of the machine, but a mistake in the program */
async function explain(error: unknown): Promise<number> {
  if (error instanceof ConfigError) return complain(error.message, 2);
  const { StartError } = await import('./exporter.ts');
  if (error instanceof StartError) return complain(error.message, 1);
  throw error;
}

function complain(message: string, exitCode: number): number {
  process.stderr.write(`coturn-exporter: ${message}\n`);
  return exitCode;
}

function createContext(): CommandContext {
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, () => stopping.abort(signal));
  }
  return {
    env: process.env,
    get stdin() {
      return process.stdin;
    },
    // Looked up only when wanted: Node makes a pipe non-blocking once anybody has looked, and then a
    // record may be cut where the reader is slow.
    get stdout() {
      return process.stdout;
    },
    get stderr() {
      return process.stderr;
    },
    build: readBuildInfo(),
    signal: stopping.signal,
    onHangUp: (listener) => void process.on('SIGHUP', listener),
    spill: createSpill(),
  };
}

/** Writes all to stderr, also where that is a pipe that takes a part at a time. */
function createSpill(): (bytes: Buffer) => void {
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  let attempts = 0;
  return (bytes) => {
    let rest = bytes;
    while (rest.length > 0 && attempts < MAX_ATTEMPTS) {
      try {
        rest = rest.subarray(writeSync(STDERR_FD, rest));
        attempts = 0;
      } catch (error) {
        // Nobody reads it any more: there is no place left to tell.
        if (errorCode(error) !== 'EAGAIN') return;
        attempts += 1;
        Atomics.wait(sleeper, 0, 0, ATTEMPT_MS);
      }
    }
  };
}

// Not awaited at the top level: the bundled program is a CommonJS script, which cannot.
void run(process.argv.slice(2), createContext())
  .catch(explain)
  // A write to a pipe that nobody reads may never come back; nothing else is left to wait for.
  .then((exitCode) => process.exit(exitCode));

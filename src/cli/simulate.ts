import type { Writable } from 'node:stream';
import { ConfigError } from '../config/config-error.ts';
import { parseOptions, renderOptions } from '../config/option-parser.ts';
import { formatHostPort } from '../config/values.ts';
import { type RunningFleet, startFleet } from '../simulator/start-fleet.ts';
import type { Truth } from '../simulator/truth.ts';
import { renderTruth } from '../simulator/truth.ts';
import {
  fleetOptionsOf,
  paceOf,
  SIMULATE_OPTIONS,
  type SimulateValues,
} from './simulate-options.ts';

/** What a command gets from the process it runs in. */
export interface SimulateContext {
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Not read: a simulation is told what to do by its flags alone. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Lets everybody hang up and prints the truth, as the end of `--duration` does. */
  readonly signal: AbortSignal;
}

/**
 * Runs `simulate`: a fleet of coturn servers that publish to a Redis or a statsdb. Prints what was
 * published to `stdout`, everything else to `stderr`.
 *
 * @param argv the arguments after `simulate`
 * @returns the exit code: 0, 1 when the target cannot be reached, 2 for bad usage
 */
export async function runSimulate(
  argv: readonly string[],
  context: SimulateContext,
): Promise<number> {
  let values: SimulateValues;
  try {
    if (argv.includes('--help')) {
      context.stdout.write(helpText());
      return 0;
    }
    values = parseOptions(SIMULATE_OPTIONS, argv);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    context.stderr.write(`${error.message}\n`);
    return 2;
  }
  const { target } = values;
  try {
    const pace = paceOf(values);
    await follow(await startFleet({ target, options: fleetOptionsOf(values), pace }), {
      values,
      context,
    });
    return 0;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    context.stderr.write(`Cannot publish to ${formatHostPort(target.address)}: ${reason}\n`);
    return 1;
  }
}

async function follow(
  running: RunningFleet,
  { values, context }: { readonly values: SimulateValues; readonly context: SimulateContext },
): Promise<void> {
  const { stdout, stderr, signal } = context;
  const { fleet } = running;
  stderr.write(
    `${values.servers} coturn servers publish to ${formatHostPort(values.target.address)}\n`,
  );
  if (values.sessions) {
    fleet.onSession = (session) => {
      stdout.write(`${JSON.stringify({ kind: 'session', ...session })}\n`);
    };
  }
  const stop = (): void => void running.stop();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const truth = await running.done.finally(() => signal.removeEventListener('abort', stop));
  stdout.write(values.json ? renderJson(truth, running) : renderTruth(truth));
  const { lostEvents, breaks } = running.losses();
  if (breaks > 0) {
    stderr.write(
      `The target broke ${breaks} connections: ${lostEvents} events could not be sent, and more may be lost\n`,
    );
  }
}

function renderJson(truth: Truth, running: RunningFleet): string {
  return `${JSON.stringify({ kind: 'truth', ...truth, delivery: running.losses() })}\n`;
}

function helpText(): string {
  return `Usage: coturn-exporter simulate [flags]

Publishes what a fleet of coturn servers would, and prints at the end (or on SIGINT)
what that was, to compare with what an exporter made of it.

${renderOptions(SIMULATE_OPTIONS)}`;
}

/**
 * Where one simulated server writes: what a coturn process does to its statsdb. All calls return at
 * once; whoever implements it keeps the order within one thread.
 *
 * Threads are numbered from 0; the number after the last relay thread is the listener's, which has
 * a connection too and sends keepalives only.
 */
export interface ServerOutput {
  /** `set <key> <text>`. */
  set(thread: number, key: string, text: string): void;
  /** `del <key> ""`, with coturn's stray empty argument. */
  delete(thread: number, key: string): void;
  /** `publish <channel> <text>`. */
  publish(thread: number, channel: string, text: string): void;
  /** The process is gone, without a word: its connections break after what was written before. */
  stopped(): void;
  /** The process is back: it deletes all status keys of the database, and connects anew. */
  started(): void;
}

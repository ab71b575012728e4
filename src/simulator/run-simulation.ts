import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { type Advance, createFleet, type Fleet } from './fleet.ts';
import type { FleetOptions } from './fleet-options.ts';
import type { ServerOutput } from './server.ts';
import { type Losses, ServerLink, sumLosses } from './server-link.ts';
import type { Truth } from './truth.ts';
import type { Target } from './wire.ts';

/** A fleet that runs beside whatever else this process does. */
export interface RunningFleet {
  readonly fleet: Fleet;
  /** Settles when the simulation ends, by itself or stopped. */
  readonly done: Promise<Truth>;
  /** What was not delivered so far. */
  losses(): Losses;
  /** Lets everybody hang up and disconnects; resolves with what was published. Safe to call twice. */
  stop(): Promise<Truth>;
}

/** What {@link startFleet} runs, and how fast. */
interface FleetRun {
  readonly target: Target;
  readonly options: Partial<FleetOptions>;
  readonly pace: Pace;
  readonly clock?: Clock;
}

/**
 * Connects a simulated fleet to a Redis or a statsdb and lets it run.
 *
 * @throws {Error} when the target does not answer
 */
export async function startFleet(run: FleetRun): Promise<RunningFleet> {
  const { target, options, ...how } = run;
  const fleet = createFleet(options);
  const { relayThreads } = fleet.options;
  const links = fleet.servers.map(
    ({ address, flavour }) => new ServerLink({ target, address, flavour, relayThreads }),
  );
  try {
    await Promise.all(links.map((link) => link.open()));
  } catch (error) {
    await Promise.allSettled(links.map((link) => link.close()));
    throw error;
  }
  const ending = new AbortController();
  const done = runSimulation({ ...how, fleet, connections: links, signal: ending.signal });
  return {
    fleet,
    done,
    losses: () => sumLosses(links.map((link) => link.losses)),
    stop: () => {
      ending.abort();
      return done;
    },
  };
}

/** Where one server writes, and how that gets to its destination. */
export interface ServerConnections extends ServerOutput {
  /** Connects; safe to call twice. */
  open(): Promise<void>;
  /** Resolves when more may be written without filling up memory. */
  flush(): Promise<void>;
  /** Resolves when the other side has read everything. */
  close(): Promise<void>;
}

/** Real time. */
export interface Clock {
  /** Milliseconds since any fixed moment. */
  nowMs(): number;
  /** Waits, at least until what other parts have to do now is done; 0 means no longer than that. */
  wait(ms: number): Promise<void>;
}

/** How fast a simulation runs, and for how long. */
export interface Pace {
  /** Simulated time for each unit of real time. */
  readonly speed: number;
  /** Events per second of real time instead; simulated time then passes as fast as that takes. */
  readonly eventsPerSecond?: number;
  /** Real time until everybody hangs up; 0 for no end. A slow machine may take longer. */
  readonly durationMs: number;
  /** Leave live allocations as they are at the end. */
  readonly noFinish?: boolean;
}

/** Everything {@link runSimulation} needs. */
interface SimulationRun {
  readonly fleet: Fleet;
  /** As many as the fleet has servers, in the same order. */
  readonly connections: readonly ServerConnections[];
  readonly pace: Pace;
  /** Ends the simulation early, but cleanly. */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
}

const TICK_MS = 10;
/** Events between two looks at the clock and at the sockets. */
const SLICE_EVENTS = 2000;
/** How fast everybody hangs up, unless a rate is set: no subscriber of a Redis is overrun. */
const FINISH_EVENTS_PER_SECOND = 20_000;

const SYSTEM_CLOCK: Clock = {
  nowMs: () => performance.now(),
  wait: (ms) => (ms > 0 ? sleep(ms) : nextTurn()),
};

/**
 * Lets a fleet write to its connections in real time, then lets everybody hang up. How much
 * happens follows from the options alone, not from the machine: the same seed, pace and duration
 * give the same messages.
 *
 * @returns what was published, once it is delivered
 * @throws {Error} when the first connection is not possible
 */
export async function runSimulation(run: SimulationRun): Promise<Truth> {
  const { fleet, connections, pace, signal } = run;
  for (const [index, server] of fleet.servers.entries()) {
    const output = connections[index];
    if (output === undefined) throw new RangeError('Too few connections: expected one per server');
    server.attach(output);
  }
  try {
    await Promise.all(connections.map((connection) => connection.open()));
    await drive(run, () => nextStep(fleet, pace), signal);
    if (pace.noFinish) fleet.abandon();
    else await finish(run);
  } finally {
    await Promise.all(connections.map((connection) => connection.close()));
  }
  return fleet.truth();
}

/** How far to go after `elapsedMs`, and whether that is the end. */
type Step = (elapsedMs: number) => Advance & { readonly isLast: boolean };

/** Advances in small steps, as fast as the connections take it, until a step is the last. */
async function drive(run: SimulationRun, plan: () => Step, signal?: AbortSignal): Promise<void> {
  const { fleet, connections, clock = SYSTEM_CLOCK } = run;
  const step = plan();
  const startedMs = clock.nowMs();
  while (!signal?.aborted) {
    const { isLast, untilMs, maxEvents } = step(clock.nowMs() - startedMs);
    const slice = Math.min(SLICE_EVENTS, maxEvents);
    const caughtUp = fleet.advance({ untilMs, maxEvents: slice }) || slice === maxEvents;
    await Promise.all(connections.map((connection) => connection.flush()));
    if (caughtUp && (isLast || fleet.isOver)) return;
    await clock.wait(caughtUp ? TICK_MS : 0);
  }
}

function nextStep(fleet: Fleet, { speed, eventsPerSecond, durationMs }: Pace): Step {
  const endMs = durationMs > 0 ? durationMs : Number.POSITIVE_INFINITY;
  if (eventsPerSecond !== undefined) return rateStep(fleet, eventsPerSecond, endMs);
  return (elapsedMs) => ({
    untilMs: Math.min(elapsedMs, endMs) * speed,
    maxEvents: Number.POSITIVE_INFINITY,
    isLast: elapsedMs >= endMs,
  });
}

function rateStep(fleet: Fleet, eventsPerSecond: number, endMs: number): Step {
  const before = fleet.published;
  return (elapsedMs) => {
    const due = Math.floor((Math.min(elapsedMs, endMs) * eventsPerSecond) / 1000);
    return {
      untilMs: Number.POSITIVE_INFINITY,
      maxEvents: Math.max(0, due - (fleet.published - before)),
      isLast: elapsedMs >= endMs,
    };
  };
}

function finish(run: SimulationRun): Promise<void> {
  const { fleet, pace } = run;
  fleet.finish();
  const rate = pace.eventsPerSecond ?? FINISH_EVENTS_PER_SECOND;
  return drive(run, () => rateStep(fleet, rate, Number.POSITIVE_INFINITY));
}

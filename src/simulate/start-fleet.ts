import { createFleet, type Fleet } from './fleet.ts';
import type { FleetOptions } from './fleet-options.ts';
import { type Pace, runSimulation } from './run-simulation.ts';
import { type Losses, ServerLink, sumLosses } from './server-link.ts';
import type { Target } from './target.ts';
import type { Truth } from './truth.ts';

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
export interface FleetRun {
  readonly target: Target;
  readonly options: Partial<FleetOptions>;
  readonly pace: Pace;
}

/**
 * Connects a simulated fleet to a Redis or a statsdb and lets it run.
 *
 * @throws {Error} when the target does not answer
 */
export async function startFleet({ target, options, pace }: FleetRun): Promise<RunningFleet> {
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
  const done = runSimulation({ fleet, connections: links, pace, signal: ending.signal });
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

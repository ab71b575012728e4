import type { Fleet } from '../../../src/simulator/fleet.ts';
import { createFleet } from '../../../src/simulator/fleet.ts';
import type { FleetOptions } from '../../../src/simulator/fleet-options.ts';
import type { SessionTruth } from '../../../src/simulator/truth.ts';

/** One thing that a simulated server did, and when, in simulated ms. */
export interface Deed {
  readonly atMs: number;
  readonly server: string;
  readonly kind: 'set' | 'del' | 'publish' | 'stopped' | 'started';
  readonly thread: number;
  readonly key: string;
  readonly text: string;
}

export interface Recording {
  readonly fleet: Fleet;
  readonly deeds: readonly Deed[];
  readonly sessions: readonly SessionTruth[];
}

/** A fleet with a list of everything it does from now on. */
export function recordFleet(options: Partial<FleetOptions>): {
  fleet: Fleet;
  deeds: Deed[];
  sessions: SessionTruth[];
} {
  const fleet = createFleet(options);
  const deeds: Deed[] = [];
  const sessions: SessionTruth[] = [];
  fleet.onSession = (session) => sessions.push(session);
  for (const server of fleet.servers) {
    const add = (kind: Deed['kind'], thread = -1, key = '', text = ''): void => {
      deeds.push({ atMs: fleet.nowMs, server: server.address, kind, thread, key, text });
    };
    server.attach({
      set: (thread, key, text) => add('set', thread, key, text),
      delete: (thread, key) => add('del', thread, key),
      publish: (thread, key, text) => add('publish', thread, key, text),
      stopped: () => add('stopped'),
      started: () => add('started'),
    });
  }
  return { fleet, deeds, sessions };
}

/** All that a fleet does in `seconds`, and until everybody has hung up after that. */
export function record(options: Partial<FleetOptions>, seconds: number): Recording {
  const recording = recordFleet(options);
  recording.fleet.advance({ untilMs: seconds * 1000, maxEvents: Number.POSITIVE_INFINITY });
  recording.fleet.finish();
  recording.fleet.advance({
    untilMs: Number.POSITIVE_INFINITY,
    maxEvents: Number.POSITIVE_INFINITY,
  });
  return recording;
}

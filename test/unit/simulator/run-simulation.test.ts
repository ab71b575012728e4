import { describe, expect, it } from 'vitest';
import { createFleet } from '../../../src/simulator/fleet.ts';
import {
  type Clock,
  type Pace,
  runSimulation,
  type ServerConnections,
} from '../../../src/simulator/run-simulation.ts';
import { countEvents, type Truth } from '../../../src/simulator/truth.ts';

/** Time that passes only while somebody waits. */
class FakeClock implements Clock {
  #nowMs = 5000;
  nowMs(): number {
    return this.#nowMs;
  }
  async wait(ms: number): Promise<void> {
    this.#nowMs += Math.max(ms, 1);
  }
}

class CountingConnections implements ServerConnections {
  published = 0;
  largestGulp = 0;
  #gathered = 0;
  readonly calls: string[] = [];
  set(): void {}
  delete(): void {}
  stopped(): void {}
  started(): void {}
  publish(): void {
    this.published += 1;
    this.#gathered += 1;
  }
  async open(): Promise<void> {
    this.calls.push('open');
  }
  async flush(): Promise<void> {
    this.largestGulp = Math.max(this.largestGulp, this.#gathered);
    this.#gathered = 0;
  }
  async close(): Promise<void> {
    this.calls.push('close');
  }
}

async function simulate(pace: Partial<Pace>, signal = new AbortController().signal) {
  const fleet = createFleet({ servers: 1, arrivalRate: 5 });
  const connections = new CountingConnections();
  const truth: Truth = await runSimulation({
    fleet,
    connections: [connections],
    pace: { speed: 1, durationMs: 10_000, ...pace },
    signal,
    clock: new FakeClock(),
  });
  return { fleet, connections, truth };
}

describe('runSimulation', () => {
  it('connects, ends everything and disconnects', async () => {
    const { connections, truth, fleet } = await simulate({});
    expect(connections.calls).toEqual(['open', 'close']);
    expect(fleet.isOver).toBe(true);
    expect(truth.events.deleted).toBe(truth.events.new);
    expect(truth.events.new).toBeGreaterThan(50);
    expect(connections.published).toBe(countEvents(truth.events));
  });

  it('lets simulated time pass at the speed asked for', async () => {
    const { truth } = await simulate({ speed: 20, noFinish: true });
    expect(truth.simulatedSeconds).toBe(200);
  });

  it('sends the number of events asked for, in small gulps', async () => {
    const pace = { eventsPerSecond: 30_000, durationMs: 2000, noFinish: true };
    const { truth, connections } = await simulate(pace);
    expect(countEvents(truth.events)).toBeGreaterThanOrEqual(60_000);
    expect(countEvents(truth.events)).toBeLessThan(60_050);
    expect(connections.largestGulp).toBeLessThan(2050);
  });

  it('hangs up when it is aborted', async () => {
    const ending = new AbortController();
    ending.abort();
    const { truth } = await simulate({ durationMs: 0 }, ending.signal);
    expect(truth.calls.started).toBe(0);
  });

  it('says the same whatever the clock does', async () => {
    const [one, two] = [await simulate({ speed: 7 }), await simulate({ speed: 7 })];
    expect(one.truth).toEqual(two.truth);
  });

  it('disconnects when it cannot connect', async () => {
    const connections = new CountingConnections();
    connections.open = () => Promise.reject(new Error('refused'));
    const run = runSimulation({
      fleet: createFleet({ servers: 1 }),
      connections: [connections],
      pace: { speed: 1, durationMs: 0 },
      signal: new AbortController().signal,
    });
    await expect(run).rejects.toThrow('refused');
    expect(connections.calls).toEqual(['close']);
  });
});

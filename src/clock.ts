import { performance } from 'node:perf_hooks';

/** The time, on two scales. Everything but this file gets its time from here. */
export interface Clock {
  /**
   * Milliseconds that never run back and never leap, whatever is done to the system's clock. Looks
   * like Unix time at the start of the process; {@link wallOffsetMs} makes it so later.
   */
  nowMs(): number;
  /** What to add to {@link nowMs} to get Unix time in ms, as the system's clock shows it now. */
  wallOffsetMs(): number;
}

/** The clock of this machine. */
export function createClock(): Clock {
  const nowMs = (): number => performance.timeOrigin + performance.now();
  return { nowMs, wallOffsetMs: () => Date.now() - nowMs() };
}

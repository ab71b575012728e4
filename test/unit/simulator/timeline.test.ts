import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Timeline } from '../../../src/simulator/timeline.ts';

function runAll(timeline: Timeline): void {
  while (timeline.nextMs < Number.POSITIVE_INFINITY) timeline.runNext();
}

describe('Timeline', () => {
  it('runs everything in order of time, and of planning within one moment', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20)), (times) => {
        const timeline = new Timeline();
        const ran: { atMs: number; index: number }[] = [];
        for (const [index, atMs] of times.entries()) {
          timeline.at(atMs, () => ran.push({ atMs: timeline.nowMs, index }));
        }
        runAll(timeline);
        const planned = times.map((atMs, index) => ({ atMs, index }));
        expect(ran).toEqual(planned.sort((a, b) => a.atMs - b.atMs || a.index - b.index));
      }),
    );
  });

  it('forgets what was cancelled', () => {
    const timeline = new Timeline();
    const ran: number[] = [];
    const timers = [3, 1, 2].map((atMs) => timeline.at(atMs, () => ran.push(atMs)));
    timers[1]?.cancel();
    expect(timeline.nextMs).toBe(2);
    runAll(timeline);
    expect(ran).toEqual([2, 3]);
  });

  it('runs what is planned for the past as soon as possible, and never goes back', () => {
    const timeline = new Timeline();
    timeline.passTo(100);
    timeline.at(5, () => undefined);
    expect(timeline.nextMs).toBe(100);
    timeline.runNext();
    timeline.passTo(50);
    expect(timeline.nowMs).toBe(100);
  });

  it('does nothing when nothing is planned', () => {
    const timeline = new Timeline();
    timeline.runNext();
    expect(timeline.nextMs).toBe(Number.POSITIVE_INFINITY);
  });
});

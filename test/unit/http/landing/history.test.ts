import { describe, expect, it } from 'vitest';
import {
  LandingHistory,
  MAX_SAMPLED_KEYS,
  SAMPLE_INTERVAL_MS,
  SHOWN_SAMPLES,
} from '../../../../src/http/landing/history.ts';

const KEY = { name: 'a realm' };

/** A history of one counter that grows by `step` from sample to sample, and its last value. */
function grow(samples: number, step: number): { history: LandingHistory; value: number } {
  const history = new LandingHistory();
  for (let index = 0; index < samples; index += 1) {
    history.add(index * SAMPLE_INTERVAL_MS, [[KEY, [index * step]]]);
  }
  return { history, value: (samples - 1) * step };
}

describe('LandingHistory', () => {
  it('knows no rate before the first sample', () => {
    const history = new LandingHistory();
    expect(history.rates([KEY, [5000]], 1000)).toEqual([0]);
    expect(history.pastRates([KEY, [5000]], [0])).toEqual([]);
  });

  it('averages over the last minute', () => {
    const { history, value } = grow(20, 100);
    expect(history.rates([KEY, [value]], 19 * SAMPLE_INTERVAL_MS)).toEqual([10]);
    // A burst counts for a sixtieth of itself in each second.
    expect(history.rates([KEY, [value + 6000]], 19 * SAMPLE_INTERVAL_MS)).toEqual([110]);
  });

  it('averages over ten seconds at least, right after the start', () => {
    const history = new LandingHistory();
    history.add(0, [[KEY, [0]]]);
    expect(history.rates([KEY, [1000]], 1)).toEqual([100]);
    expect(history.rates([KEY, [1000]], 20_000)).toEqual([50]);
  });

  it('takes a key that is new as one that was 0 before', () => {
    const { history } = grow(20, 100);
    expect(history.rates([{}, [600]], 19 * SAMPLE_INTERVAL_MS)).toEqual([10]);
    expect(history.pastRates([{}, [600]], [0])).toEqual(new Array(20).fill(0));
  });

  it('forgets a key that is no longer sampled', () => {
    const { history } = grow(5, 100);
    history.add(50_000, []);
    expect(history.pastValues([KEY, [0]], 0)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('adds up the columns it is asked for', () => {
    const history = new LandingHistory();
    history.add(0, [[KEY, [0, 0, 0]]]);
    history.add(10_000, [[KEY, [100, 50, 7]]]);
    expect(history.pastRates([KEY, [100, 50, 7]], [0, 1])).toEqual([0, 15]);
    expect(history.pastValues([KEY, [100, 50, 7]], 2)).toEqual([0, 7]);
  });

  it('shows five minutes, whatever came before, with whole windows for the oldest', () => {
    const { history, value } = grow(500, 100);
    expect(history.shown).toBe(SHOWN_SAMPLES);
    expect(history.pastRates([KEY, [value]], [0])).toEqual(new Array(SHOWN_SAMPLES).fill(10));
    expect(history.pastValues([KEY, [value]], 0).at(-1)).toBe(value);
  });

  it('does not go below zero when a counter does', () => {
    const { history } = grow(3, 100);
    expect(history.rates([KEY, [0]], 30_000)).toEqual([0]);
  });

  it('keeps no more keys than its limit', () => {
    const history = new LandingHistory();
    const rows = Array.from({ length: MAX_SAMPLED_KEYS + 1 }, () => [{}, [1]] as const);
    history.add(0, rows);
    const [last = [{}, [1]], before = [{}, [1]]] = rows.toReversed();
    expect(history.pastValues(last, 0)).toEqual([0]);
    expect(history.pastValues(before, 0)).toEqual([1]);
  });
});

import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/simulator/random.ts';

const DRAWS = 20_000;

describe('Random', () => {
  it('gives the same numbers for the same seed', () => {
    const [one, two] = [new Random(7), new Random(7)];
    const numbers = Array.from({ length: 100 }, () => one.next());
    expect(Array.from({ length: 100 }, () => two.next())).toEqual(numbers);
  });

  it('gives other numbers for another seed', () => {
    expect(new Random(1).next()).not.toBe(new Random(2).next());
  });

  it('stays within bounds and near the mean', () => {
    const random = new Random(3);
    const numbers = Array.from({ length: DRAWS }, () => random.between(10, 20));
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(10);
    expect(Math.max(...numbers)).toBeLessThan(20);
    expect(mean(numbers)).toBeCloseTo(15, 0);
  });

  it('draws whole numbers below a limit, all of them', () => {
    const random = new Random(4);
    const drawn = new Set(Array.from({ length: 1000 }, () => random.below(5)));
    expect(drawn).toEqual(new Set([0, 1, 2, 3, 4]));
  });

  it('draws waiting times with the mean asked for', () => {
    const random = new Random(5);
    const times = Array.from({ length: DRAWS }, () => random.exponential(100));
    expect(Math.min(...times)).toBeGreaterThanOrEqual(0);
    expect(mean(times) / 100).toBeCloseTo(1, 1);
  });

  it('refuses to pick from nothing', () => {
    expect(() => new Random(1).pick([])).toThrow(RangeError);
  });
});

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

import { describe, expect, it } from 'vitest';
import { Deadlines, SLOT_MS, type Waiting } from '../../../src/domain/deadlines.ts';

class Entry implements Waiting {
  previous: Waiting | undefined = undefined;
  next: Waiting | undefined = undefined;
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

function takeAll(deadlines: Deadlines<Entry>, nowMs: number): string[] {
  const names: string[] = [];
  for (;;) {
    const entry = deadlines.takeDue(nowMs);
    if (entry === undefined) return names;
    names.push(entry.name);
  }
}

function filled(moments: readonly number[]): Deadlines<Entry> {
  const deadlines = new Deadlines<Entry>();
  for (const atMs of moments) deadlines.add(new Entry(String(atMs)), atMs);
  return deadlines;
}

/** How often maps are asked or walked over while `work` runs; time would be a poor witness. */
function countMapWork(work: () => void): number {
  const { get, set, keys } = Map.prototype;
  let count = 0;
  Map.prototype.get = function counted(key: unknown): unknown {
    count += 1;
    return get.call(this, key);
  };
  Map.prototype.set = function counted(key: unknown, value: unknown): Map<unknown, unknown> {
    count += 1;
    return set.call(this, key, value);
  };
  Map.prototype.keys = function counted(): MapIterator<unknown> {
    // Whoever asks for the keys walks over them.
    count += this.size;
    return keys.call(this);
  };
  try {
    work();
  } finally {
    Object.assign(Map.prototype, { get, set, keys });
  }
  return count;
}

describe('Deadlines', () => {
  it('has nothing due when nothing waits', () => {
    const deadlines = new Deadlines<Entry>();
    expect(deadlines.takeDue(0)).toBeUndefined();
    expect(deadlines.takeDue(Number.MAX_SAFE_INTEGER)).toBeUndefined();
  });

  it('gives an entry at its moment, rounded up to a slot, and not before', () => {
    const deadlines = filled([1050]);
    expect(deadlines.takeDue(1049)).toBeUndefined();
    expect(deadlines.takeDue(1050)).toBeUndefined();
    expect(deadlines.takeDue(1099)).toBeUndefined();
    expect(deadlines.takeDue(1100)?.name).toBe('1050');
    expect(deadlines.takeDue(1100)).toBeUndefined();
  });

  it('gives an entry on the edge of a slot at that edge', () => {
    expect(filled([1000]).takeDue(999)).toBeUndefined();
    expect(filled([1000]).takeDue(1000)?.name).toBe('1000');
  });

  it('never gives an entry early, and at most one slot late', () => {
    for (let atMs = 0; atMs < 1000; atMs += 37) {
      expect(filled([atMs]).takeDue(atMs - 1)).toBeUndefined();
      expect(filled([atMs]).takeDue(atMs + SLOT_MS)?.name).toBe(String(atMs));
    }
  });

  it('gives entries in the order of their slots, whatever the order of adding', () => {
    const moments = [5000, 100, 90_000, 300, 200, 60_000, 4900];
    expect(takeAll(filled(moments), 100_000)).toEqual(
      [...moments].sort((one, other) => one - other).map(String),
    );
  });

  it('gives entries of one slot in the order of adding', () => {
    expect(takeAll(filled([150, 110, 199, 200]), 1000)).toEqual(['150', '110', '199', '200']);
  });

  it('gives only what is due', () => {
    const deadlines = filled([100, 200, 300]);
    expect(takeAll(deadlines, 200)).toEqual(['100', '200']);
    expect(takeAll(deadlines, 299)).toEqual([]);
    expect(takeAll(deadlines, 300)).toEqual(['300']);
  });

  it('gives an entry whose moment has passed already', () => {
    const deadlines = filled([100_000]);
    expect(takeAll(deadlines, 99_999)).toEqual([]);
    deadlines.add(new Entry('past'), 50);
    expect(takeAll(deadlines, 99_999)).toEqual(['past']);
    expect(takeAll(deadlines, 100_000)).toEqual(['100000']);
  });

  it('takes an entry that is added while others are given', () => {
    const deadlines = filled([100, 200]);
    expect(deadlines.takeDue(1000)?.name).toBe('100');
    deadlines.add(new Entry('again'), 50);
    expect(takeAll(deadlines, 1000)).toEqual(['again', '200']);
  });

  it('does not give what was removed', () => {
    const deadlines = new Deadlines<Entry>();
    const [first, second, third] = [new Entry('first'), new Entry('second'), new Entry('third')];
    for (const entry of [first, second, third]) deadlines.add(entry, 100);
    deadlines.remove(second);
    expect(takeAll(deadlines, 1000)).toEqual(['first', 'third']);
    deadlines.add(second, 2000);
    deadlines.remove(second);
    expect(takeAll(deadlines, 3000)).toEqual([]);
  });

  it('takes a removal twice, and one of an entry that never waited', () => {
    const deadlines = filled([100]);
    const entry = new Entry('entry');
    deadlines.remove(entry);
    deadlines.add(entry, 100);
    deadlines.remove(entry);
    deadlines.remove(entry);
    expect(takeAll(deadlines, 1000)).toEqual(['100']);
  });

  it('lets an entry that was given wait again', () => {
    const deadlines = filled([100]);
    const entry = deadlines.takeDue(100);
    expect(entry).toMatchObject({ previous: undefined, next: undefined });
    if (entry !== undefined) deadlines.add(entry, 700);
    expect(takeAll(deadlines, 699)).toEqual([]);
    expect(takeAll(deadlines, 700)).toEqual(['100']);
  });

  it('gives everything in order after a leap of the clock', () => {
    const deadlines = filled([1000, 500_000, 90_000_000, 700]);
    expect(takeAll(deadlines, 10 * 365 * 86_400_000)).toEqual([
      '700',
      '1000',
      '500000',
      '90000000',
    ]);
  });

  it('goes on after a leap that found nothing due', () => {
    const deadlines = filled([10 ** 12 + 500]);
    expect(takeAll(deadlines, 10 ** 12)).toEqual([]);
    deadlines.add(new Entry('sooner'), 10 ** 12 + 100);
    expect(takeAll(deadlines, 10 ** 12 + 500)).toEqual(['sooner', String(10 ** 12 + 500)]);
  });

  it('gives nothing new while the clock stands still', () => {
    const deadlines = filled([1000, 1100]);
    expect(takeAll(deadlines, 1000)).toEqual(['1000']);
    for (let time = 0; time < 10; time += 1) expect(deadlines.takeDue(1000)).toBeUndefined();
    deadlines.add(new Entry('now'), 1000);
    expect(takeAll(deadlines, 1000)).toEqual(['now']);
  });

  it('forgets nothing and gives nothing twice, whatever comes and goes', () => {
    const deadlines = new Deadlines<Entry>();
    const waiting = new Map<string, number>();
    let nowMs = 0;
    for (let step = 0; step < 5000; step += 1) {
      const entry = new Entry(String(step));
      const atMs = nowMs + ((step * 7919) % 9000);
      deadlines.add(entry, atMs);
      if (step % 5 === 0) deadlines.remove(entry);
      else waiting.set(entry.name, atMs);
      nowMs += (step * 31) % 61;
      for (const name of takeAll(deadlines, nowMs)) {
        expect(waiting.get(name)).toBeLessThanOrEqual(nowMs);
        waiting.delete(name);
      }
    }
    for (const name of takeAll(deadlines, nowMs + 10_000)) waiting.delete(name);
    expect(waiting.size).toBe(0);
  });

  it('does not work more for an entry when a million wait', () => {
    const deadlines = new Deadlines<Entry>();
    const entries = Array.from({ length: 1_000_000 }, (_, at) => new Entry(String(at)));
    const adding = countMapWork(() => {
      entries.forEach((entry, at) => {
        deadlines.add(entry, at % 675_000);
      });
    });
    expect(adding).toBeLessThanOrEqual(entries.length + 6751);
    const removing = countMapWork(() => {
      for (let at = 0; at < entries.length; at += 2) {
        const entry = entries[at];
        if (entry !== undefined) deadlines.remove(entry);
      }
    });
    expect(removing).toBe(0);
    let taken = 0;
    const taking = countMapWork(() => {
      for (let nowMs = 0; nowMs <= 675_000; nowMs += SLOT_MS) {
        while (deadlines.takeDue(nowMs) !== undefined) taken += 1;
      }
    });
    expect(taken).toBe(500_000);
    expect(taking).toBeLessThanOrEqual(taken + 2 * 6751);
  });

  it('walks over its slots once for a leap of the clock, not once for every entry', () => {
    const slots = 500;
    const perSlot = 20;
    const deadlines = new Deadlines<Entry>();
    for (let at = 0; at < slots * perSlot; at += 1) {
      deadlines.add(new Entry(String(at)), (at % slots) * SLOT_MS * 3);
    }
    let taken = 0;
    const work = countMapWork(() => {
      while (deadlines.takeDue(86_400_000) !== undefined) taken += 1;
    });
    expect(taken).toBe(slots * perSlot);
    // Room for a look at each entry, and a few at each slot and each empty one between.
    expect(work).toBeLessThan(slots * perSlot + slots * 10);
  });
});

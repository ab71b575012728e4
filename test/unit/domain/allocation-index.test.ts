import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AllocationIndex, type Keyed } from '../../../src/domain/allocation-index.ts';
import { allocationKey } from './tracked.ts';

/** Few keys, many of which share the digits and the letters that a hash may read. */
const KEYS = fc.oneof(
  fc
    .tuple(fc.constantFrom('bob', 'xbob', 'eve', ''), fc.nat(12), fc.constantFrom('r', 's'))
    .map(([user, id, realm]) => allocationKey(user, id, realm)),
  fc.constantFrom('', 'x', '\uD800', 'turn/', '__proto__'),
);

describe('AllocationIndex', () => {
  it('holds what a Map would hold, whatever comes and goes', () => {
    const steps = fc.array(fc.tuple(KEYS, fc.boolean()), { maxLength: 300 });
    fc.assert(
      fc.property(steps, (todo) => {
        const index = new AllocationIndex<Keyed>();
        const model = new Map<string, Keyed>();
        for (const [key, isGoing] of todo) {
          const known = model.get(key);
          expect(index.get(key)).toBe(known);
          if (isGoing && known !== undefined) {
            index.delete(known);
            model.delete(key);
          } else if (known === undefined) {
            const entry = { key };
            index.add(entry);
            model.set(key, entry);
          }
          expect(index.size).toBe(model.size);
        }
        for (const [key, entry] of model) expect(index.get(key)).toBe(entry);
        expect(new Set(index.values())).toEqual(new Set(model.values()));
      }),
      { numRuns: 150 },
    );
  });

  it('finds a text that is equal, not only one that is the same object', () => {
    const index = new AllocationIndex<Keyed>();
    index.add({ key: allocationKey('bob', 1) });
    expect(index.has(`${allocationKey('bob', 1)}/traffic`.slice(0, -'/traffic'.length))).toBe(true);
    expect(index.has(allocationKey('bob', 2))).toBe(false);
    expect(index.has(allocationKey('rob', 1))).toBe(false);
  });

  it('leaves an equal key of another entry alone when one is deleted that is not in', () => {
    const index = new AllocationIndex<Keyed>();
    const entry = { key: allocationKey('bob', 1) };
    index.delete(entry);
    index.add(entry);
    index.delete({ key: entry.key });
    expect(index.get(entry.key)).toBe(entry);
    expect(index.size).toBe(1);
  });

  it('grows and empties without losing an entry', () => {
    const index = new AllocationIndex<Keyed>();
    const entries = Array.from({ length: 5000 }, (_, id) => ({ key: allocationKey('u', id) }));
    for (const entry of entries) index.add(entry);
    expect(entries.every((entry) => index.get(entry.key) === entry)).toBe(true);
    for (const entry of entries.slice(0, 4000)) index.delete(entry);
    expect(index.size).toBe(1000);
    expect(entries.map((entry) => index.has(entry.key)).indexOf(true)).toBe(4000);
    expect([...index.values()].length).toBe(1000);
  });
});

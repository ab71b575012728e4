import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addTo, type Few, listOf, removeFrom } from '../../../src/domain/few.ts';

describe('Few', () => {
  it('holds what a set would hold, each at its place, whatever comes and goes', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5), { maxLength: 60 }), (turns) => {
        const all = Array.from({ length: 6 }, (_, name) => ({ slot: -1, name }));
        const model = new Set<(typeof all)[number]>();
        let few: Few<(typeof all)[number]>;
        for (const turn of turns) {
          const entry = all[turn];
          if (entry === undefined) continue;
          few = model.has(entry) ? removeFrom(few, entry) : addTo(few, entry);
          if (!model.delete(entry)) model.add(entry);
          expect(new Set(listOf(few))).toEqual(model);
          expect(listOf(few).map(({ slot }) => slot)).toEqual([...listOf(few).keys()]);
        }
      }),
    );
  });
});

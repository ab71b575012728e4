import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mutate } from '../../fuzz/mutate.ts';
import { TARGETS } from '../../fuzz/targets.ts';

const FOUND = new URL('../../fixtures/fuzz/', import.meta.url);
const found = readdirSync(FOUND);

describe.each(TARGETS.map((target) => ({ target, name: target.name })))(
  'the reader of $name',
  ({ target }) => {
    const seeds = target.seeds();

    it('reads what is good, and what once broke it', () => {
      expect(seeds.length).toBeGreaterThan(0);
      for (const seed of seeds) target.run(seed);
      const files = found.filter((file) => file.startsWith(`${target.name}-`));
      for (const file of files) target.run(readFileSync(new URL(file, FOUND)));
    });

    it('does what it must with anything like it', () => {
      const numbers = fc.infiniteStream(fc.nat());
      fc.assert(
        fc.property(numbers, (stream) => {
          const pick = (limit: number): number => (stream.next().value as number) % limit;
          const seed = seeds[pick(seeds.length)];
          const other = seeds[pick(seeds.length)];
          if (seed !== undefined && other !== undefined) target.run(mutate(seed, other, pick));
        }),
        { numRuns: 1_000 },
      );
    });

    it('does what it must with anything at all', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => target.run(Buffer.from(bytes))),
        { numRuns: 500 },
      );
    });
  },
);

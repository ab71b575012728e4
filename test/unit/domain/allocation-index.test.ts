import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AllocationIndex, type Indexed, MAX_PROBES } from '../../../src/domain/allocation-index.ts';
import { allocationKey } from '../../support/coturn-message.ts';

/** Few keys, many of which share the digits and the letters that a hash may read. */
const KEYS = fc.oneof(
  fc
    .tuple(fc.constantFrom('bob', 'xbob', 'eve', ''), fc.nat(12), fc.constantFrom('r', 's'))
    .map(([user, id, realm]) => allocationKey(user, id, realm)),
  fc.constantFrom('', 'x', '\uD800', 'turn/', '__proto__'),
);

function put(index: AllocationIndex<Indexed>, key: string): Indexed {
  const entry = { key, row: index.reserve(key) };
  index.add(entry);
  return entry;
}

describe('AllocationIndex', () => {
  it('holds what a Map would hold, whatever comes and goes', () => {
    const steps = fc.array(fc.tuple(KEYS, fc.boolean()), { maxLength: 300 });
    fc.assert(
      fc.property(steps, (todo) => {
        const index = new AllocationIndex<Indexed>();
        const model = new Map<string, Indexed>();
        for (const [key, isGoing] of todo) {
          const known = model.get(key);
          expect(index.get(key)).toBe(known);
          if (isGoing && known !== undefined) {
            index.delete(known);
            model.delete(key);
          } else if (known === undefined) {
            const entry = put(index, key);
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
    const index = new AllocationIndex<Indexed>();
    put(index, allocationKey('bob', 1));
    expect(index.has(`${allocationKey('bob', 1)}/traffic`.slice(0, -'/traffic'.length))).toBe(true);
    expect(index.has(allocationKey('bob', 2))).toBe(false);
    expect(index.has(allocationKey('rob', 1))).toBe(false);
  });

  it('leaves an equal key of another entry alone when one is deleted that is not in', () => {
    const index = new AllocationIndex<Indexed>();
    const entry = put(index, allocationKey('bob', 1));
    const stranger = { key: entry.key, row: entry.row };
    index.delete(stranger);
    expect(index.get(entry.key)).toBe(entry);
    expect(index.size).toBe(1);
  });

  it('grows and empties without losing an entry', () => {
    const index = new AllocationIndex<Indexed>();
    const entries = Array.from({ length: 5000 }, (_, id) => put(index, allocationKey('u', id)));
    expect(entries.every((entry) => index.get(entry.key) === entry)).toBe(true);
    for (const entry of entries.slice(0, 4000)) index.delete(entry);
    expect(index.size).toBe(1000);
    expect(entries.map((entry) => index.has(entry.key)).indexOf(true)).toBe(4000);
    expect([...index.values()].length).toBe(1000);
  });

  it('gives each entry a row of its own, of zeros, also where another was', () => {
    const index = new AllocationIndex<Indexed>();
    const entries = Array.from({ length: 3000 }, (_, id) => put(index, allocationKey('u', id)));
    for (const [number, { row }] of entries.entries()) row.page[row.offset] = number;
    for (const [number, { key, row }] of entries.entries()) {
      const position = index.find(key);
      expect(index.pageOf(position)[index.offsetOf(position)]).toBe(number);
      expect(row.page[row.offset]).toBe(number);
    }
    const [first] = entries;
    if (first === undefined) throw new Error('No entry');
    index.delete(first);
    expect(index.find(first.key)).toBe(-1);
    const { row } = put(index, allocationKey('v', 1));
    expect(row.position).toBe(first.row.position);
    expect(row.page[row.offset]).toBe(0);
  });
});

describe('AllocationIndex, with keys that are chosen to collide', () => {
  /** As many as clients may get, with the same id, length and last letters of the user's name. */
  const chosen = Array.from({ length: 20_000 }, (_, number) =>
    allocationKey(`${String(number).padStart(9, '0')}-same`, 1),
  );

  function probesOf(keys: readonly string[], seed: number): readonly number[] {
    const index = new AllocationIndex<Indexed>(seed);
    for (const key of keys) put(index, key);
    expect(keys.every((key) => index.get(key)?.key === key)).toBe(true);
    return keys.map((key) => index.probesOf(key));
  }

  it('reads few slots for each, whatever the seed', () => {
    for (const seed of [0, 1, 0x5eed]) {
      const probes = probesOf(chosen, seed);
      expect(Math.max(...probes)).toBeLessThan(64);
      expect(probes.reduce((sum, one) => sum + one) / probes.length).toBeLessThan(2);
    }
  });

  it('reads few slots for keys as a coturn counts them', () => {
    const usual = Array.from({ length: 20_000 }, (_, id) => allocationKey(`user${id}`, id));
    expect(Math.max(...probesOf(usual, 0))).toBeLessThan(64);
  });

  it('never reads more than its limit for those that came before it noticed', () => {
    expect(Math.max(...probesOf(chosen.slice(0, MAX_PROBES), 0))).toBeLessThanOrEqual(MAX_PROBES);
  });

  it('forgets them like any others', () => {
    const index = new AllocationIndex<Indexed>(7);
    const entries = chosen.slice(0, 2_000).map((key) => put(index, key));
    for (const entry of entries.slice(500)) index.delete(entry);
    expect(index.size).toBe(500);
    expect(entries.filter(({ key }) => index.has(key)).length).toBe(500);
  });
});

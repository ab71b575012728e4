import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AllocationIndex, type Indexed } from '../../../src/domain/allocation-index.ts';
import { offsetOf } from '../../../src/domain/key-table.ts';
import { allocationKey } from '../../support/coturn-message.ts';
import { wireMessage } from '../../support/wire-message.ts';

/** Few keys, of every length, some of them with bytes that are no UTF-8. */
const KEYS = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('bob', 'xbob', 'eve', 'caf\uDCE9', ''),
      fc.nat(12),
      fc.constantFrom('r', 's'),
    )
    .map(([user, id, realm]) => allocationKey(user, id, realm)),
  fc.constantFrom('', 'x', 'xy', 'turn/', '__proto__', 'é', '\u00C3\u00A9', 'x'.repeat(900)),
);

interface Entry extends Indexed {
  readonly key: string;
}

function put(index: AllocationIndex<Entry>, key: string): Entry {
  const entry = { key, address: index.insert(key) };
  index.add(entry);
  return entry;
}

describe('AllocationIndex', () => {
  it('holds what a Map would hold, whatever comes and goes', () => {
    const steps = fc.array(fc.tuple(KEYS, fc.boolean()), { maxLength: 300 });
    fc.assert(
      fc.property(steps, fc.integer(), (todo, seed) => {
        const index = new AllocationIndex<Entry>(seed);
        const model = new Map<string, Entry>();
        for (const [key, isGoing] of todo) {
          const known = model.get(key);
          expect(index.get(key)).toBe(known);
          if (isGoing && known !== undefined) {
            index.delete(known);
            model.delete(key);
          } else if (known === undefined) {
            model.set(key, put(index, key));
          }
          expect(index.size).toBe(model.size);
        }
        for (const [key, entry] of model) {
          expect(index.get(key)).toBe(entry);
          expect(index.keyOf(entry.address)).toBe(key);
          expect(index.find(wireMessage(key, ''))).toBe(entry.address);
          expect(index.find(wireMessage(`${key}tail`, ''), 4)).toBe(entry.address);
        }
        expect(new Set(index.values())).toEqual(new Set(model.values()));
      }),
      { numRuns: 150 },
    );
  });

  it('tells keys apart that differ in one place', () => {
    const index = new AllocationIndex<Entry>();
    put(index, allocationKey('bob', 1));
    expect(index.has(allocationKey('bob', 1))).toBe(true);
    expect(index.has(allocationKey('bob', 2))).toBe(false);
    expect(index.has(allocationKey('rob', 1))).toBe(false);
  });

  it('leaves an equal key of another entry alone when one is deleted that is not in', () => {
    const index = new AllocationIndex<Entry>();
    const entry = put(index, allocationKey('bob', 1));
    index.delete({ ...entry });
    expect(index.get(entry.key)).toBe(entry);
    expect(index.size).toBe(1);
  });

  it('grows and empties without losing an entry', () => {
    const index = new AllocationIndex<Entry>();
    const entries = Array.from({ length: 5000 }, (_, id) => put(index, allocationKey('u', id)));
    expect(entries.every((entry) => index.get(entry.key) === entry)).toBe(true);
    for (const entry of entries.slice(0, 4000)) index.delete(entry);
    expect(index.size).toBe(1000);
    expect(entries.map((entry) => index.has(entry.key)).indexOf(true)).toBe(4000);
    expect([...index.values()].length).toBe(1000);
  });

  it('gives each entry a row of its own, of zeros, also where another was', () => {
    const index = new AllocationIndex<Entry>();
    const rowOf = ({ address }: Indexed) => ({
      page: index.pageOf(address),
      offset: offsetOf(address),
    });
    const entries = Array.from({ length: 3000 }, (_, id) => put(index, allocationKey('u', id)));
    for (const [number, entry] of entries.entries()) {
      const { page, offset } = rowOf(entry);
      page[offset] = number;
    }
    for (const [number, entry] of entries.entries()) {
      const { page, offset } = rowOf(entry);
      expect(page[offset]).toBe(number);
      expect(index.get(entry.key)).toBe(entry);
    }
    const [first] = entries;
    if (first === undefined) throw new Error('No entry');
    index.delete(first);
    expect(index.has(first.key)).toBe(false);
    const next = put(index, allocationKey('v', 1));
    expect(next.address).toBe(first.address);
    const { page, offset } = rowOf(next);
    expect(page[offset]).toBe(0);
  });
});

describe('AllocationIndex, with keys that are chosen to collide', () => {
  const ROUND = 20_000;

  function probesOf(keys: readonly string[], seed: number): readonly number[] {
    const index = new AllocationIndex<Entry>(seed);
    for (const key of keys) put(index, key);
    return keys.map((key) => index.probesOf(key));
  }

  it.each([
    ['as a coturn counts them', (at: number) => allocationKey(`user${at}`, at)],
    ['that differ only in the name', (at: number) => allocationKey(`${at + 100_000}-same`, 1)],
    ['that differ only in the id', (at: number) => allocationKey('same', at)],
    // A bit that is highest in its word would stay there, were it only multiplied.
    [
      'that differ in high bits',
      (at: number) =>
        allocationKey(
          [...at.toString(2).padStart(15, '0')]
            .map((bit) => (bit === '1' ? 'ab\u00E9' : 'abyz'))
            .join(''),
          1,
        ),
    ],
  ])('reads few slots for keys %s', (_what, keyAt) => {
    for (const seed of [0, 1, 0x5eed]) {
      const probes = probesOf(
        Array.from({ length: ROUND }, (_, at) => keyAt(at)),
        seed,
      );
      expect(Math.max(...probes)).toBeLessThan(64);
      expect(probes.reduce((sum, one) => sum + one) / probes.length).toBeLessThan(2);
    }
  });

  it('places the same keys elsewhere by another seed', () => {
    const keys = Array.from({ length: 500 }, (_, at) => allocationKey(`user${at}`, at));
    expect(probesOf(keys, 1)).not.toEqual(probesOf(keys, 2));
  });
});

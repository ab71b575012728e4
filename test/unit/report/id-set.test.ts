import { v7 as uuidv7 } from 'uuid';
import { describe, expect, it } from 'vitest';
import { IdSet } from '../../../src/report/id-set.ts';

describe('IdSet', () => {
  it('knows each of 50,000 ids once it has it, and no other', () => {
    const ids = new IdSet();
    const known = Array.from({ length: 50_000 }, () => uuidv7());
    expect(known.every((id) => ids.add(id))).toBe(true);
    expect(known.some((id) => ids.add(id))).toBe(false);
    expect(ids.size).toBe(known.length);
  });

  it('tells ids apart that differ in one digit, wherever it is', () => {
    const ids = new IdSet();
    const id = '0199b2c4-1234-7abc-8def-0123456789ab';
    ids.add(id);
    for (const [index, digit] of [...id].entries()) {
      if (digit === '-') continue;
      const other = `${id.slice(0, index)}${digit === '0' ? '1' : '0'}${id.slice(index + 1)}`;
      expect(ids.add(other), other).toBe(true);
    }
    expect(ids.add(id)).toBe(false);
  });

  it.each([
    [''],
    ['00000000-0000-0000-0000-000000000000'],
    ['0199B2C4-1234-7abc-8def-0123456789ab'],
    ['0199b2c4-1234-7abc-8def-0123456789ag'],
    ['0199b2c4+1234-7abc-8def-0123456789ab'],
    ['session 7'],
  ])('keeps %j, which is no UUID in lower case', (id) => {
    const ids = new IdSet();
    ids.add('0199b2c4-1234-7abc-8def-0123456789ab');
    expect([ids.add(id), ids.add(id), ids.size]).toEqual([true, false, 2]);
  });
});

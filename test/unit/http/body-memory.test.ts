import { describe, expect, it } from 'vitest';
import { BodyMemory } from '../../../src/http/body-memory.ts';

/** One page of it. */
const PAGE_BYTES = 256 * 1024;

describe('BodyMemory', () => {
  it('gives the bytes of every text, whatever its length', () => {
    const texts = [
      'a',
      '',
      'bücher 💧 \ud800',
      'x'.repeat(PAGE_BYTES - 1),
      'yy',
      'z'.repeat(PAGE_BYTES + 1),
      'b',
    ];
    const writer = new BodyMemory().open();
    const written = texts.map((text) => writer.write(text));
    for (const [index, text] of texts.entries()) {
      expect(Buffer.from(text).equals(written[index] ?? Buffer.alloc(0)), text.slice(0, 9)).toBe(
        true,
      );
    }
  });

  it('uses memory again that nobody reads any more, and none that somebody reads', () => {
    const memory = new BodyMemory();
    const [first, second] = [memory.open(), memory.open()];
    const [a, b] = [first.write('first'), second.write('second')];
    expect(a.buffer).not.toBe(b.buffer);
    first.free();
    const third = memory.open();
    const c = third.write('third');
    expect(c.buffer).toBe(a.buffer);
    expect(Buffer.from(b).toString()).toBe('second');
    const fourth = memory.open();
    expect([a.buffer, b.buffer]).not.toContain(fourth.write('fourth').buffer);
  });

  it('keeps the pages that one body did not need for the next', () => {
    const memory = new BodyMemory();
    const page = 'x'.repeat(PAGE_BYTES);
    const large = memory.open();
    const pages = new Set([1, 2, 3].map(() => large.write(page).buffer));
    expect(pages.size).toBe(3);
    large.free();
    const small = memory.open();
    small.write(page);
    small.free();
    const again = memory.open();
    for (let count = 0; count < 3; count += 1) expect(pages).toContain(again.write(page).buffer);
  });
});

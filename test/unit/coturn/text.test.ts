import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOfKept, keepBytes, showText } from '../../../src/coturn/text.ts';

function read(bytes: Uint8Array): string {
  return keepBytes(Buffer.from(bytes).toString('utf8'), bytes);
}

const BYTES = fc.oneof(
  fc.uint8Array({ maxLength: 12 }),
  fc
    .array(
      fc.constantFrom([0xc3, 0xa9], [0xe0, 0xa0], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98, 0x80]),
      {
        maxLength: 4,
      },
    )
    .map((parts) => Uint8Array.from(parts.flat())),
);

describe('keepBytes', () => {
  it('reads UTF-8 as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(read(Buffer.from(text))).toBe(text.toWellFormed());
      }),
    );
  });

  it('keeps apart whatever differs', () => {
    fc.assert(
      fc.property(BYTES, BYTES, (left, right) => {
        expect(read(left) === read(right)).toBe(Buffer.compare(left, right) === 0);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    [[0x61, 0xff], 'a\uDCFF'],
    [[0x61, 0xfe], 'a\uDCFE'],
    [[0xc3], '\uDCC3'],
    [[0xed, 0xa0, 0x80], '\uDCED\uDCA0\uDC80'],
    [[0xf0, 0x9f, 0x98], '\uDCF0\uDC9F\uDC98'],
    [[0xc0, 0xaf], '\uDCC0\uDCAF'],
    [[0xef, 0xbf, 0xbd], '\uFFFD'],
    [[0xef, 0xbf, 0xbd, 0xff], '\uFFFD\uDCFF'],
  ])('reads %j as %j', (bytes, text) => {
    expect(read(Uint8Array.from(bytes))).toBe(text);
  });
});

describe('bytesOfKept', () => {
  it('gives the bytes again of which the text was made', () => {
    fc.assert(
      fc.property(BYTES, (bytes) => {
        const text = read(bytes);
        const target = new Uint8Array(text.length * 3);
        expect(target.subarray(0, bytesOfKept(text, target))).toEqual(bytes);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('showText', () => {
  it('makes UTF-8 of everything, with the bytes that were none as their numbers', () => {
    fc.assert(
      fc.property(BYTES, (bytes) => {
        const shown = showText(read(bytes));
        expect(shown.isWellFormed()).toBe(true);
        if (isUtf8(bytes)) expect(shown).toBe(Buffer.from(bytes).toString());
        else expect(shown).toMatch(/%[89A-F][0-9A-F]/);
      }),
    );
  });

  it('shows a half of a pair that came from elsewhere as a replacement', () => {
    expect(showText('a\uD800b')).toBe('a\uFFFDb');
  });
});

import { describe, expect, it } from 'vitest';
import { labelOf, MAX_LABEL_LENGTH } from '../../../src/domain/user.ts';

describe('labelOf', () => {
  it.each(['', 'alice', 'café', '中文😀', 'a"b\\c\nd', 'a/b', 'x'.repeat(MAX_LABEL_LENGTH)])(
    'leaves "%s" as it is',
    (text) => {
      expect(labelOf(text)).toBe(text);
    },
  );

  it('cuts what is longer than a label may be, with a hash of all of it', () => {
    const label = labelOf('x'.repeat(MAX_LABEL_LENGTH + 1));
    expect(label).toMatch(/^x{111}~[0-9a-f]{16}$/);
    expect(label).toHaveLength(MAX_LABEL_LENGTH);
    expect(labelOf('x'.repeat(MAX_LABEL_LENGTH + 1))).toBe(label);
  });

  it('keeps apart names that are equal in their first 128 characters', () => {
    const names = Array.from({ length: 1000 }, (_, number) => `${'x'.repeat(128)}${number}`);
    expect(new Set(names.map(labelOf)).size).toBe(1000);
  });

  it('cuts before a character of two units that would be halved', () => {
    expect(labelOf(`${'x'.repeat(110)}${'😀'.repeat(20)}`)).toMatch(/^x{110}~[0-9a-f]{16}$/);
    expect(labelOf(`${'x'.repeat(109)}${'😀'.repeat(20)}`)).toMatch(/^x{109}😀~[0-9a-f]{16}$/u);
  });

  it.each([
    ['a byte that is not UTF-8', 'a\uDCFFb', 'a%FFb'],
    ['another', 'a\uDCFEb', 'a%FEb'],
    ['several, beside characters of two units', '😀\uDC80\uDCE9', '😀%80%E9'],
  ])('shows %s', (_what, text, label) => {
    expect(labelOf(text)).toBe(label);
  });

  it.each([
    ['a high surrogate alone', 'a\uD83Db', 'a\uFFFDb'],
    ['a low surrogate alone', 'a\uDE00b', 'a\uFFFDb'],
    ['a high surrogate at the end', 'a\uD83D', 'a\uFFFD'],
    ['halves in the wrong order', '\uDE00\uD83D', '\uFFFD\uFFFD'],
  ])('replaces %s', (_what, text, label) => {
    expect(labelOf(text)).toBe(label);
  });

  it('is well-formed and short for text of any length', () => {
    for (let length = 120; length < 140; length += 1) {
      for (const text of [
        '😀'.repeat(length),
        `x${'😀'.repeat(length)}`,
        '\uD83D'.repeat(length),
      ]) {
        const label = labelOf(text);
        expect(label.isWellFormed()).toBe(true);
        expect(label.length).toBeLessThanOrEqual(MAX_LABEL_LENGTH);
      }
    }
  });
});

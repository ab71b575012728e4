import { describe, expect, it } from 'vitest';
import { labelOf, MAX_LABEL_LENGTH } from '../../../src/domain/user.ts';

describe('labelOf', () => {
  it.each(['', 'alice', 'café', '中文😀', 'a"b\\c\nd', 'a/b', 'x'.repeat(MAX_LABEL_LENGTH)])(
    'leaves "%s" as it is',
    (text) => {
      expect(labelOf(text)).toBe(text);
    },
  );

  it('cuts what is longer than a label may be', () => {
    expect(labelOf('x'.repeat(MAX_LABEL_LENGTH + 1))).toBe('x'.repeat(MAX_LABEL_LENGTH));
  });

  it('cuts before a character of two units that would be halved', () => {
    const text = `${'x'.repeat(MAX_LABEL_LENGTH - 1)}😀`;
    expect(labelOf(text)).toBe('x'.repeat(MAX_LABEL_LENGTH - 1));
  });

  it('keeps a character of two units that just fits', () => {
    const text = `${'x'.repeat(MAX_LABEL_LENGTH - 2)}😀`;
    expect(labelOf(text)).toBe(text);
    expect(labelOf(`${text}y`)).toBe(text);
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

import bcryptjs from 'bcryptjs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasHash, piWords } from '../../../src/http/bcrypt.ts';

const PI = piWords();
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('piWords', () => {
  it('begins and ends as the tables of Blowfish do', () => {
    const hex = (word: number | undefined): string => ((word ?? 0) >>> 0).toString(16);
    expect([...PI.slice(0, 3)].map(hex)).toEqual(['243f6a88', '85a308d3', '13198a2e']);
    expect(hex(PI.at(-1))).toBe('3ac372e6');
    expect(PI).toHaveLength(18 + 4 * 256);
  });
});

describe('hasHash', () => {
  it.each([
    // Of OpenBSD's regression tests and of crypt_blowfish.
    ['U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
    ['U*U*', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK'],
    // Of the test data of Prometheus' exporter-toolkit.
    ['fakepassword', '$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi'],
  ])('knows %j', (password, hash) => {
    expect(hasHash(bytes(password), hash, PI)).toBe(true);
    expect(hasHash(bytes(`${password}x`), hash, PI)).toBe(false);
  });

  it('agrees with bcryptjs on any password', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), fc.string(), (password, other) => {
        const hash = bcryptjs.hashSync(password, 4);
        expect(hasHash(bytes(password), hash, PI)).toBe(true);
        expect(hasHash(bytes(other), hash, PI)).toBe(bcryptjs.compareSync(other, hash));
      }),
      { numRuns: 50 },
    );
  });

  it('counts the first 72 bytes', () => {
    const hash = bcryptjs.hashSync('x'.repeat(72), 4);
    expect(hasHash(bytes('x'.repeat(90)), hash, PI)).toBe(true);
    expect(hasHash(bytes('x'.repeat(71)), hash, PI)).toBe(false);
  });

  it.each(['', 'secret', '$2b$04$short', '$1$04$'])('knows nothing by %j', (hash) => {
    expect(hasHash(bytes('secret'), hash, PI)).toBe(false);
  });
});

import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Gzip } from '../../../src/http/gzip.ts';
import type { Piece } from '../../../src/metrics/exposition.ts';

/** Pieces of text that count how often somebody asks for it. */
class Script {
  asked = 0;
  readonly #pieces: readonly (readonly [place: number, text: string, key?: object | undefined])[];

  constructor(
    ...pieces: readonly (readonly [place: number, text: string, key?: object | undefined])[]
  ) {
    this.#pieces = pieces;
  }

  async *pieces(): AsyncGenerator<Piece> {
    for (const [place, text, key] of this.#pieces) {
      const piece = {
        place,
        text: () => {
          this.asked += 1;
          return text;
        },
      };
      yield key === undefined ? piece : { ...piece, key: () => key };
    }
  }
}

async function encode(gzip: Gzip, script: Script): Promise<Buffer> {
  return Buffer.concat(await gzip.encode(script.pieces()));
}

describe('Gzip', () => {
  it('puts pieces in the order of their places, those of one place as they came', async () => {
    const script = new Script([2, 'e'], [0, 'a'], [1, 'c'], [2, 'f'], [1, 'd'], [0, 'b']);
    expect(gunzipSync(await encode(new Gzip(), script)).toString()).toBe('abcdef');
  });

  it('makes a member that can be read of nothing at all', async () => {
    expect(gunzipSync(await encode(new Gzip(), new Script()))).toHaveLength(0);
  });

  it('asks for the text of a key once, and finds the bytes again wherever they stand', async () => {
    const gzip = new Gzip();
    const [one, two] = [{}, {}];
    const first = new Script([0, 'head\n'], [0, 'one\n', one], [0, 'two\n', two]);
    expect(gunzipSync(await encode(gzip, first)).toString()).toBe('head\none\ntwo\n');
    const second = new Script([0, 'two\n', two], [0, 'a longer head\n'], [0, 'one\n', one]);
    expect(gunzipSync(await encode(gzip, second)).toString()).toBe('two\na longer head\none\n');
    expect([first.asked, second.asked]).toEqual([3, 1]);
  });

  it('hands on what the making of a piece throws, and works on', async () => {
    const gzip = new Gzip();
    async function* broken(): AsyncGenerator<Piece> {
      yield { place: 0, text: () => 'x'.repeat(1_000_000) };
      throw new Error('out of order');
    }
    await expect(gzip.encode(broken())).rejects.toThrow('out of order');
    expect(gunzipSync(await encode(gzip, new Script([0, 'a']))).toString()).toBe('a');
  });

  it('gives back any text, in one member, with pieces old and new', async () => {
    const texts = fc.array(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 50 }),
        // What zlib cannot make smaller, larger than any of its buffers.
        fc.string({ unit: 'binary', minLength: 40_000, maxLength: 50_000, size: 'max' }),
      ),
      { maxLength: 6 },
    );
    const scrapes = fc.array(fc.array(fc.nat({ max: 5 }), { maxLength: 8 }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(texts, scrapes, async (known, orders) => {
        const gzip = new Gzip();
        const keys = known.map(() => ({}));
        for (const order of orders) {
          const script = order.map((at) => [0, known[at] ?? '', keys[at]] as const);
          const bytes = await encode(gzip, new Script(...script));
          const text = script.map(([, one]) => one).join('');
          // zlib itself checks length and checksum of each member.
          expect(gunzipSync(bytes).equals(Buffer.from(text))).toBe(true);
          const members = bytes.readUInt32LE(bytes.length - 4);
          expect(members).toBe(Buffer.byteLength(text));
        }
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});

import { describe, expect, it } from 'vitest';
import { TURN_BYTES, Turns } from '../../../src/sources/turns.ts';

/** A socket with this much to read, of which it gives a chunk of at most 64 KB at a time. */
class Flood {
  isPaused = false;
  #left: number;
  readonly #chunk: number;

  constructor(bytes: number, chunk = 64 * 1024) {
    this.#left = bytes;
    this.#chunk = chunk;
  }

  get left(): number {
    return this.#left;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  /** What Node does in one turn of the event loop: reads on and on. */
  readAll(turns: Turns): number {
    const before = this.#left;
    while (!this.isPaused && this.#left > 0) {
      const bytes = Math.min(this.#chunk, this.#left);
      this.#left -= bytes;
      turns.take(bytes);
    }
    return before - this.#left;
  }
}

describe('Turns', () => {
  it.each([64 * 1024, 1_000, TURN_BYTES - 1])(
    'gives others a turn again and again, with chunks of %i bytes',
    async (chunk) => {
      const flood = new Flood(2 ** 20, chunk);
      const turns = new Turns(flood);
      while (flood.left > 0) {
        expect(flood.readAll(turns)).toBeLessThan(2 * TURN_BYTES);
        await new Promise(setImmediate);
        expect(flood.isPaused).toBe(false);
      }
    },
  );

  it('leaves those alone who send little', () => {
    const flood = new Flood(TURN_BYTES - 1);
    flood.readAll(new Turns(flood));
    expect([flood.left, flood.isPaused]).toEqual([0, false]);
  });
});

import { constants, crc32, createDeflateRaw, type DeflateRaw } from 'node:zlib';
import type { Piece } from '../metrics/exposition.ts';

/** A piece as a part of a gzip member. */
interface Deflated {
  readonly bytes: Uint8Array;
  /** Of what it was made of, in bytes. */
  readonly length: number;
  readonly checksum: number;
  /** What the checksum of all before it is multiplied by when it is appended. */
  readonly shift: number;
}

/** RFC 1952 §2.3: deflate, no flags, no time, fastest algorithm, unknown system. */
const HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255);

/** RFC 1951 §3.2.6: a last block with nothing in it. */
const LAST_BLOCK = Uint8Array.of(3, 0);

/**
 * Compresses expositions, and keeps what it made of pieces that have a key. Each piece is compressed
 * by itself and ends at a whole byte, so that old and new ones stand one after the other in a single
 * member of gzip, as those of pigz do. Several members would be simpler, but curl refuses them.
 */
export class Gzip {
  readonly #kept = new WeakMap<object, Deflated>();

  /** The bytes of a gzip file. zlib works on a thread of its own while the next piece is made. */
  async encode(pieces: AsyncIterable<Piece>): Promise<Uint8Array[]> {
    const deflater = new Deflater();
    const encoded: { place: number; part: Deflated | Promise<Deflated> }[] = [];
    let last: Promise<Deflated> | undefined;
    try {
      for await (const { place, text, key: keyOf } of pieces) {
        const key = keyOf?.();
        const kept = key && this.#kept.get(key);
        if (kept !== undefined) {
          encoded.push({ place, part: kept });
          continue;
        }
        const bytes = Buffer.from(text());
        await last;
        last = this.#deflate(deflater, bytes, key);
        encoded.push({ place, part: last });
      }
      encoded.sort((left, right) => left.place - right.place);
      return frame(await Promise.all(encoded.map(({ part }) => part)));
    } finally {
      await last?.catch(() => undefined);
      deflater.close();
    }
  }

  async #deflate(deflater: Deflater, bytes: Buffer, key: object | undefined): Promise<Deflated> {
    const { length } = bytes;
    const checksum = crc32(bytes);
    const part = { length, checksum, shift: shiftOf(length), bytes: await deflater.deflate(bytes) };
    if (key !== undefined) this.#kept.set(key, part);
    return part;
  }
}

/** Compresses one piece after the other by the same stream: to make one costs more than to use it. */
class Deflater {
  // Text that repeats itself so much gets 5 % smaller at the default level, for three times the work.
  readonly #stream: DeflateRaw = createDeflateRaw({
    level: constants.Z_BEST_SPEED,
    flush: constants.Z_FULL_FLUSH,
  });
  #output: Uint8Array[] = [];

  constructor() {
    this.#stream.on('readable', () => this.#read());
    // Whoever wrote hears of it.
    this.#stream.on('error', () => undefined);
  }

  /** The next piece, once the one before it is done. */
  deflate(bytes: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#stream.write(bytes, (error) => {
        if (error) return reject(error);
        this.#read();
        // A copy of its own: what zlib hands out is a part of something larger, which would be kept.
        resolve(new Uint8Array(Buffer.concat(this.#output)));
        this.#output = [];
      });
    });
  }

  close(): void {
    this.#stream.destroy();
  }

  #read(): void {
    for (;;) {
      const bytes: Uint8Array | null = this.#stream.read();
      if (bytes === null) return;
      this.#output.push(bytes);
    }
  }
}

/** RFC 1952 §2.2: one member of these parts. */
function frame(parts: readonly Deflated[]): Uint8Array[] {
  let checksum = 0;
  let length = 0;
  for (const part of parts) {
    checksum = multiply(part.shift, checksum) ^ part.checksum;
    length += part.length;
  }
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(checksum >>> 0, 0);
  trailer.writeUInt32LE(length % 2 ** 32, 4);
  return [HEADER, ...parts.map(({ bytes }) => bytes), LAST_BLOCK, trailer];
}

// A CRC is a remainder of a polynomial over GF(2), whose coefficients are bits, the highest power in
// the lowest bit. To append n bytes is to multiply by x^8n and to add what they have themselves.

const POLYNOMIAL = 0xedb88320;
const ONE = 1 << 31;
const X_TO_THE_8 = 1 << 23;

/** x^8n: what appending `length` bytes does to a checksum (`crc32_combine` of zlib). */
function shiftOf(length: number): number {
  let shift = ONE;
  let power = X_TO_THE_8;
  for (let rest = length; rest > 0; rest >>>= 1) {
    if ((rest & 1) === 1) shift = multiply(power, shift);
    power = multiply(power, power);
  }
  return shift;
}

/** The product of two such polynomials. */
function multiply(left: number, right: number): number {
  let product = 0;
  let shifted = right;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if ((left & bit) !== 0) product ^= shifted;
    shifted = (shifted & 1) === 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1;
  }
  return product;
}

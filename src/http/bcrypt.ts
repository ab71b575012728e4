/**
 * bcrypt as OpenBSD has it (Provos and Mazières, "A Future-Adaptable Password Scheme"), to check
 * passwords, not to make hashes. Its text also runs in a worker of its own, so every function uses
 * nothing from outside of this file but other functions of {@link BCRYPT_SOURCE}.
 */

/** The tables of Blowfish: 18 subkeys, then four boxes of 256 words. */
interface Blowfish {
  readonly keys: Int32Array;
  readonly boxes: Int32Array;
}

/**
 * Whether a password has this hash. Passwords count up to 72 bytes.
 *
 * @param hash `$2b$10$`, 22 characters of salt, 31 of hash; `$2a$` and `$2y$` mean the same
 * @param pi from {@link piWords}
 */
export function hasHash(password: Uint8Array, hash: string, pi: Int32Array): boolean {
  const [, cost = '', salt = '', wanted = ''] = /^\$2.?\$(\d\d)\$(.{22})(.{31})$/.exec(hash) ?? [];
  if (wanted === '') return false;
  const key = new Uint8Array(password.length + 1);
  key.set(password);
  const got = crypt(key, fromRadix64(salt, 16), 2 ** Number(cost), pi);
  let difference = 0;
  for (const [index, byte] of fromRadix64(wanted, 23).entries()) {
    difference |= byte ^ (got[index] ?? 0);
  }
  return difference === 0;
}

/** The first 1042 words of the fraction of pi: Machin's formula, in fixed point. */
export function piWords(): Int32Array {
  const bits = 1042n * 32n;
  const guard = 64n;
  const arctanOfInverse = (of: bigint): bigint => {
    let term = (1n << (bits + guard)) / of;
    let sum = term;
    for (let divisor = 3n, sign = -1n; term !== 0n; divisor += 2n, sign = -sign) {
      term /= of * of;
      sum += (sign * term) / divisor;
    }
    return sum;
  };
  const pi = 4n * (4n * arctanOfInverse(5n) - arctanOfInverse(239n));
  const hex = ((pi >> guard) & ((1n << bits) - 1n)).toString(16).padStart(1042 * 8, '0');
  return Int32Array.from({ length: 1042 }, (_, index) =>
    Number.parseInt(hex.slice(8 * index, 8 * index + 8), 16),
  );
}

/** bcrypt's own order of the 64 characters. */
function fromRadix64(text: string, length: number): Uint8Array {
  const digits = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  const bytes = new Uint8Array(length);
  let bits = 0;
  let held = 0;
  let count = 0;
  for (const character of text) {
    held = ((held << 6) | digits.indexOf(character)) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    if (count < length) bytes[count] = held >> bits;
    count += 1;
  }
  return bytes;
}

function crypt(key: Uint8Array, salt: Uint8Array, rounds: number, pi: Int32Array): Uint8Array {
  const cipher = { keys: pi.slice(0, 18), boxes: pi.slice(18) };
  const nothing = new Int32Array(18);
  const keyWords = cyclicWords(key, 18);
  const saltWords = cyclicWords(salt, 18);
  expandKey(cipher, keyWords, cyclicWords(salt, 4));
  for (let round = 0; round < rounds; round += 1) {
    expandKey(cipher, keyWords, nothing);
    expandKey(cipher, saltWords, nothing);
  }
  const text = cyclicWords(new TextEncoder().encode('OrpheanBeholderScryDoubt'), 6);
  for (let at = 0; at < 6; at += 2) {
    for (let time = 0; time < 64; time += 1) encipher(cipher, text, at);
  }
  const bytes = new DataView(new ArrayBuffer(24));
  for (const [index, word] of text.entries()) bytes.setInt32(4 * index, word);
  return new Uint8Array(bytes.buffer, 0, 23);
}

/** Words of 32 bits from bytes that are read over and over. */
function cyclicWords(bytes: Uint8Array, count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, index) => {
    let word = 0;
    for (let at = 4 * index; at < 4 * index + 4; at += 1) {
      word = (word << 8) | (bytes[at % bytes.length] ?? 0);
    }
    return word;
  });
}

/** Mixes a key into the tables. `salt` has four words, or is all zero. */
function expandKey({ keys, boxes }: Blowfish, key: Int32Array, salt: Int32Array): void {
  const block = new Int32Array(2);
  const cipher = { keys, boxes };
  let taken = 0;
  for (let index = 0; index < 18; index += 1) keys[index] = (keys[index] ?? 0) ^ (key[index] ?? 0);
  for (const table of [keys, boxes]) {
    for (let index = 0; index < table.length; index += 2) {
      block[0] = (block[0] ?? 0) ^ (salt[taken & 3] ?? 0);
      block[1] = (block[1] ?? 0) ^ (salt[(taken + 1) & 3] ?? 0);
      taken += 2;
      encipher(cipher, block, 0);
      table[index] = block[0] ?? 0;
      table[index + 1] = block[1] ?? 0;
    }
  }
}

/** One block of Blowfish: 16 rounds over the two words at `at`. */
function encipher({ keys, boxes }: Blowfish, block: Int32Array, at: number): void {
  let left = (block[at] as number) ^ (keys[0] as number);
  let right = block[at + 1] as number;
  for (let round = 1; round <= 16; round += 2) {
    right ^=
      ((((boxes[left >>> 24] as number) + (boxes[256 + ((left >>> 16) & 255)] as number)) ^
        (boxes[512 + ((left >>> 8) & 255)] as number)) +
        (boxes[768 + (left & 255)] as number)) ^
      (keys[round] as number);
    left ^=
      ((((boxes[right >>> 24] as number) + (boxes[256 + ((right >>> 16) & 255)] as number)) ^
        (boxes[512 + ((right >>> 8) & 255)] as number)) +
        (boxes[768 + (right & 255)] as number)) ^
      (keys[round + 1] as number);
  }
  block[at] = right ^ (keys[17] as number);
  block[at + 1] = left;
}

/**
 * The program of a worker that answers `{ id, password, hash }` with `{ id, isRight }`. A text, so
 * that it needs no file of its own beside a bundled exporter.
 */
export const BCRYPT_SOURCE: string = `'use strict';
${[hasHash, piWords, fromRadix64, crypt, cyclicWords, expandKey, encipher].join('\n')}
const { parentPort } = require('node:worker_threads');
const pi = ${piWords.name}();
parentPort.on('message', ({ id, password, hash }) => {
  parentPort.postMessage({ id, isRight: ${hasHash.name}(password, hash, pi) });
});
`;

/** Parts of an {@link IdSet}; each grows by itself, so that growing never needs twice the memory. */
const SHARDS = 256;
const WORDS = 4;
const FIRST_SLOTS = 64;
const MAX_LOAD = 0.8;
const GROWTH = 1.5;
const UUID_LENGTH = 36;

/**
 * A set of session ids that holds ten million in about 240 MB. Each UUID is kept whole, as 128
 * bits: a fingerprint would be smaller, and one day drop a session from a bill. Ids that are no
 * UUIDs are kept as texts.
 */
export class IdSet {
  readonly #shards: Shard[] = Array.from({ length: SHARDS }, () => new Shard());
  readonly #others = new Set<string>();
  readonly #words = new Uint32Array(WORDS);

  /** How many ids it holds. */
  get size(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.size, this.#others.size);
  }

  /** Adds an id; false when it was there. */
  add(id: string): boolean {
    const words = this.#words;
    if (!readUuid(id, words)) {
      if (this.#others.has(id)) return false;
      this.#others.add(id);
      return true;
    }
    return this.#shards[hashOf(words) % SHARDS]?.add(words) ?? false;
  }
}

/** An open-addressing table of four words a slot; four zeros are an empty slot. */
class Shard {
  size = 0;
  #slots = FIRST_SLOTS;
  #table = new Uint32Array(FIRST_SLOTS * WORDS);

  add(words: Uint32Array): boolean {
    const at = this.#find(words);
    if (!this.#isEmpty(at)) return false;
    this.#table.set(words, at);
    this.size += 1;
    if (this.size > this.#slots * MAX_LOAD) this.#grow();
    return true;
  }

  /** Where it is, or where it belongs. */
  #find(words: Uint32Array): number {
    const table = this.#table;
    let slot = Math.floor(hashOf(words) / SHARDS) % this.#slots;
    for (;;) {
      const at = slot * WORDS;
      const isThere =
        table[at] === words[0] &&
        table[at + 1] === words[1] &&
        table[at + 2] === words[2] &&
        table[at + 3] === words[3];
      if (isThere || this.#isEmpty(at)) return at;
      slot = slot + 1 === this.#slots ? 0 : slot + 1;
    }
  }

  #isEmpty(at: number): boolean {
    const table = this.#table;
    return (
      ((table[at] ?? 0) | (table[at + 1] ?? 0) | (table[at + 2] ?? 0) | (table[at + 3] ?? 0)) === 0
    );
  }

  #grow(): void {
    const old = this.#table;
    this.#slots = Math.ceil(this.#slots * GROWTH);
    this.#table = new Uint32Array(this.#slots * WORDS);
    const words = new Uint32Array(WORDS);
    for (let at = 0; at < old.length; at += WORDS) {
      for (let index = 0; index < WORDS; index += 1) words[index] = old[at + index] ?? 0;
      if (words.some((word) => word !== 0)) this.#table.set(words, this.#find(words));
    }
  }
}

/**
 * `0193f2a4-5c1e-7000-8000-000000000001` in lower case → four words; false for all else, and for
 * the nil UUID, whose slot would look empty.
 */
function readUuid(id: string, words: Uint32Array): boolean {
  if (id.length !== UUID_LENGTH) return false;
  let digits = 0;
  let word = 0;
  for (let index = 0; index < UUID_LENGTH; index += 1) {
    const code = id.charCodeAt(index);
    if (index === 8 || index === 13 || index === 18 || index === 23) {
      if (code !== 0x2d) return false;
      continue;
    }
    const digit = hexDigit(code);
    if (digit < 0) return false;
    word = (word << 4) | digit;
    digits += 1;
    if (digits % 8 === 0) words[digits / 8 - 1] = word;
  }
  return ((words[0] ?? 0) | (words[1] ?? 0) | (words[2] ?? 0) | (words[3] ?? 0)) !== 0;
}

/** The value of `0` to `9` and `a` to `f`; below 0 for all else. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;
}

/** Spreads ids that differ in their last digits only. */
function hashOf(words: Uint32Array): number {
  let hash = words[0] ?? 0;
  for (let index = 1; index < WORDS; index += 1) {
    hash = Math.imul(hash ^ (words[index] ?? 0) ^ (hash >>> 15), 0x9e3779b1);
  }
  return (hash ^ (hash >>> 16)) >>> 0;
}

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;

/** One place of a pattern: what a single character must be there, or any number of characters. */
type Place =
  | { readonly kind: 'star' }
  | { readonly kind: 'any' }
  | { readonly kind: 'one'; readonly code: number }
  | { readonly kind: 'set'; readonly negated: boolean; readonly ranges: readonly Range[] };

interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * A Redis key pattern: `*`, `?`, `[abc]`, `[^a-z]` and `\` to escape. Only the last star is ever
 * gone back to, so a match costs at most text × pattern steps, never more.
 * Redis 7.0, util.c, stringmatchlen().
 */
export class Glob {
  readonly #places: readonly Place[];
  /** Steps taken by all matches so far; for a caller that must bound the work. */
  steps = 0;

  constructor(pattern: string) {
    this.#places = parsePattern(pattern);
  }

  /** Whether all of the text is what the pattern says. */
  matches(text: string): boolean {
    const places = this.#places;
    let at = 0;
    let index = 0;
    let starIndex = -1;
    let starAt = 0;
    this.steps++;
    while (at < text.length) {
      this.steps++;
      const place = places[index];
      if (place?.kind === 'star') {
        // Nothing follows a final star that could fail.
        if (index === places.length - 1) return true;
        starIndex = index++;
        starAt = at;
      } else if (place !== undefined && fits(place, text.charCodeAt(at))) {
        at++;
        index++;
      } else if (starIndex >= 0) {
        index = starIndex + 1;
        at = ++starAt;
      } else {
        return false;
      }
    }
    while (places[index]?.kind === 'star') index++;
    return index === places.length;
  }
}

function fits(place: Place, code: number): boolean {
  switch (place.kind) {
    case 'one':
      return place.code === code;
    case 'any':
    case 'star':
      return true;
    case 'set':
      return place.ranges.some(({ from, to }) => code >= from && code <= to) !== place.negated;
  }
}

function parsePattern(pattern: string): Place[] {
  const places: Place[] = [];
  let at = 0;
  while (at < pattern.length) {
    const code = pattern.charCodeAt(at);
    if (code === STAR) {
      if (places.at(-1)?.kind !== 'star') places.push({ kind: 'star' });
      at++;
    } else if (code === QUESTION) {
      places.push({ kind: 'any' });
      at++;
    } else if (code === OPEN) {
      at = parseSet(pattern, at + 1, places);
    } else {
      // A backslash at the very end stands for itself.
      const isEscape = code === BACKSLASH && at + 1 < pattern.length;
      places.push({ kind: 'one', code: isEscape ? pattern.charCodeAt(at + 1) : code });
      at += isEscape ? 2 : 1;
    }
  }
  return places;
}

/** Reads from behind `[`; a set that is never closed ends with the pattern, as in Redis. */
function parseSet(pattern: string, from: number, places: Place[]): number {
  const negated = pattern[from] === '^';
  const ranges: Range[] = [];
  let at = negated ? from + 1 : from;
  while (at < pattern.length && pattern[at] !== ']') {
    if (pattern[at] === '\\' && at + 1 < pattern.length) at++;
    const low = pattern.charCodeAt(at);
    const isRange = pattern[at + 1] === '-' && at + 2 < pattern.length && pattern[at + 2] !== ']';
    const high = isRange ? pattern.charCodeAt(at + 2) : low;
    ranges.push({ from: Math.min(low, high), to: Math.max(low, high) });
    at += isRange ? 3 : 1;
  }
  places.push({ kind: 'set', negated, ranges });
  return at + 1;
}

import { redact } from './redact.ts';

/** Longest piece of an input that a message repeats, in characters. */
const QUOTED_CHARACTERS = 120;

/**
 * A configuration that cannot be used: exit code 2. The message is one line that names the flag or
 * environment variable, the value (never a secret) and what it takes.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * `text` in double quotes, fit for one line of a terminal: credentials removed, control and
 * direction characters escaped, cut after 120 characters.
 */
export function quote(text: string): string {
  const safe = redact(text);
  const cut = safe.length > QUOTED_CHARACTERS ? `${safe.slice(0, QUOTED_CHARACTERS)}…` : safe;
  return JSON.stringify(cut).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}

/**
 * The one of `names` that was probably meant by `text`: the only one that contains it as a whole
 * word, else the one the fewest edits away. Undefined when nothing is near.
 */
export function nearestName(text: string, names: Iterable<string>): string | undefined {
  // Nobody mistypes a name at this length; it also bounds the work below.
  if (text.length > 64) {
    return undefined;
  }
  const all = [...names];
  const words = `.${text.replaceAll(/[-_]/g, '.')}.`;
  const holders = all.filter((name) => `.${name.replaceAll(/[-_]/g, '.')}.`.includes(words));
  if (text !== '' && holders.length === 1) {
    return holders[0];
  }
  let nearest: string | undefined;
  let fewest = Math.max(2, Math.floor(text.length / 4)) + 1;
  for (const name of all) {
    const edits = editDistance(text, name);
    if (edits < fewest && edits <= name.length / 2) {
      nearest = name;
      fewest = edits;
    }
  }
  return nearest;
}

/** Levenshtein's distance: insertions, deletions and replacements of one UTF-16 unit. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = from[row - 1] === to[column - 1] ? 0 : 1;
      current[column] = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + replaced,
      );
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}

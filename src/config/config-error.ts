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

import { Buffer } from 'node:buffer';
import type { Flavour } from './flavour.ts';
import type { Target } from './target.ts';

/** `*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n`: a Redis command as hiredis sends it, to be written as UTF-8. */
export function encodeCommand(parts: readonly string[]): string {
  let text = `*${parts.length}\r\n`;
  for (const part of parts) text += `$${Buffer.byteLength(part)}\r\n${part}\r\n`;
  return text;
}

/** The same for `publish` and `set`, which make up almost all there is. */
export function encodePair(command: 'publish' | 'set', key: string, text: string): string {
  const name = command === 'set' ? '*3\r\n$3\r\nset\r\n$' : '*3\r\n$7\r\npublish\r\n$';
  const keyBytes = Buffer.byteLength(key);
  return `${name}${keyBytes}\r\n${key}\r\n$${text.length}\r\n${text}\r\n`;
}

/**
 * The AUTH command of a version of coturn as a list of its parts, empty when it sends none. Up to
 * 4.6.2 `AUTH ""` is sent even where no password is configured; the refusal is ignored.
 */
export function authCommand(target: Target, flavour: Flavour): readonly string[] {
  const { username, password } = target;
  if (password !== undefined) {
    return username === undefined ? ['AUTH', password] : ['AUTH', username, password];
  }
  return flavour.emptyAuth ? ['AUTH', ''] : [];
}

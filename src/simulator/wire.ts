import { Buffer } from 'node:buffer';
import type { Flavour } from './flavour.ts';
import type { Target } from './start-fleet.ts';

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

/** One reply of a Redis: its text, an error, or the items of an array of strings. */
export type Reply =
  | { readonly kind: 'text' | 'error'; readonly text: string }
  | { readonly kind: 'array'; readonly items: readonly string[] };

const LINE_END = '\r\n';

/**
 * Reads the replies that coturn waits for when it starts: lines, integers, bulk strings, and arrays
 * of bulk strings. Texts are kept byte for byte, one character (latin1) for each.
 */
export class ReplyReader {
  #input = '';
  #offset = 0;
  #items: string[] = [];
  #expected = 0;

  /**
   * Takes what arrived, `+OK\r\n*1\r\n$3\r\nkey\r\n` for example, and gives the replies that are
   * complete now.
   *
   * @throws {SyntaxError} when it is no Redis that answers
   */
  push(chunk: Buffer): Reply[] {
    this.#input = this.#input.slice(this.#offset) + chunk.toString('latin1');
    this.#offset = 0;
    const replies: Reply[] = [];
    for (let reply = this.#next(); reply !== undefined; reply = this.#next()) replies.push(reply);
    return replies;
  }

  #next(): Reply | undefined {
    for (;;) {
      if (this.#expected > 0 && this.#items.length === this.#expected) return this.#takeArray();
      const start = this.#offset;
      const text = this.#token();
      if (text === undefined) return undefined;
      const kind = this.#input.charAt(start);
      if (kind === '*') {
        this.#expected = lengthOf(text);
        if (this.#expected === 0) return { kind: 'array', items: [] };
      } else if (this.#expected > 0) this.#items.push(text);
      else return { kind: kind === '-' ? 'error' : 'text', text };
    }
  }

  /** The text of one line or bulk string; undefined, and nothing read, until it is there whole. */
  #token(): string | undefined {
    const end = this.#input.indexOf(LINE_END, this.#offset);
    if (end < 0) return undefined;
    const kind = this.#input.charAt(this.#offset);
    if (!'*$+-:'.includes(kind)) throw new SyntaxError('Cannot read a reply: expected a Redis');
    const line = this.#input.slice(this.#offset + 1, end);
    if (kind === '$') return this.#bulk(end, lengthOf(line));
    this.#offset = end + LINE_END.length;
    return line;
  }

  #takeArray(): Reply {
    const items = this.#items;
    this.#items = [];
    this.#expected = 0;
    return { kind: 'array', items };
  }

  /** Undefined until it is there whole; the offset moves only then. */
  #bulk(lineEnd: number, length: number): string | undefined {
    const start = lineEnd + LINE_END.length;
    const end = start + length;
    if (this.#input.length < end + LINE_END.length) return undefined;
    this.#offset = end + LINE_END.length;
    return this.#input.slice(start, end);
  }
}

function lengthOf(line: string): number {
  if (!/^\d{1,9}$/.test(line)) {
    throw new SyntaxError('Cannot read a reply: expected a length');
  }
  return Number(line);
}

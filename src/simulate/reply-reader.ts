import type { Buffer } from 'node:buffer';

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

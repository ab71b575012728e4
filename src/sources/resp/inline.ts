import type { ProtocolError } from './limits.ts';

/** What {@link parseInline} makes of a line. An empty line gives no arguments. */
export type InlineResult =
  | { readonly ok: true; readonly args: readonly string[] }
  | { readonly ok: false; readonly reason: ProtocolError };

const TAB = 9;
const SPACE = 32;
const DELETE = 127;

/**
 * Splits an inline command, as typed into telnet, at spaces. Quotes, single or double, hold spaces
 * together; escapes are not known. Redis 7.0, networking.c, processInlineBuffer().
 *
 * `PUBLISH turn/realm/example.org/user/alice/allocation/001000000000000001/status "deleted"`
 *
 * @param line one line without its end
 */
export function parseInline(line: string): InlineResult {
  if (hasControls(line)) return { ok: false, reason: 'unexpected_byte' };
  // What a browser sends when a page is made to talk to this port: a request's body could hold
  // PUBLISH lines. Redis hangs up on these two words as well.
  if (/^(?:post |host:)/i.test(line)) return { ok: false, reason: 'cross_protocol' };
  const args: string[] = [];
  let at = skipBlanks(line, 0);
  while (at < line.length) {
    const quote = line.charAt(at);
    const isQuoted = quote === '"' || quote === "'";
    const start = isQuoted ? at + 1 : at;
    const end = isQuoted ? line.indexOf(quote, start) : wordEnd(line, start);
    if (end < 0) return { ok: false, reason: 'inline_malformed' };
    args.push(line.slice(start, end));
    at = isQuoted ? end + 1 : end;
    if (at < line.length && !isBlank(line, at)) return { ok: false, reason: 'inline_malformed' };
    at = skipBlanks(line, at);
  }
  return { ok: true, args };
}

function hasControls(line: string): boolean {
  for (let at = 0; at < line.length; at++) {
    const code = line.charCodeAt(at);
    if ((code < SPACE && code !== TAB) || code === DELETE) return true;
  }
  return false;
}

function isBlank(line: string, at: number): boolean {
  const code = line.charCodeAt(at);
  return code === SPACE || code === TAB;
}

function skipBlanks(line: string, from: number): number {
  let at = from;
  while (at < line.length && isBlank(line, at)) at++;
  return at;
}

function wordEnd(line: string, from: number): number {
  let at = from;
  while (at < line.length && !isBlank(line, at)) at++;
  return at;
}

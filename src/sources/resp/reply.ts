import { Buffer } from 'node:buffer';

/** Encoders of Redis replies (RESP2) as text, to be written as UTF-8. */

export const OK = '+OK\r\n';
export const NULL_BULK = '$-1\r\n';
export const EMPTY_ARRAY = '*0\r\n';

/** `+PONG\r\n`. Line ends inside the text would break the stream: they become spaces. */
export function simpleReply(text: string): string {
  return `+${oneLine(text)}\r\n`;
}

/**
 * `-ERR unknown command 'x'\r\n`.
 *
 * @param text starts with the code, an upper-case word
 */
export function errorReply(text: string): string {
  return `-${oneLine(text)}\r\n`;
}

/** `:1\r\n`. */
export function integerReply(value: number): string {
  return `:${value}\r\n`;
}

/** `$5\r\nhello\r\n`: any text, its length told in bytes. */
export function bulkReply(text: string): string {
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

/** `*2\r\n…`: of replies that are encoded already. */
export function arrayReply(items: readonly string[]): string {
  return `*${items.length}\r\n${items.join('')}`;
}

/** What a peer sent, fit to be shown to it or in a log: no control characters, at most 64 long. */
export function printable(text: string): string {
  return text.slice(0, 64).replace(/\p{Cc}/gu, '');
}

function oneLine(text: string): string {
  return text.replace(/[\r\n]/g, ' ');
}

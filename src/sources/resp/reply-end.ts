import type { Buffer } from 'node:buffer';

/** More bytes are needed to tell. */
export const INCOMPLETE = -1;
/** It is not a reply of the Redis protocol. */
export const UNREADABLE = -2;

/** Arrays in arrays: a Redis nests two deep in what a subscriber may get. */
const MAX_DEPTH = 8;

const CR = 13;
const LF = 10;
const PLUS = 43;
const MINUS = 45;
const COLON = 58;
const DOLLAR = 36;
const ASTERISK = 42;

/**
 * Where the reply that starts at `at` ends: the offset behind it, {@link INCOMPLETE} or
 * {@link UNREADABLE}. RESP2 only: a connection speaks it unless it asks for another.
 */
export function replyEnd(bytes: Buffer, at: number, depth = 0): number {
  if (depth > MAX_DEPTH) return UNREADABLE;
  const lineEnd = bytes.indexOf(LF, at);
  if (lineEnd < 0) return isType(bytes[at]) ? INCOMPLETE : UNREADABLE;
  if (bytes[lineEnd - 1] !== CR) return UNREADABLE;
  const behind = lineEnd + 1;
  switch (bytes[at]) {
    case PLUS:
    case MINUS:
    case COLON:
      return behind;
    case DOLLAR: {
      const length = numberOf(bytes, at, lineEnd);
      if (Number.isNaN(length)) return UNREADABLE;
      // -1 is the null string, which has no text.
      const end = length < 0 ? behind : behind + length + 2;
      return end > bytes.length ? INCOMPLETE : end;
    }
    case ASTERISK: {
      const count = numberOf(bytes, at, lineEnd);
      if (Number.isNaN(count)) return UNREADABLE;
      let end = behind;
      for (let index = 0; index < count; index += 1) {
        end = replyEnd(bytes, end, depth + 1);
        if (end < 0) return end;
      }
      return end;
    }
    default:
      return UNREADABLE;
  }
}

function isType(byte: number | undefined): boolean {
  return (
    byte === undefined ||
    byte === PLUS ||
    byte === MINUS ||
    byte === COLON ||
    byte === DOLLAR ||
    byte === ASTERISK
  );
}

/** The number of a `$7\r\n` line; NaN when it is none. */
function numberOf(bytes: Buffer, at: number, lineEnd: number): number {
  const text = bytes.toString('latin1', at + 1, lineEnd - 1);
  return /^(?:-1|\d{1,10})$/.test(text) ? Number(text) : Number.NaN;
}

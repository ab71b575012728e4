import type { Buffer } from 'node:buffer';
import type { CommandLimits } from './limits.ts';
import { INCOMPLETE, type MessageHandler, prefixOf, RespReader } from './reader.ts';

/** Takes what a Redis sends to a subscriber; messages are those of a pattern subscription. */
export interface ReplyHandler extends MessageHandler {
  /** A whole reply of any other kind, as it came. */
  other(bytes: Buffer): void;
}

/** Redis itself allows 512 MB; a message of coturn has 1,600 bytes. */
const MAX_REPLY_BYTES = 9_999_999;
const REPLY_LIMITS: CommandLimits = {
  maxArguments: MAX_REPLY_BYTES,
  maxArgumentBytes: MAX_REPLY_BYTES,
  maxCommandBytes: MAX_REPLY_BYTES,
};

/** Arrays in arrays: a Redis nests two deep in what a subscriber may get. */
const MAX_DEPTH = 8;

/** How a message begins. */
const PREFIX_TEXT = '*4\r\n$8\r\npmessage\r\n$';
const PREFIX_LENGTH = PREFIX_TEXT.length;
const PREFIX = prefixOf(PREFIX_TEXT);

const ZERO = 48;
const CR = 13;
const LF = 10;
const PLUS = 43;
const MINUS = 45;
const COLON = 58;
const DOLLAR = 36;
const ASTERISK = 42;

/**
 * Takes messages out of what a Redis sends and leaves the rest to the client that holds the
 * connection. A client makes four strings, an array and an event of each message; this makes two
 * slices. RESP2 only: a connection speaks it unless it asks for another.
 */
export function createReplyReader(handler: ReplyHandler): RespReader {
  const grammar = {
    keyOf,
    readOther(reader: RespReader, at: number): number {
      const end = replyEnd(reader, at, 0);
      if (end > 0) handler.other(reader.bytes.subarray(at, end));
      return end;
    },
  };
  return new RespReader(grammar, handler, REPLY_LIMITS);
}

/** Where the reply that starts at `at` ends: the offset behind it, or what a reader gives instead. */
function replyEnd(reader: RespReader, at: number, depth: number): number {
  const { bytes } = reader;
  if (depth > MAX_DEPTH) return reader.fail('too_many_arguments');
  const isNull = bytes[at + 1] === MINUS;
  switch (bytes[at]) {
    case undefined:
      return INCOMPLETE;
    case PLUS:
    case MINUS:
    case COLON:
      return lineEnd(reader, at);
    case DOLLAR:
      return isNull ? nullEnd(reader, at) : reader.readBulk(at);
    case ASTERISK: {
      if (isNull) return nullEnd(reader, at);
      const count = reader.readNumber(at + 1);
      let end = count < 0 ? count : reader.cursor;
      for (let index = 0; index < count && end > 0; index++) end = replyEnd(reader, end, depth + 1);
      return end;
    }
    default:
      return reader.fail('unexpected_byte');
  }
}

function lineEnd(reader: RespReader, at: number): number {
  const end = reader.bytes.indexOf(LF, at);
  if (end < 0) return INCOMPLETE;
  return reader.bytes[end - 1] === CR ? end + 1 : reader.fail('missing_terminator');
}

/** `$-1\r\n` and `*-1\r\n`. */
function nullEnd(reader: RespReader, at: number): number {
  const end = lineEnd(reader, at);
  const isNull = end < 0 || reader.copied(at + 1, end) === '-1\r\n';
  return isNull ? end : reader.fail('invalid_length');
}

/**
 * Behind the prefix stands the pattern that was subscribed to, whose length has two digits: longer
 * ones go the long way. What follows shows whether it was one.
 */
function keyOf(reader: RespReader, at: number): number {
  if (!reader.isAt(PREFIX, at)) return -1;
  const end = at + PREFIX_LENGTH;
  const tens = (reader.bytes[end] ?? 0) - ZERO;
  const units = (reader.bytes[end + 1] ?? 0) - ZERO;
  const isTwoDigits = tens > 0 && tens <= 9 && units >= 0 && units <= 9;
  return isTwoDigits ? end + 2 + 2 + tens * 10 + units + 2 : -1;
}

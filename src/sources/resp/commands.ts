import { parseInline } from './inline.ts';
import { type CommandLimits, MAX_INLINE_BYTES } from './limits.ts';
import { INCOMPLETE, type MessageHandler, prefixOf, RespReader } from './reader.ts';

/** Takes the commands a client sends, in their order; messages are those of `PUBLISH`. */
export interface CommandHandler extends MessageHandler {
  /** Any other command: its name as sent, then its arguments; at least the name. */
  command(args: readonly string[]): void;
}

/** How a message of coturn begins; a `PUBLISH` in other letters is a command as any. */
const PREFIX_TEXT = '*3\r\n$7\r\npublish\r\n';
const PREFIX_LENGTH = PREFIX_TEXT.length;
const PREFIX = prefixOf(PREFIX_TEXT);

const CR = 13;
const LF = 10;
const ASTERISK = 42;
const LOWER_CASE = 0x20;

/** Reads what a client sends: arrays of bulk strings, and inline commands. */
export function createCommandReader(handler: CommandHandler, limits: CommandLimits): RespReader {
  const grammar = {
    keyOf,
    readOther: (reader: RespReader, at: number): number =>
      reader.bytes[at] === ASTERISK
        ? readArray(reader, at, handler)
        : readInline(reader, at, handler),
  };
  return new RespReader(grammar, handler, limits);
}

function readArray(reader: RespReader, at: number, handler: CommandHandler): number {
  const count = reader.readNumber(at + 1);
  if (count < 0) return count;
  if (count > reader.limits.maxArguments) return reader.fail('too_many_arguments');
  // Offsets first, text when the command is whole: a slow sender is not decoded again and again.
  const offsets: number[] = [];
  let next = reader.cursor;
  for (let index = 0; index < count; index++) {
    next = reader.readBulk(next);
    if (next < 0) return next;
    offsets.push(reader.start, reader.end);
  }
  const args: string[] = [];
  for (let index = 0; index < offsets.length; index += 2) {
    args.push(reader.copied(offsets[index] ?? 0, offsets[index + 1] ?? 0));
  }
  if (args.length > 0) handler.command(args);
  return next;
}

/** `PING\r\n`; the carriage return may be missing. */
function readInline(reader: RespReader, at: number, handler: CommandHandler): number {
  const { bytes } = reader;
  const first = bytes[at] ?? 0;
  const isLetter = (first | LOWER_CASE) >= 0x61 && (first | LOWER_CASE) <= 0x7a;
  if (!isLetter && first !== CR && first !== LF) return reader.fail('unexpected_byte');
  const end = bytes.indexOf(LF, at);
  const length = (end < 0 ? bytes.length : end) - at;
  if (length > MAX_INLINE_BYTES) return reader.fail('inline_too_long');
  if (end < 0) return INCOMPLETE;
  const lineEnd = end > at && bytes[end - 1] === CR ? end - 1 : end;
  const line = parseInline(reader.copied(at, lineEnd));
  if (!line.ok) return reader.fail(line.reason);
  if (line.args.length > 0) handler.command(line.args);
  return end + 1;
}

function keyOf(reader: RespReader, at: number): number {
  return reader.isAt(PREFIX, at) ? at + PREFIX_LENGTH : -1;
}

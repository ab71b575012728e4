import type { Command, CommandContext } from './command.ts';
import { Glob } from './glob.ts';
import { arrayReply, bulkReply, EMPTY_ARRAY, errorReply, integerReply, OK } from './reply.ts';

/** Commands about keys and messages. */
export const DATA_COMMANDS: readonly (readonly [string, Command])[] = [
  // The value is the text of the PUBLISH that follows; events are counted there.
  ['set', { args: [2, 16], isCoturn: true, run: () => OK }],
  ['del', { args: [1, Number.POSITIVE_INFINITY], isCoturn: true, run: del }],
  ['publish', { args: [2, 2], isCoturn: true, run: publish }],
  ['keys', { args: [1, 1], run: keys }],
  ['scan', { args: [1, 7], run: scan }],
];

/** The pattern of a coturn that starts, to delete what its predecessor left (4.5.0.8 to 4.17.1). */
const STARTUP_PATTERN = 'turn/*/allocation/*/status';

/** Characters of a pattern: coturn's has 26, and the work of a match grows with it. */
const MAX_PATTERN_LENGTH = 256;

const PATTERN_TOO_LONG = errorReply('ERR pattern too long');
const TOO_MANY_KEYS = errorReply('ERR too many keys to list here, see /metrics');

/** coturn sends `DEL <key> ""`. */
function del(_: CommandContext, args: readonly string[]): string {
  return integerReply(args.filter((key) => key !== '').length);
}

/** Only inline and odd ones come this way; see `Session.publishShared`. */
function publish(context: CommandContext, [key = '', payload = '']: readonly string[]): string {
  context.receive(key, payload);
  return integerReply(1);
}

/**
 * A starting coturn would delete every key it is told, one by one, waiting for each reply: it gets
 * none, and what was live at its address is suspect (design, rule 7).
 */
function keys(context: CommandContext, [pattern = '']: readonly string[]): string {
  if (pattern === STARTUP_PATTERN) {
    context.coturnStarted();
    return EMPTY_ARRAY;
  }
  if (pattern.length > MAX_PATTERN_LENGTH) return PATTERN_TOO_LONG;
  const found = context.statusKeys(new Glob(pattern));
  return found === undefined ? TOO_MANY_KEYS : arrayReply(found.map(bulkReply));
}

/** `SCAN cursor [MATCH pattern] [COUNT n] [TYPE type]`: all keys at once, so the cursor ends at 0. */
function scan(context: CommandContext, [cursor = '', ...options]: readonly string[]): string {
  if (!/^\d{1,20}$/.test(cursor)) return errorReply('ERR invalid cursor');
  if (options.length % 2 !== 0) return errorReply('ERR syntax error');
  let pattern = '*';
  let isString = true;
  for (let at = 0; at < options.length; at += 2) {
    const value = options[at + 1] ?? '';
    switch (options[at]?.toLowerCase()) {
      case 'match':
        pattern = value;
        break;
      case 'type':
        isString = value.toLowerCase() === 'string';
        break;
      case 'count':
        break;
      default:
        return errorReply('ERR syntax error');
    }
  }
  if (pattern.length > MAX_PATTERN_LENGTH) return PATTERN_TOO_LONG;
  const isFirst = /^0+$/.test(cursor) && isString;
  const found = isFirst ? context.statusKeys(new Glob(pattern)) : [];
  if (found === undefined) return TOO_MANY_KEYS;
  return arrayReply([bulkReply('0'), arrayReply(found.map(bulkReply))]);
}

import { Glob } from '../resp/glob.ts';
import {
  arrayReply,
  bulkReply,
  EMPTY_ARRAY,
  errorReply,
  integerReply,
  NULL_BULK,
  OK,
  printable,
  simpleReply,
} from './reply-batch.ts';

/** What a command may do: the view it has of the session it came in. */
export interface CommandContext {
  /** Number of the connection, from 1. */
  readonly id: number;
  /** `address:port` of the peer. */
  readonly peer: string;
  /** As set by `CLIENT SETNAME`; empty when not set. */
  clientName: string;
  /** False until the password came, if one is set. */
  readonly isAuthenticated: boolean;
  /** Takes a password; `not_needed` when none is set. */
  authenticate(password: string): 'ok' | 'wrong' | 'not_needed';
  /** Hands a message to the sink. */
  receive(key: string, payload: string): void;
  /** Notes that a coturn process has just started at the peer's address. */
  coturnStarted(): void;
  /** Status keys of live allocations of all servers; undefined when that is too much work. */
  statusKeys(glob: Glob): string[] | undefined;
  /** Ends the session after the reply to this command. */
  quit(): void;
}

/** One command this server understands. */
export interface Command {
  /** How many arguments it takes, its name not counted. */
  readonly args: readonly [least: number, most: number];
  /** Allowed before the password. */
  readonly isOpen?: true;
  /** Sent by coturn, and seldom by anything else that only looks whether someone answers. */
  readonly isCoturn?: true;
  /** @returns the encoded reply; `args` are without the name */
  run(context: CommandContext, args: readonly string[]): string;
}

/** By name in lower case. */
export type CommandTable = ReadonlyMap<string, Command>;

/** Commands about the connection itself. */
export const CONNECTION_COMMANDS: readonly (readonly [string, Command])[] = [
  ['auth', { args: [1, 2], isOpen: true, run: auth }],
  ['hello', { args: [0, 16], isOpen: true, run: hello }],
  ['quit', { args: [0, Number.POSITIVE_INFINITY], isOpen: true, run: quit }],
  ['select', { args: [1, 1], isCoturn: true, run: select }],
  ['ping', { args: [0, 1], run: ping }],
  ['echo', { args: [1, 1], run: (_, [text = '']) => bulkReply(text) }],
  ['client', { args: [1, 16], run: client }],
];

const WRONG_PASSWORD = errorReply('WRONGPASS invalid username-password pair or user is disabled.');

/**
 * coturn 4.6.1 sends `AUTH ""` whether or not a password is configured, ignores the answer, but
 * waits for it. The user name of the two-argument form says nothing here: there is one password.
 */
function auth(context: CommandContext, args: readonly string[]): string {
  switch (context.authenticate(args.at(-1) ?? '')) {
    case 'ok':
      return OK;
    case 'wrong':
      return WRONG_PASSWORD;
    case 'not_needed':
      // Word for word: clients such as ioredis know this text and go on.
      return errorReply(
        'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
      );
  }
}

/** `HELLO [2 [AUTH user password] [SETNAME name]]`. RESP3 is refused, as a Redis before 6 does. */
function hello(context: CommandContext, args: readonly string[]): string {
  const [version = '2', ...options] = args;
  if (version !== '2') return errorReply('NOPROTO unsupported protocol version');
  for (let at = 0; at < options.length; ) {
    const option = options[at]?.toLowerCase();
    const [first, second] = options.slice(at + 1);
    if (option === 'auth' && second !== undefined) {
      if (context.authenticate(second) === 'wrong') return WRONG_PASSWORD;
      at += 3;
    } else if (option === 'setname' && first !== undefined) {
      context.clientName = printable(first);
      at += 2;
    } else {
      return errorReply(`ERR Syntax error in HELLO option '${printable(options[at] ?? '')}'`);
    }
  }
  if (!context.isAuthenticated) {
    return errorReply('NOAUTH HELLO must be called with the client already authenticated');
  }
  const fields = ['server', 'redis', 'version', REDIS_VERSION].map(bulkReply);
  fields.push(bulkReply('proto'), integerReply(2), bulkReply('id'), integerReply(context.id));
  fields.push(...['mode', 'standalone', 'role', 'master', 'modules'].map(bulkReply));
  return arrayReply([...fields, arrayReply([])]);
}

function quit(context: CommandContext): string {
  context.quit();
  return OK;
}

/** Any number is fine: there is one key space, whatever number the operator wrote down. */
function select(_: CommandContext, [index = '']: readonly string[]): string {
  return /^\d{1,9}$/.test(index) ? OK : errorReply('ERR invalid DB index');
}

function ping(_: CommandContext, [text]: readonly string[]): string {
  return text === undefined ? simpleReply('PONG') : bulkReply(text);
}

function client(context: CommandContext, args: readonly string[]): string {
  const [subcommand = '', name = ''] = args;
  switch (subcommand.toLowerCase()) {
    case 'setname':
      context.clientName = printable(name);
      return OK;
    case 'setinfo':
      return OK;
    case 'getname':
      return context.clientName === '' ? NULL_BULK : bulkReply(context.clientName);
    case 'id':
      return integerReply(context.id);
    // Only the asking connection: others are none of its business.
    case 'list':
    case 'info':
      return bulkReply(`id=${context.id} addr=${context.peer} name=${context.clientName} db=0\n`);
    default:
      return errorReply(`ERR unknown subcommand '${printable(subcommand)}'. Try CLIENT HELP.`);
  }
}

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

/** The version shown to clients that ask; they only check that it is not ancient. */
export const REDIS_VERSION = '7.0.0';

/** Commands by which tools get to know a server. */
export const SERVER_COMMANDS: readonly (readonly [string, Command])[] = [
  ['info', { args: [0, 16], run: info }],
  ['command', { args: [0, Number.POSITIVE_INFINITY], run: command }],
  ['config', { args: [1, Number.POSITIVE_INFINITY], run: config }],
];

/** `loading:0` and `role:master` are what ioredis, Sentinel and health checks look for. */
function info(): string {
  const lines = [
    '# Server',
    `redis_version:${REDIS_VERSION}`,
    'redis_mode:standalone',
    'coturn_exporter:1',
    '',
    '# Persistence',
    'loading:0',
    '',
    '# Replication',
    'role:master',
    'connected_slaves:0',
    '',
  ];
  return bulkReply(lines.join('\r\n'));
}

/** `redis-cli` asks for `COMMAND DOCS` at its start and is content with none. */
function command(_: CommandContext, [subcommand = '']: readonly string[]): string {
  return subcommand.toLowerCase() === 'count' ? integerReply(0) : EMPTY_ARRAY;
}

/** `redis-benchmark` asks for `CONFIG GET save`. */
function config(_: CommandContext, [subcommand = '']: readonly string[]): string {
  if (subcommand.toLowerCase() === 'get') return EMPTY_ARRAY;
  return errorReply(`ERR unknown subcommand '${printable(subcommand)}'. Try CONFIG HELP.`);
}

/** All commands that are understood: what coturn sends, and what redis-cli and checks need. */
export const COMMANDS: CommandTable = new Map([
  ...CONNECTION_COMMANDS,
  ...DATA_COMMANDS,
  ...SERVER_COMMANDS,
]);

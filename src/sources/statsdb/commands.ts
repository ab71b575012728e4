import { STATUS_KEYS_PATTERN } from '../../coturn/patterns.ts';
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

/** What a command may do: the view it has of the client that sent it. */
export interface Caller {
  /** Number of the connection, from 1. */
  readonly id: number;
  /** `address:port` of the peer. */
  readonly peer: string;
  /** As set by `CLIENT SETNAME`; empty when not set. */
  clientName: string;
  /** False until the password came, if one is set. */
  readonly isAuthenticated: boolean;
  /** Takes a password, and the user that came with it; `not_needed` when none is set. */
  authenticate(password: string, user?: string): 'ok' | 'wrong' | 'not_needed';
  /** Hands a message to the sink. */
  receive(key: string, payload: string): void;
  /** Notes that a coturn process has just started at the peer's address. */
  coturnStarted(): void;
  /** Status keys of live allocations of all servers; undefined when there are too many to list. */
  statusKeys(): string[] | undefined;
  /** Ends the connection after the reply to this command. */
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
  run(caller: Caller, args: readonly string[]): string;
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
 * waits for it. Since 4.6.3 it may send a user as well (`user=`).
 */
function auth(caller: Caller, args: readonly string[]): string {
  const [password = '', user] = args.toReversed();
  switch (caller.authenticate(password, user)) {
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
function hello(caller: Caller, args: readonly string[]): string {
  const [version = '2', ...options] = args;
  if (version !== '2') return errorReply('NOPROTO unsupported protocol version');
  for (let at = 0; at < options.length; ) {
    const option = options[at]?.toLowerCase();
    const [first, second] = options.slice(at + 1);
    if (option === 'auth' && second !== undefined) {
      if (caller.authenticate(second, first) === 'wrong') return WRONG_PASSWORD;
      at += 3;
    } else if (option === 'setname' && first !== undefined) {
      caller.clientName = printable(first);
      at += 2;
    } else {
      return errorReply(`ERR Syntax error in HELLO option '${printable(options[at] ?? '')}'`);
    }
  }
  if (!caller.isAuthenticated) {
    return errorReply('NOAUTH HELLO must be called with the client already authenticated');
  }
  const fields = ['server', 'redis', 'version', REDIS_VERSION].map(bulkReply);
  fields.push(bulkReply('proto'), integerReply(2), bulkReply('id'), integerReply(caller.id));
  fields.push(...['mode', 'standalone', 'role', 'master', 'modules'].map(bulkReply));
  return arrayReply([...fields, arrayReply([])]);
}

function quit(caller: Caller): string {
  caller.quit();
  return OK;
}

/** Any number is fine: there is one key space, whatever number the operator wrote down. */
function select(_: Caller, [index = '']: readonly string[]): string {
  return /^\d{1,9}$/.test(index) ? OK : errorReply('ERR invalid DB index');
}

function ping(_: Caller, [text]: readonly string[]): string {
  return text === undefined ? simpleReply('PONG') : bulkReply(text);
}

function client(caller: Caller, args: readonly string[]): string {
  const [subcommand = '', name = ''] = args;
  switch (subcommand.toLowerCase()) {
    case 'setname':
      caller.clientName = printable(name);
      return OK;
    case 'setinfo':
      return OK;
    case 'getname':
      return caller.clientName === '' ? NULL_BULK : bulkReply(caller.clientName);
    case 'id':
      return integerReply(caller.id);
    // Only the asking connection: others are none of its business.
    case 'list':
    case 'info':
      return bulkReply(`id=${caller.id} addr=${caller.peer} name=${caller.clientName} db=0\n`);
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
];

const OTHER_PATTERN = errorReply('ERR only the pattern * is understood here');
const TOO_MANY_KEYS = errorReply('ERR too many keys to list here, see /metrics');

/** coturn sends `DEL <key> ""`. */
function del(_: Caller, args: readonly string[]): string {
  return integerReply(args.filter((key) => key !== '').length);
}

/** Only inline and odd ones come this way; see `StatsdbClient.messageInPlace`. */
function publish(caller: Caller, [key = '', payload = '']: readonly string[]): string {
  caller.receive(key, payload);
  return integerReply(1);
}

/**
 * A starting coturn would delete every key it is told, one by one, waiting for each reply: it gets
 * none, and what was live at its address is suspect (design, rule 7). A person with redis-cli may
 * list all of them.
 */
function keys(caller: Caller, [pattern = '']: readonly string[]): string {
  if (pattern === STATUS_KEYS_PATTERN) {
    caller.coturnStarted();
    return EMPTY_ARRAY;
  }
  if (pattern !== '*') return OTHER_PATTERN;
  const found = caller.statusKeys();
  return found === undefined ? TOO_MANY_KEYS : arrayReply(found.map(bulkReply));
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
function command(_: Caller, [subcommand = '']: readonly string[]): string {
  return subcommand.toLowerCase() === 'count' ? integerReply(0) : EMPTY_ARRAY;
}

/** `redis-benchmark` asks for `CONFIG GET save`. */
function config(_: Caller, [subcommand = '']: readonly string[]): string {
  if (subcommand.toLowerCase() === 'get') return EMPTY_ARRAY;
  return errorReply(`ERR unknown subcommand '${printable(subcommand)}'. Try CONFIG HELP.`);
}

/** All commands that are understood: what coturn sends, and what redis-cli and checks need. */
export const COMMANDS: CommandTable = new Map([
  ...CONNECTION_COMMANDS,
  ...DATA_COMMANDS,
  ...SERVER_COMMANDS,
]);

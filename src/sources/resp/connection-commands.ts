import type { Command, CommandContext } from './command.ts';
import {
  arrayReply,
  bulkReply,
  errorReply,
  integerReply,
  NULL_BULK,
  OK,
  printable,
  simpleReply,
} from './reply.ts';
import { REDIS_VERSION } from './server-commands.ts';

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

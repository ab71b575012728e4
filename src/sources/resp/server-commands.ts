import type { Command, CommandContext } from './command.ts';
import { bulkReply, EMPTY_ARRAY, errorReply, integerReply, printable } from './reply.ts';

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

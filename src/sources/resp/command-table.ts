import type { CommandTable } from './command.ts';
import { CONNECTION_COMMANDS } from './connection-commands.ts';
import { DATA_COMMANDS } from './data-commands.ts';
import { SERVER_COMMANDS } from './server-commands.ts';

/** All commands that are understood: what coturn sends, and what redis-cli and checks need. */
export const COMMANDS: CommandTable = new Map([
  ...CONNECTION_COMMANDS,
  ...DATA_COMMANDS,
  ...SERVER_COMMANDS,
]);

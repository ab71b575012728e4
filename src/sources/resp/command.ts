import type { Glob } from './glob.ts';

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

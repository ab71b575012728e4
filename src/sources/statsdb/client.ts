import type { WireMessage } from '../../coturn/delta.ts';
import type { Origin } from '../../domain/origin.ts';
import type { ConnectedServer } from '../../domain/servers.ts';
import { type CommandHandler, createCommandReader } from '../resp/commands.ts';
import {
  COMMAND_LIMITS,
  type ProtocolError,
  protocolErrorText,
  UNAUTHENTICATED_LIMITS,
} from '../resp/limits.ts';
import type { RespReader } from '../resp/reader.ts';
import type { MessageSink } from '../source.ts';
import { type Caller, COMMANDS } from './commands.ts';
import type { Logins } from './logins.ts';
import { errorReply, printable, type ReplyBatch } from './reply-batch.ts';

/** What a client needs of the server it is connected to. */
export interface ClientOptions {
  /** Number of the connection, from 1. */
  readonly id: number;
  /** `address:port` of the peer. */
  readonly peer: string;
  readonly sink: MessageSink;
  readonly replies: ReplyBatch;
  /** What the peer must send before anything counts. */
  readonly logins: Logins;
  /** Gives the key space of the coturn; called once, at the first message. */
  readonly openOrigin: () => Origin;
  /** Those opened so far by all clients of the server. */
  readonly origins: () => Iterable<Origin>;
  /** Hears once that the peer is a coturn; gives what hears of its messages. */
  readonly onCoturn: () => ConnectedServer;
  /** Hears that a coturn process has started in a key space. */
  readonly onCoturnStarted: (origin: Origin, nowMs: number) => void;
  /** Hears of each wrong password, and of the server whose name came with it. */
  readonly onWrongPassword: (server: string | undefined) => void;
}

/** How a connection ended, seen from the protocol. */
export type ClientEnd =
  | { readonly kind: 'quit' }
  | { readonly kind: 'refused'; readonly reason: ProtocolError | 'wrong_password' };

/** Wrong passwords after which a connection is closed: coturn has one, and does not guess. */
export const MAX_WRONG_PASSWORDS = 3;

/**
 * Keys that are looked at for the commands of one chunk, about 1 MB of replies: people look at
 * fewer, and `/metrics` has the numbers. It keeps a person with redis-cli from stopping the events.
 */
const MAX_LISTED_KEYS = 10_000;

const NO_AUTH = errorReply('NOAUTH Authentication required.');

/** One connection of a Redis client, without the socket: chunks in, messages and replies out. */
export class StatsdbClient implements Caller, CommandHandler {
  clientName = '';
  readonly #options: ClientOptions;
  readonly #sink: MessageSink;
  readonly #replies: ReplyBatch;
  readonly #reader: RespReader;
  #isAuthenticated: boolean;
  #server: string | undefined;
  /** Set when the peer has shown that it is a coturn; it is nobody else from then on. */
  #health: ConnectedServer | undefined;
  #wasHeard = false;
  /** Set by the first message; before it `messageInPlace` declines, so it need not check more. */
  #origin: Origin | undefined;
  #hasPublished = false;
  #end: ClientEnd | undefined;
  #nowMs = 0;
  #wrongPasswords = 0;
  /** Keys that may still be looked at for the commands of this chunk. */
  #keyBudget = MAX_LISTED_KEYS;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#sink = options.sink;
    this.#replies = options.replies;
    this.#isAuthenticated = !options.logins.areNeeded;
    const limits = this.#isAuthenticated ? COMMAND_LIMITS : UNAUTHENTICATED_LIMITS;
    this.#reader = createCommandReader(this, limits);
  }

  get id(): number {
    return this.#options.id;
  }

  get peer(): string {
    return this.#options.peer;
  }

  get isAuthenticated(): boolean {
    return this.#isAuthenticated;
  }

  /** Whether an authenticated peer has sent what coturn sends and health checks do not. */
  get isCoturn(): boolean {
    return this.#health !== undefined;
  }

  /** The name of the coturn, if it has a password of its own and sent it. */
  get server(): string | undefined {
    return this.#server;
  }

  /** Whether messages came from it. */
  get hasPublished(): boolean {
    return this.#hasPublished;
  }

  /** Whether it has shown that it is no mere crowd: by the password, or without one by a message. */
  get hasProved(): boolean {
    return this.#options.logins.areNeeded ? this.#isAuthenticated : this.#hasPublished;
  }

  /** How many wrong passwords came. */
  get wrongPasswords(): number {
    return this.#wrongPasswords;
  }

  /** The key space of the peer if messages came from it. */
  get publishingOrigin(): Origin | undefined {
    return this.#hasPublished ? this.#origin : undefined;
  }

  /** Bytes of an unfinished command that are held. */
  get pendingBytes(): number {
    return this.#reader.pendingBytes;
  }

  /**
   * Takes what arrived and writes the replies to it.
   *
   * @returns how the connection ended; undefined while it goes on. Bytes behind the end are ignored
   */
  take(chunk: Buffer, nowMs: number): ClientEnd | undefined {
    if (this.#end !== undefined) return this.#end;
    this.#nowMs = nowMs;
    this.#keyBudget = MAX_LISTED_KEYS;
    this.#wasHeard = false;
    const reason = this.#reader.push(chunk);
    if (this.#wasHeard) this.#health?.hear(nowMs);
    if (reason !== undefined && this.#end === undefined) {
      this.#replies.add(errorReply(protocolErrorText(reason)));
      this.#end = { kind: 'refused', reason };
    }
    this.#replies.flush();
    return this.#end;
  }

  messageInPlace(message: WireMessage): boolean {
    const origin = this.#origin;
    if (origin === undefined || !this.#hasPublished || this.#end !== undefined) return false;
    if (!this.#sink.receiveDelta(origin, message, this.#nowMs)) return false;
    this.#wasHeard = true;
    this.#replies.addOne();
    return true;
  }

  message(key: string, payload: string): void {
    if (this.#end !== undefined) return;
    if (!this.#isAuthenticated) {
      this.#replies.add(NO_AUTH);
      return;
    }
    this.receive(key, payload);
    this.#replies.addOne();
  }

  command(args: readonly string[]): void {
    if (this.#end === undefined) this.#replies.add(this.#run(args));
  }

  authenticate(password: string, user?: string): 'ok' | 'wrong' | 'not_needed' {
    const { logins, onWrongPassword } = this.#options;
    if (!logins.areNeeded) return 'not_needed';
    const identity = logins.identify(password, user);
    if (identity === undefined || (this.isCoturn && identity.server !== this.#server)) {
      onWrongPassword(logins.isServer(user) ? user : undefined);
      this.#wrongPasswords += 1;
      if (!this.#isAuthenticated && this.#wrongPasswords >= MAX_WRONG_PASSWORDS) {
        this.#end = { kind: 'refused', reason: 'wrong_password' };
      }
      return 'wrong';
    }
    this.#isAuthenticated = true;
    this.#server = identity.server;
    this.#reader.limits = COMMAND_LIMITS;
    return 'ok';
  }

  receive(key: string, payload: string): void {
    this.#noteCoturn();
    this.#hasPublished = true;
    this.#wasHeard = true;
    this.#sink.receive(this.#openOrigin(), key, payload, this.#nowMs);
  }

  coturnStarted(): void {
    this.#noteCoturn();
    this.#options.onCoturnStarted(this.#openOrigin(), this.#nowMs);
  }

  statusKeys(): string[] | undefined {
    // Nobody would read it.
    if (this.#replies.isMuted) return [];
    const found: string[] = [];
    for (const origin of this.#options.origins()) {
      // Every entry that is looked at counts, also one that is not listed.
      for (const key of this.#sink.statusKeys(origin)) {
        this.#keyBudget -= 1;
        if (this.#keyBudget < 0) return undefined;
        if (key !== undefined) found.push(key);
      }
    }
    return found;
  }

  quit(): void {
    this.#end = { kind: 'quit' };
  }

  #run(args: readonly string[]): string {
    const [sent = '', ...rest] = args;
    const name = sent.toLowerCase();
    const command = COMMANDS.get(name);
    if (!this.#isAuthenticated && command?.isOpen !== true) return NO_AUTH;
    if (command === undefined) return errorReply(`ERR unknown command '${printable(sent)}'`);
    const [least, most] = command.args;
    if (rest.length < least || rest.length > most) {
      return errorReply(`ERR wrong number of arguments for '${name}' command`);
    }
    if (command.isCoturn === true) this.#noteCoturn();
    return command.run(this, rest);
  }

  #openOrigin(): Origin {
    this.#origin ??= this.#options.openOrigin();
    return this.#origin;
  }

  #noteCoturn(): void {
    this.#health ??= this.#options.onCoturn();
  }
}

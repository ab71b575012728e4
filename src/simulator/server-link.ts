import type { ServerOutput } from '../cli/simulate.ts';
import { Connection } from './connection.ts';
import type { Flavour } from './flavour.ts';
import type { Target } from './start-fleet.ts';
import { deleteStatusKeys } from './start-up.ts';
import { authCommand, encodeCommand, encodePair } from './wire.ts';

/** Which server a {@link ServerLink} speaks for. */
export interface LinkSettings {
  readonly target: Target;
  /** The server's own address; its connections come from there. */
  readonly address: string;
  readonly flavour: Flavour;
  readonly relayThreads: number;
}

/** What was not delivered. */
export interface Losses {
  /** Events that could not be sent. */
  readonly lostEvents: number;
  /** Connections that the other side broke; each may have cost more. */
  readonly breaks: number;
}

/**
 * The connections of one simulated server to its statsdb: one for each relay thread and one of the
 * listener. A crash ends them, and a new start waits until the other side has read them to the end,
 * so that no message of the old process comes after one of the new.
 */
export class ServerLink implements ServerOutput {
  readonly #settings: LinkSettings;
  #connections: Connection[];
  readonly #formerLosses = { lostEvents: 0, breaks: 0 };
  #change: Promise<void> | undefined;
  #opened: Promise<void> | undefined;

  constructor(settings: LinkSettings) {
    this.#settings = settings;
    this.#connections = this.#createConnections();
  }

  /** Events that were not delivered, over all connections so far. */
  get losses(): Losses {
    return sumLosses([this.#formerLosses, ...this.#connections]);
  }

  /** Connects for the first time. @throws {Error} when nobody listens or the login is refused */
  open(): Promise<void> {
    this.#opened ??= this.#start();
    return this.#opened;
  }

  /** Sends what was said so far; resolves when more may be said without filling up memory. */
  async flush(): Promise<void> {
    await this.#change;
    await Promise.all(this.#connections.map((connection) => connection.flush()));
  }

  /** Sends the rest and disconnects; resolves when the other side has read everything. */
  async close(): Promise<void> {
    await this.#change;
    await Promise.all(this.#connections.map((connection) => connection.close()));
  }

  set(thread: number, key: string, text: string): void {
    this.#connections[thread]?.add(encodePair('set', key, text), 0);
  }

  delete(thread: number, key: string): void {
    this.#connections[thread]?.add(encodeCommand(['del', key, '']), 0);
  }

  publish(thread: number, channel: string, text: string): void {
    this.#connections[thread]?.add(encodePair('publish', channel, text), 1);
  }

  stopped(): void {
    const old = this.#connections;
    this.#connections = this.#createConnections();
    this.#queue(async () => {
      await Promise.all(old.map((connection) => connection.close()));
      Object.assign(this.#formerLosses, sumLosses([this.#formerLosses, ...old]));
    });
  }

  started(): void {
    // A coturn whose statsdb is away starts nevertheless; its connections try again by themselves.
    this.#queue(() => this.#start().catch(() => undefined));
  }

  #queue(step: () => Promise<void>): void {
    this.#change = (this.#change ?? Promise.resolve()).then(step);
  }

  async #start(): Promise<void> {
    const { target, address, flavour } = this.#settings;
    const connections = this.#connections;
    await deleteStatusKeys(target, { localAddress: address, flavour });
    await Promise.all(connections.map((connection) => connection.open()));
  }

  #createConnections(): Connection[] {
    const { target, address, flavour, relayThreads } = this.#settings;
    const auth = authCommand(target, flavour);
    const select = encodeCommand(['SELECT', String(target.db)]);
    const greeting = auth.length > 0 ? encodeCommand(auth) + select : select;
    const settings = { target, localAddress: address, greeting };
    return Array.from({ length: relayThreads + 1 }, () => new Connection(settings));
  }
}

/** All losses together. */
export function sumLosses(losses: readonly Losses[]): Losses {
  return {
    lostEvents: losses.reduce((sum, { lostEvents }) => sum + lostEvents, 0),
    breaks: losses.reduce((sum, { breaks }) => sum + breaks, 0),
  };
}

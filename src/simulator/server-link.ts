import type { Socket } from 'node:net';
import type { Flavour } from './fleet-options.ts';
import type { ServerOutput } from './server.ts';
import {
  authCommand,
  connectTo,
  deleteStatusKeys,
  encodeCommand,
  encodePair,
  type Target,
} from './wire.ts';

/** Which server a {@link ServerLink} speaks for. */
interface LinkSettings {
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

/** How to open a {@link Connection}. */
interface ConnectionSettings {
  readonly target: Target;
  /** The address to connect from; see {@link connectTo}. */
  readonly localAddress: string;
  /** Sent whenever the connection is new, without waiting for answers. */
  readonly greeting: string;
}

/** How long coturn lets pass before it tries again, in ms; real ones try at every event. */
const RETRY_MS = 500;
const CLOSE_TIMEOUT_MS = 10_000;

/**
 * One asynchronous connection of a coturn thread to its statsdb. Commands are gathered and written
 * in one piece by {@link Connection.flush}; answers are read and thrown away. A broken connection
 * is opened again when there is something to say, and what cannot be sent is lost, as with coturn.
 */
class Connection {
  readonly #settings: ConnectionSettings;
  #socket: Socket | undefined;
  #gathered = '';
  #gatheredEvents = 0;
  #lostEvents = 0;
  #breaks = 0;
  #triedMs = Number.NEGATIVE_INFINITY;
  #wake: (() => void) | undefined;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
  }

  /** Events that were never sent, since nobody was there. */
  get lostEvents(): number {
    return this.#lostEvents;
  }

  /** How often the other side broke the connection; each may have cost events that were sent. */
  get breaks(): number {
    return this.#breaks;
  }

  /** Connects; rejects when that is not possible. */
  async open(): Promise<void> {
    const socket = await connectTo(this.#settings.target, this.#settings.localAddress);
    socket.on('error', () => socket.destroy());
    socket.on('drain', () => this.#wake?.());
    socket.on('close', () => this.#closed(socket));
    socket.resume();
    socket.write(this.#settings.greeting);
    this.#socket = socket;
  }

  /** Gathers one encoded command. */
  add(command: string, events: number): void {
    this.#gathered += command;
    this.#gatheredEvents += events;
  }

  /** Writes what was gathered; resolves when the other side has taken enough of it to go on. */
  async flush(): Promise<void> {
    if (this.#gathered === '') return;
    if (this.#socket === undefined) await this.#reopen();
    const text = this.#gathered;
    const events = this.#gatheredEvents;
    this.#gathered = '';
    this.#gatheredEvents = 0;
    if (this.#socket === undefined) this.#lostEvents += events;
    else if (!this.#socket.write(text)) await this.#drained();
  }

  /** Ends the connection after all that was written; resolves when the other side has read it. */
  async close(): Promise<void> {
    await this.flush();
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket === undefined) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      socket.end();
    });
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  async #reopen(): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - this.#triedMs < RETRY_MS) return;
    this.#triedMs = nowMs;
    try {
      await this.open();
    } catch {
      // Nobody there: as with coturn, what there was to say is lost and the next event tries again.
    }
  }

  #closed(socket: Socket): void {
    if (this.#socket === socket) {
      this.#socket = undefined;
      this.#breaks += 1;
    }
    this.#wake?.();
  }
}

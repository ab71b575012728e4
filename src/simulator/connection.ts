import { connect, type Socket } from 'node:net';
import { platform } from 'node:os';
import type { Target } from './start-fleet.ts';

/** How to open a {@link Connection}. */
export interface ConnectionSettings {
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
export class Connection {
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

/**
 * A connected socket. To a statsdb on loopback it comes from `localAddress`, so that a listener sees
 * as many servers as there are (Linux has all of 127.0.0.0/8; elsewhere the system chooses).
 */
export function connectTo(target: Target, localAddress: string): Promise<Socket> {
  const { host, port } = target.address;
  const isLoopback = host === 'localhost' || host.startsWith('127.');
  const canChoose = target.kind === 'statsdb' && isLoopback && platform() === 'linux';
  const from = canChoose ? { localAddress, family: 4 } : {};
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, ...from });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Defer } from './cleanup.ts';
import { allocationKey, payloadOf, statusOf, traffic } from './coturn-message.ts';

/** Allocations that are announced together. */
const SLICE = 2_000;

/** One coturn that has very many users, and says so to an embedded statsdb as fast as that reads. */
export class Crowd {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Connects to the statsdb on `port`. */
  static async connect(defer: Defer, port: number): Promise<Crowd> {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('error', () => undefined).resume();
    defer(() => void socket.destroy());
    await once(socket, 'connect');
    return new Crowd(socket);
  }

  /**
   * `count` allocations, each with 1000 bytes both ways.
   *
   * @param options.users who hold them; each one by default
   */
  async begin(
    count: number,
    { lifetime = 600, users = count }: { lifetime?: number; users?: number } = {},
  ): Promise<void> {
    const status = statusOf('new', { lifetime });
    const delta = payloadOf(traffic(10, 1000, 10, 1000));
    await this.#write(count, (number) => {
      const key = allocationKey(`user${number % users}`, number + 1);
      const traffics = publish(`${key}/traffic`, delta) + publish(`${key}/traffic/peer`, delta);
      return publish(`${key}/status`, status) + traffics;
    });
  }

  /** The ends of the first `count`, each of a user of its own. */
  async end(count: number): Promise<void> {
    await this.#write(count, (number) =>
      publish(`${allocationKey(`user${number}`, number + 1)}/status`, 'deleted'),
    );
  }

  async #write(count: number, textOf: (number: number) => string): Promise<void> {
    for (let start = 0; start < count; start += SLICE) {
      let text = '';
      for (let at = start; at < Math.min(count, start + SLICE); at += 1) text += textOf(at);
      if (!this.#socket.write(text)) await once(this.#socket, 'drain');
    }
  }
}

function publish(key: string, payload: string): string {
  return `*3\r\n$7\r\nPUBLISH\r\n$${key.length}\r\n${key}\r\n$${payload.length}\r\n${payload}\r\n`;
}

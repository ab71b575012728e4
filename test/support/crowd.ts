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

  /** A session of one allocation for each of `count` users, each with 1000 bytes both ways. */
  async begin(count: number, lifetime = 600): Promise<void> {
    const status = statusOf('new', { lifetime });
    const delta = payloadOf(traffic(10, 1000, 10, 1000));
    for (let start = 0; start < count; start += SLICE) {
      let text = '';
      for (let user = start; user < Math.min(count, start + SLICE); user += 1) {
        const key = allocationKey(`user${user}`, user + 1);
        text += publish(`${key}/status`, status);
        text += publish(`${key}/traffic`, delta) + publish(`${key}/traffic/peer`, delta);
      }
      if (!this.#socket.write(text)) await once(this.#socket, 'drain');
    }
  }
}

function publish(key: string, payload: string): string {
  return `*3\r\n$7\r\nPUBLISH\r\n$${key.length}\r\n${key}\r\n$${payload.length}\r\n${payload}\r\n`;
}

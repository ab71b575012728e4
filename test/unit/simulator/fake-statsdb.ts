import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Target } from '../../../src/simulator/wire.ts';

/** One connection as the fake saw it. */
export interface SeenConnection {
  readonly from: string;
  readonly commands: string[][];
  /** When it opened and when it ended, as numbers in order. */
  readonly openedAt: number;
  endedAt: number | undefined;
}

const COMMAND = /\*(\d+)\r\n((?:\$\d+\r\n[^\r]*\r\n)*)/y;

/** A listener that answers as a Redis without a password would, and remembers what was said. */
export class FakeStatsdb {
  readonly connections: SeenConnection[] = [];
  /** What KEYS answers. */
  keys: readonly string[] = [];
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #moment = 0;
  #port = 0;

  async start(): Promise<void> {
    const server = createServer({ allowHalfOpen: false }, (socket) => this.#accept(socket));
    this.#server = server;
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    // A TCP server's address is an object.
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Stops reading, or goes on. */
  pause(isPaused: boolean): void {
    for (const socket of this.#sockets) {
      if (isPaused) socket.pause();
      else socket.resume();
    }
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  get target(): Target {
    return { kind: 'statsdb', address: { host: '127.0.0.1', port: this.#port }, db: 0 };
  }

  /** All commands with this name, whatever the connection. */
  commands(name: string): string[][] {
    const all = this.connections.flatMap(({ commands }) => commands);
    return all.filter(([first]) => first?.toLowerCase() === name);
  }

  #accept(socket: Socket): void {
    const from = socket.remoteAddress ?? '';
    this.#moment += 1;
    const openedAt = this.#moment;
    const seen: SeenConnection = { from, commands: [], openedAt, endedAt: undefined };
    this.connections.push(seen);
    this.#sockets.add(socket);
    let input = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      input = this.#read(input + chunk, seen, socket);
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#moment += 1;
      seen.endedAt = this.#moment;
    });
  }

  /** Takes whole commands, answers them, and gives what is left. */
  #read(input: string, seen: SeenConnection, socket: Socket): string {
    let at = 0;
    for (;;) {
      COMMAND.lastIndex = at;
      const [, count, body = ''] = COMMAND.exec(input) ?? [];
      const parts = [...body.matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map(([, part = '']) => part);
      if (count === undefined || parts.length < Number(count)) return input.slice(at);
      at = COMMAND.lastIndex;
      seen.commands.push(parts);
      socket.write(this.#answer(parts), 'latin1');
    }
  }

  #answer([name = '', argument]: string[]): string {
    switch (name.toLowerCase()) {
      case 'auth':
        return argument === '' ? '-ERR AUTH without password\r\n' : '+OK\r\n';
      case 'keys':
        return `*${this.keys.length}\r\n${this.keys.map((key) => `$${key.length}\r\n${key}\r\n`).join('')}`;
      case 'publish':
      case 'del':
        return ':1\r\n';
      default:
        return '+OK\r\n';
    }
  }
}

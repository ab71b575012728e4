import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const PAYLOAD = 'rcvp=2048, rcvb=354304, sentp=2048, sentb=356352';
/** Commands in one write, as a busy coturn's socket buffer would hold them. */
const BATCH = 500;
/** The most users whose messages are kept, a multiple of half a batch. */
const MAX_KNOWN = 5_000;

/** The key of a user's allocation, without a topic. */
export function allocationKey(user: number): string {
  const id = String(1_000_000_000_000_000 + user).padStart(18, '0');
  return `turn/realm/example.org/user/1795306257:user${user}/allocation/${id}`;
}

/** The first status of a user's allocation. */
export function newStatus(user: number): string {
  const address = `10.${(user >> 16) & 255}.${(user >> 8) & 255}.${user & 255}`;
  return `new lifetime=3600, type=UDP, local=192.0.2.1:3478, remote=${address}:50000, ssl=NONE, cipher=NONE`;
}

/** One delta, of the client side and the peer side in turn, of users in a scattered order. */
export function delta(number: number, users: number): { key: string; payload: string } {
  const user = ((number >> 1) * 7919) % users;
  const topic = number % 2 === 0 ? 'traffic' : 'traffic/peer';
  return { key: `${allocationKey(user)}/${topic}`, payload: PAYLOAD };
}

/** A message as coturn writes it. */
export function command({ key, payload }: { key: string; payload: string }): string {
  return `*3\r\n$7\r\npublish\r\n$${key.length}\r\n${key}\r\n$${payload.length}\r\n${payload}\r\n`;
}

/** A coturn, as far as a statsdb knows it. */
export class Publisher {
  readonly #socket: Socket;
  #replies = 0;
  #heard: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      for (const byte of chunk) if (byte === 10) this.#replies += 1;
      this.#heard?.();
    });
  }

  /** Connects to a Redis, or to what takes the place of one. */
  static async connect(port: number): Promise<Publisher> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new Publisher(socket);
  }

  /** Publishes a status for each user. */
  async begin(users: number): Promise<void> {
    const status = (user: number): string =>
      command({ key: `${allocationKey(user)}/status`, payload: newStatus(user) });
    await this.#send(users, (begin, end) => textOf(begin, end, status));
  }

  /** Publishes deltas of `users` users. */
  async report(count: number, users: number): Promise<void> {
    // They repeat themselves, and to make them anew would take longer than to read them.
    const known = new Map<number, Buffer>();
    await this.#send(count, (begin, end) => {
      const place = begin % (2 * users);
      const bytes =
        known.get(place) ?? textOf(begin, end, (number) => command(delta(number, users)));
      if (users <= MAX_KNOWN) known.set(place, bytes);
      return bytes;
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Resolves when every message has its reply. */
  async #send(count: number, batch: (begin: number, end: number) => Buffer): Promise<void> {
    const expected = this.#replies + count;
    for (let begin = 0; begin < count; begin += BATCH) {
      const bytes = batch(begin, Math.min(begin + BATCH, count));
      if (!this.#socket.write(bytes)) await once(this.#socket, 'drain');
    }
    while (this.#replies < expected) {
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }
}

function textOf(begin: number, end: number, message: (number: number) => string): Buffer {
  const messages = Array.from({ length: end - begin }, (_, at) => message(begin + at));
  return Buffer.from(messages.join(''));
}

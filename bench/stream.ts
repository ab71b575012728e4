import { connect } from 'node:net';

/** How many users hold an allocation each. */
export const USERS = 5_000;

const PAYLOAD = 'rcvp=2048, rcvb=354304, sentp=2048, sentb=356352';
/** Commands in one write, as a busy coturn's socket buffer would hold them. */
const BATCH = 500;

/** The key of a user's allocation, without a topic. */
export function allocationKey(user: number): string {
  const id = String(1_000_000_000_000_000 + user).padStart(18, '0');
  return `turn/realm/example.org/user/1795306257:user${user}/allocation/${id}`;
}

/** The first status of a user's allocation. */
export function newStatus(user: number): string {
  const address = `10.${(user >> 16) & 255}.${(user >> 8) & 255}.${user & 255}`;
  return `new lifetime=600, type=UDP, local=192.0.2.1:3478, remote=${address}:50000, ssl=NONE, cipher=NONE`;
}

/** One delta, of the client side and the peer side in turn, of users in a scattered order. */
export function delta(number: number, users: number): { key: string; payload: string } {
  const user = ((number >> 1) * 7919) % users;
  const topic = number % 2 === 0 ? 'traffic' : 'traffic/peer';
  return { key: `${allocationKey(user)}/${topic}`, payload: PAYLOAD };
}

/** Publishes a status for each user, then `count` deltas, and waits for every reply. */
export async function publish(port: number, count: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  let replies = 0;
  let finished = (): void => undefined;
  const done = new Promise<void>((resolve) => {
    finished = resolve;
  });
  socket.on('data', (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 10) replies += 1;
    if (replies >= USERS + count) finished();
  });
  for (const batch of batches(count)) {
    if (!socket.write(batch)) await new Promise((resolve) => socket.once('drain', resolve));
  }
  await done;
  socket.destroy();
}

function* batches(count: number): Generator<string> {
  let text = '';
  for (let number = 0; number < USERS + count; number += 1) {
    const { key, payload } =
      number < USERS
        ? { key: `${allocationKey(number)}/status`, payload: newStatus(number) }
        : delta(number - USERS, USERS);
    text += `*3\r\n$7\r\npublish\r\n$${key.length}\r\n${key}\r\n$${payload.length}\r\n${payload}\r\n`;
    if (number % BATCH === 0) {
      yield text;
      text = '';
    }
  }
  yield text;
}

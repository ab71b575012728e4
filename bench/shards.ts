import { SourceStats } from '../src/domain/source-stats.ts';
import { Tracker } from '../src/domain/tracker.ts';
import { createReplyReader } from '../src/sources/resp/replies.ts';
import { allocationKey, delta, newStatus, USERS } from './stream.ts';

const MESSAGES = 300_000;
const ROUNDS = 9;
const CHUNK_BYTES = 64 * 1024;

/** Processor time of one of three replicas against one that accounts for everybody. */
export function benchShards(): string {
  const whole = cost(1);
  const third = cost(3);
  return `shards: ${whole.toFixed(0)} ns a message for all users, ${third.toFixed(0)} ns for a third of them: ${((third / whole) * 100).toFixed(0)} %`;
}

function cost(total: number): number {
  const tracker = new Tracker({
    groupBy: 'user',
    lingerMs: 5000,
    userName: (username) => username.slice(username.indexOf(':') + 1),
    newSessionId: () => '',
    maxUsers: USERS,
    maxRealms: 1000,
    shard: { index: 0, total },
  });
  const origin = tracker.openOrigin(new SourceStats('bench', 'status'), 'bench');
  const reader = createReplyReader({
    messageInPlace: (message) => tracker.receiveDelta(origin, message, 2000),
    message: (key, payload) => tracker.receive(origin, key, payload, 2000),
    other: () => undefined,
  });
  for (let user = 0; user < USERS; user += 1) {
    reader.push(Buffer.from(message(`${allocationKey(user)}/status`, newStatus(user))));
  }
  const text = Array.from({ length: MESSAGES }, (_, number) => {
    const { key, payload } = delta(number, USERS);
    return message(key, payload);
  });
  const bytes = Buffer.from(text.join(''));
  const rounds = Array.from({ length: ROUNDS }, () => {
    const before = process.cpuUsage();
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      reader.push(bytes.subarray(at, at + CHUNK_BYTES));
    }
    const { user, system } = process.cpuUsage(before);
    return ((user + system) * 1000) / MESSAGES;
  });
  return Math.min(...rounds);
}

function message(key: string, payload: string): string {
  return `*4\r\n$8\r\npmessage\r\n$12\r\nturn/realm/*\r\n$${key.length}\r\n${key}\r\n$${payload.length}\r\n${payload}\r\n`;
}

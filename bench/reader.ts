import type { WireMessage } from '../src/coturn/delta.ts';
import { createCommandReader } from '../src/sources/resp/commands.ts';
import { COMMAND_LIMITS } from '../src/sources/resp/limits.ts';
import type { RespReader } from '../src/sources/resp/reader.ts';
import { createReplyReader } from '../src/sources/resp/replies.ts';
import { delta } from './stream.ts';

const MESSAGES = 200_000;
const ROUNDS = 15;
const CHUNK_BYTES = 64 * 1024;

/** Processor time of the reader alone for each message, by which side speaks. */
export function benchReader(): string {
  const handler = {
    messageInPlace: ({ payloadEnd }: WireMessage) => payloadEnd > 0,
    message: () => undefined,
    command: () => undefined,
    other: () => undefined,
  };
  const commands = cost('*3\r\n$7\r\npublish\r\n', () =>
    createCommandReader(handler, COMMAND_LIMITS),
  );
  const replies = cost('*4\r\n$8\r\npmessage\r\n$12\r\nturn/realm/*\r\n', () =>
    createReplyReader(handler),
  );
  return `reader: ${commands.toFixed(0)} ns a PUBLISH, ${replies.toFixed(0)} ns a message of a subscription`;
}

function cost(prefix: string, create: () => RespReader): number {
  const chunks = chunksOf(prefix);
  const rounds = Array.from({ length: ROUNDS }, () => {
    const reader = create();
    const before = process.cpuUsage();
    for (const chunk of chunks) reader.push(chunk);
    const { user, system } = process.cpuUsage(before);
    return ((user + system) * 1000) / MESSAGES;
  });
  return Math.min(...rounds);
}

function chunksOf(prefix: string): Buffer[] {
  const messages = Array.from({ length: MESSAGES }, (_, number) => {
    const { key, payload } = delta(number, 5_000);
    return `${prefix}$${key.length}\r\n${key}\r\n$${payload.length}\r\n${payload}\r\n`;
  });
  const bytes = Buffer.from(messages.join(''));
  const count = Math.ceil(bytes.length / CHUNK_BYTES);
  return Array.from({ length: count }, (_, index) =>
    Buffer.from(bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES)),
  );
}

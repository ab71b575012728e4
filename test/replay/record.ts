import { isUtf8 } from 'node:buffer';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';

/**
 * Records what coturn servers publish to a Redis until Ctrl-C, as test/fixtures/captures has it:
 * `npx tsx test/replay/record.ts --port 6379 > NAME.jsonl`
 */
const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '6379' },
  },
});
const redis = new Redis({ host: values.host, port: Number(values.port) });
const startedMs = performance.now();

redis.on('error', (failure) => console.error(failure.message));
redis.on('pmessageBuffer', (_pattern: Buffer, channel: Buffer, message: Buffer) => {
  const line = {
    t: Math.round(performance.now() - startedMs),
    channel: channel.toString(),
    // Up to 4.12 coturn takes a name with `%` for a format: not all that it sends is text.
    ...(isUtf8(channel) ? {} : { channel_b64: channel.toString('base64') }),
    message: message.toString(),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
});
process.once('SIGINT', () => redis.disconnect());
await redis.psubscribe('*');
console.error('Recording; Ctrl-C ends it');

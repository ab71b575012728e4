import { Redis } from 'ioredis';
import type { Defer } from './cleanup.ts';

export interface RecordedMessage {
  readonly key: string;
  readonly payload: string;
}

/** Every `turn/` message that the Redis on `port` carries from now on: a second opinion. */
export async function recordMessages(
  defer: Defer,
  port: number,
): Promise<readonly RecordedMessage[]> {
  const redis = new Redis({ host: '127.0.0.1', port });
  redis.on('error', () => undefined);
  defer(() => redis.disconnect());
  const messages: RecordedMessage[] = [];
  redis.on('pmessage', (_pattern: string, key: string, payload: string) => {
    messages.push({ key, payload });
  });
  await redis.psubscribe('turn/*');
  return messages;
}

/** The sum of one number, such as `rcvb`, over the messages whose key ends in `topic`. */
export function sumOf(
  messages: readonly RecordedMessage[],
  wanted: { readonly topic: string; readonly field: 'rcvp' | 'rcvb' | 'sentp' | 'sentb' },
): number {
  const pattern = new RegExp(`\\b${wanted.field}=(\\d+)`);
  return messages
    .filter(({ key }) => key.endsWith(`/${wanted.topic}`))
    .reduce((sum, { payload }) => sum + Number(pattern.exec(payload)?.[1] ?? 0), 0);
}

import { Redis } from 'ioredis';
import type { Defer } from './cleanup.ts';
import { allocationKey, payloadOf, statusOf, traffic } from './coturn-message.ts';

export interface PublishedAllocation {
  readonly realm: string;
  readonly username: string;
  /** 18 digits. */
  readonly id: string;
}

/** Says to a Redis what coturn 4.6 would, where a test needs no real coturn. */
export interface StatsPublisher {
  begin(allocation: PublishedAllocation): Promise<void>;
  /** One `traffic` and one `traffic/peer` delta of this many bytes each way, in one packet each. */
  relay(allocation: PublishedAllocation, bytes: number): Promise<void>;
  end(allocation: PublishedAllocation): Promise<void>;
}

/** A connection to the Redis on `port`, as coturn's `redis-statsdb` would make. */
export function connectStatsPublisher(
  defer: Defer,
  options: { readonly port: number; readonly database: number; readonly password?: string },
): StatsPublisher {
  const { port, database, password } = options;
  const redis = new Redis({
    ...{ host: '127.0.0.1', port, db: database },
    ...(password === undefined ? {} : { password }),
  });
  // Its server may be restarted under it; ioredis reconnects and repeats what was not answered.
  redis.on('error', () => undefined);
  defer(() => redis.disconnect());
  return {
    async begin(allocation) {
      const key = keyOf(allocation, 'status');
      const payload = statusOf('new', { local: '127.0.0.1:3478', remote: '127.0.0.1:50000' });
      await redis.set(key, payload).catch(unlessMoved);
      await redis.publish(key, payload);
    },
    async relay(allocation, bytes) {
      const payload = payloadOf(traffic(1, bytes, 1, bytes));
      await redis.publish(keyOf(allocation, 'traffic'), payload);
      await redis.publish(keyOf(allocation, 'traffic/peer'), payload);
    },
    async end(allocation) {
      const key = keyOf(allocation, 'status');
      await redis.del(key).catch(unlessMoved);
      await redis.publish(key, 'deleted');
    },
  };
}

/** As coturn does, which knows of no cluster: the key is not set. */
function unlessMoved(error: unknown): void {
  if (!/^(?:MOVED|CLUSTERDOWN)/.test(error instanceof Error ? error.message : '')) throw error;
}

function keyOf({ realm, username, id }: PublishedAllocation, topic: string): string {
  return `${allocationKey(username, id, realm)}/${topic}`;
}

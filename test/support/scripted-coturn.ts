import { Redis } from 'ioredis';
import type { Defer } from './cleanup.ts';
import { allocationKey, payloadOf, statusOf, traffic } from './coturn-message.ts';
import type { Exposition, Labels } from './exposition.ts';
import type { RecordLine } from './json-lines.ts';
import { until } from './until.ts';

/** What one allocation has relayed, heard or not; all numbers follow from these two. */
export interface ScriptedAllocation {
  readonly username: string;
  /** 18 digits. */
  readonly id: string;
  /** Bytes received from the client. Twice as many are sent to it; the peer side mirrors that. */
  bytes: number;
  /** Packets received from the client; twice as many are sent to it. */
  packets: number;
}

/** Packets and bytes of both sides, by the names that records use. */
export interface Sums {
  readonly received_bytes: number;
  readonly sent_bytes: number;
  readonly received_packets: number;
  readonly sent_packets: number;
  readonly peer_received_bytes: number;
  readonly peer_sent_bytes: number;
  readonly peer_received_packets: number;
  readonly peer_sent_packets: number;
}

export interface ScriptedCoturnOptions {
  readonly port: number;
  /** 0 when left out. */
  readonly database?: number;
  readonly realm?: string;
  /** Its own `address:port`, as status messages tell it. */
  readonly local?: string;
}

const RECORD_FIELDS = [
  'received_bytes',
  'sent_bytes',
  'received_packets',
  'sent_packets',
  'peer_received_bytes',
  'peer_sent_bytes',
  'peer_received_packets',
  'peer_sent_packets',
] as const satisfies ReadonlyArray<keyof Sums>;

/** Bytes of both sides and directions for each byte received from the client. */
export const BYTES_IN_ALL = 6;

/**
 * A coturn 4.6 as its statsdb sees it, told by a test what to relay, that knows the truth. Like the
 * real one it loses what it says while nobody listens, and goes on counting.
 */
export class ScriptedCoturn {
  readonly #redis: Redis;
  readonly #realm: string;
  readonly #local: string;
  readonly #pending = new Set<Promise<unknown>>();
  #counter = 0;

  constructor(defer: Defer, options: ScriptedCoturnOptions) {
    const { port, database = 0, realm = 'example.org', local = '127.0.0.1:3478' } = options;
    this.#realm = realm;
    this.#local = local;
    this.#redis = new Redis({
      host: '127.0.0.1',
      port,
      db: database,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => 50,
    });
    this.#redis.on('error', () => undefined);
    defer(() => this.#redis.disconnect());
  }

  /** Waits until it is connected. */
  async connected(): Promise<void> {
    await until(() => this.#redis.status, {
      what: 'the scripted coturn to be connected',
      isDone: (status) => status === 'ready',
    });
  }

  /** Its process begins anew: ids from 1 again, and the keys of all servers go. */
  async restart(): Promise<void> {
    this.#counter = 0;
    const keys = await this.#redis.keys('turn/*/allocation/*/status');
    if (keys.length > 0) await this.#redis.del(...keys);
  }

  begin(username: string, { lifetime = 600 } = {}): ScriptedAllocation {
    this.#counter += 1;
    const id = String(this.#counter).padStart(18, '0');
    const allocation = { username, id, bytes: 0, packets: 0 };
    this.#announce(allocation, 'new', lifetime);
    return allocation;
  }

  refresh(allocation: ScriptedAllocation, { lifetime = 600 } = {}): void {
    this.#announce(allocation, 'refreshed', lifetime);
  }

  /** Relays a packet of so many bytes and reports it. */
  relay(allocation: ScriptedAllocation, bytes: number): void {
    this.relayUntold(allocation, bytes);
    this.#publish(allocation, 'traffic', clientText(bytes, 1));
    this.#publish(allocation, 'traffic/peer', peerText(bytes, 1));
  }

  /** Relays a packet of so many bytes that only totals will tell. */
  relayUntold(allocation: ScriptedAllocation, bytes: number): void {
    allocation.bytes += bytes;
    allocation.packets += 1;
  }

  /** As coturn does: the last deltas (nothing is left here), `deleted`, the totals. */
  end(allocation: ScriptedAllocation): void {
    const { bytes, packets } = allocation;
    this.#publish(allocation, 'traffic', clientText(0, 0));
    this.#publish(allocation, 'traffic/peer', peerText(0, 0));
    this.#send(() => this.#redis.del(this.#key(allocation, 'status')));
    this.#publish(allocation, 'status', 'deleted');
    this.#publish(allocation, 'total_traffic', clientText(bytes, packets));
    this.#publish(allocation, 'total_traffic/peer', peerText(bytes, packets));
  }

  /** Waits until all it said is with Redis, or lost. */
  async said(): Promise<void> {
    await Promise.all(this.#pending);
  }

  #announce(allocation: ScriptedAllocation, word: 'new' | 'refreshed', lifetime: number): void {
    const text = statusOf(word, { lifetime, local: this.#local, remote: '127.0.0.1:50000' });
    this.#send(() => this.#redis.set(this.#key(allocation, 'status'), text));
    this.#publish(allocation, 'status', text);
  }

  #publish(allocation: ScriptedAllocation, topic: string, text: string): void {
    this.#send(() => this.#redis.publish(this.#key(allocation, topic), text));
  }

  #key({ username, id }: ScriptedAllocation, topic: string): string {
    return `${allocationKey(username, id, this.#realm)}/${topic}`;
  }

  #send(command: () => Promise<unknown>): void {
    const sent = command()
      .catch(() => undefined)
      .finally(() => this.#pending.delete(sent));
    this.#pending.add(sent);
  }
}

/** What the record of these allocations tells. */
export function sumsOf(allocations: readonly ScriptedAllocation[]): Sums {
  let bytes = 0;
  let packets = 0;
  for (const allocation of allocations) {
    bytes += allocation.bytes;
    packets += allocation.packets;
  }
  return {
    received_bytes: bytes,
    sent_bytes: 2 * bytes,
    received_packets: packets,
    sent_packets: 2 * packets,
    peer_received_bytes: 2 * bytes,
    peer_sent_bytes: bytes,
    peer_received_packets: 2 * packets,
    peer_sent_packets: packets,
  };
}

/** The counters of one scrape, of several processes' scrapes together, by the same names. */
export function countersOf(scrapes: readonly Exposition[], labels: Labels = {}): Sums {
  return fillSums((field) => {
    const metric = field.startsWith('peer_')
      ? `coturn_${field}_total`
      : `coturn_client_${field}_total`;
    return scrapes.reduce((sum, scrape) => sum + scrape.sum(metric, labels), 0);
  });
}

/** The sums over records. */
export function recordSums(records: readonly RecordLine[]): Sums {
  return fillSums((field) => records.reduce((sum, record) => sum + Number(record[field]), 0));
}

/** Whether no number of the first is above that of the second. */
export function isWithin(some: Sums, all: Sums): boolean {
  return RECORD_FIELDS.every((field) => some[field] <= all[field]);
}

function fillSums(read: (field: keyof Sums) => number): Sums {
  const entries = RECORD_FIELDS.map((field) => [field, read(field)] as const);
  // All fields of Sums, just listed.
  return Object.fromEntries(entries) as unknown as Sums;
}

function clientText(bytes: number, packets: number): string {
  return payloadOf(traffic(packets, bytes, 2 * packets, 2 * bytes));
}

function peerText(bytes: number, packets: number): string {
  return payloadOf(traffic(2 * packets, 2 * bytes, packets, bytes));
}

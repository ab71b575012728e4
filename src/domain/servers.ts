import { DEFAULT_LIFETIME_MS, EXPIRY_GRACE_MS } from './allocation.ts';
import { type Ledger, MAX_SERVERS } from './ledger.ts';
import { own } from './source-stats.ts';
import { labelOf } from './user.ts';

/** A coturn that connects to us: how many connections it has, and when it was last heard. */
export class ConnectedServer {
  /** Open now. */
  readonly connections: number = 0;
  /** When its newest message came, in ms; 0 before the first. */
  readonly lastEventMs: number = 0;
  /** When it last lost its only connection, in ms; 0 while it never has. */
  readonly leftMs: number = 0;

  /** One more connection is of it. */
  join(): void {
    own(this).connections += 1;
  }

  /** A connection of it is gone. */
  leave(nowMs: number): void {
    own(this).connections -= 1;
    if (this.connections === 0) own(this).leftMs = nowMs;
  }

  /** A message of it came. */
  hear(nowMs: number): void {
    own(this).lastEventMs = nowMs;
  }
}

/** How one coturn is. */
export interface ServerHealth {
  /** The `server` label. */
  readonly server: string;
  /** It is connected; of one that publishes to a Redis: it was heard of within a lifetime. */
  readonly isUp: boolean;
  /** Open now; undefined for one that publishes to a Redis. */
  readonly connections: number | undefined;
  /** In ms; 0 for never. */
  readonly lastEventMs: number;
  /** Live allocations. */
  readonly allocations: number;
}

/** What a {@link Servers} works with. */
export interface ServersOptions {
  readonly ledger: Ledger;
  /** How long a server that is gone is still told, in ms. */
  readonly forgetAfterMs: number;
}

/** Within this a server that holds an allocation is heard of: by a refresh at the latest, in ms. */
const HEARD_WITHIN_MS = DEFAULT_LIFETIME_MS + EXPIRY_GRACE_MS;

/** Every coturn that connects, or publishes to a Redis, until it has been gone for long. */
export class Servers {
  readonly #options: ServersOptions;
  readonly #connected = new Map<string, ConnectedServer>();

  constructor(options: ServersOptions) {
    this.#options = options;
  }

  /** The one of this name that connects. Beyond {@link MAX_SERVERS} it is told nowhere. */
  connected(server: string): ConnectedServer {
    const label = labelOf(server);
    const known = this.#connected.get(label);
    if (known !== undefined) return known;
    const fresh = new ConnectedServer();
    if (this.#connected.size < MAX_SERVERS) this.#connected.set(label, fresh);
    return fresh;
  }

  /** How each is now; forgets those that have been gone for long. */
  list(nowMs: number): ServerHealth[] {
    const published = this.#listPublished(nowMs);
    return [...this.#listConnected(nowMs), ...published];
  }

  #listConnected(nowMs: number): ServerHealth[] {
    const list: ServerHealth[] = [];
    for (const [server, { connections, lastEventMs, leftMs }] of this.#connected) {
      const isGone = connections === 0 && nowMs - leftMs > this.#options.forgetAfterMs;
      if (isGone) this.#connected.delete(server);
      else {
        const allocations = this.#options.ledger.servers.get(server)?.liveAllocations ?? 0;
        list.push({ server, isUp: connections > 0, connections, lastEventMs, allocations });
      }
    }
    return list;
  }

  #listPublished(nowMs: number): ServerHealth[] {
    const { ledger, forgetAfterMs } = this.#options;
    const list: ServerHealth[] = [];
    for (const { server, liveAllocations: allocations, lastEventMs } of ledger.servers.values()) {
      if (this.#connected.has(server)) continue;
      const silentMs = nowMs - lastEventMs;
      if (allocations === 0 && (lastEventMs === 0 || silentMs > forgetAfterMs)) continue;
      const isUp = allocations > 0 || silentMs <= HEARD_WITHIN_MS;
      list.push({ server, isUp, connections: undefined, lastEventMs, allocations });
    }
    return list;
  }
}

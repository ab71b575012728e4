import type { StatsKey } from '../coturn/key.ts';
import type { Origin } from './origin.ts';
import { NOTHING, sumTraffic, type Traffic } from './traffic.ts';

/** Traffic of a key that has not shown proof of an allocation. */
export interface Parked {
  readonly origin: Origin;
  readonly realm: string;
  traffic: Traffic;
  readonly sinceMs: number;
}

/**
 * How long traffic waits for proof. A status precedes traffic, a peer report follows it at once; only
 * a scan of the status keys, which runs for a few seconds after a connection, brings proof later.
 */
export const PARK_MS = 10_000;

/**
 * The most keys that wait. Clients that never log in can make any number of keys, so this bounds the
 * memory they can take (about 2 MB at coturn's usual key lengths).
 */
export const MAX_PARKED = 10_000;

/**
 * Traffic deltas that came before any proof of an allocation (design, rule 3): failed logins and
 * plain STUN clients cause them too. The oldest leaves when there are too many.
 */
export class ParkedTraffic {
  /** In order of arrival: a Map keeps the order in which its keys were first set. */
  readonly #parked = new Map<string, Parked>();
  readonly #release: (parked: Parked) => void;

  /** @param release takes what has waited in vain */
  constructor(release: (parked: Parked) => void) {
    this.#release = release;
  }

  /** How many keys wait. */
  get size(): number {
    return this.#parked.size;
  }

  /** Adds a delta to what waits under this key. */
  park(where: { origin: Origin; key: StatsKey; nowMs: number }, traffic: Traffic): void {
    const { origin, nowMs } = where;
    const key = parkingKey(origin, where.key.allocationKey);
    let parked = this.#parked.get(key);
    if (parked === undefined) {
      if (this.#parked.size >= MAX_PARKED) this.#releaseOldest();
      parked = { origin, realm: where.key.realm, traffic: NOTHING, sinceMs: nowMs };
      this.#parked.set(key, parked);
    }
    parked.traffic = sumTraffic(parked.traffic, traffic);
  }

  /** Takes out what waits under this key, since proof has come. */
  take(origin: Origin, allocationKey: string): Parked | undefined {
    // Most proofs find nothing waiting, and then the key need not be built.
    if (this.#parked.size === 0) return undefined;
    const key = parkingKey(origin, allocationKey);
    const parked = this.#parked.get(key);
    if (parked !== undefined) this.#parked.delete(key);
    return parked;
  }

  /** Releases all that has waited for {@link PARK_MS}. */
  expire(nowMs: number): void {
    for (const [key, parked] of this.#parked) {
      if (parked.sinceMs + PARK_MS > nowMs) return;
      this.#parked.delete(key);
      this.#release(parked);
    }
  }

  /** Releases everything, at the end of the process. */
  releaseAll(): void {
    for (const parked of this.#parked.values()) this.#release(parked);
    this.#parked.clear();
  }

  #releaseOldest(): void {
    for (const [key, parked] of this.#parked) {
      this.#parked.delete(key);
      this.#release(parked);
      return;
    }
  }
}

function parkingKey(origin: Origin, allocationKey: string): string {
  return `${origin.number} ${allocationKey}`;
}

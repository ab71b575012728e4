import type { KeyBytes } from '../coturn/delta.ts';
import type { Allocation } from './allocation.ts';
import { AllocationIndex } from './allocation-index.ts';
import { IdWatch } from './id-watch.ts';
import { KeyTable } from './key-table.ts';
import { own, type SourceStats } from './source-stats.ts';

/**
 * A key space: the keys of one coturn server (embedded statsdb) or of all servers that share one
 * Redis. The same key in two origins names two allocations.
 */
export class Origin {
  /** Tells origins apart within a process. */
  readonly number: number;
  readonly stats: SourceStats;
  /** Tells it from the others of its source, also in a state file: a label may be changed. */
  readonly name: string;
  /** The `server` label, unless status messages tell a better one (`stats.serverFrom`). */
  readonly server: string;
  /** What lives or lingers here, by the key without its topic. */
  readonly allocations: AllocationIndex<Allocation>;
  /** Keys in {@link allocations} that an earlier process saved with their users hidden. */
  readonly hidden: Set<string> = new Set();
  /** What scans have found of its status keys. */
  readonly keys: StatusKeys = new StatusKeys();
  /**
   * Keys of allocations that other replicas account for, as far as heard of: their traffic, which is
   * most of what comes, is dropped without a text of its own.
   */
  #foreign: KeyTable;
  readonly #hashSeed: number;
  readonly #deaf: { readonly fromMs: number; toMs: number }[] = [];
  /** How often messages may have been lost; an allocation compares it with the number at its start. */
  readonly gaps: number = 0;

  constructor(
    number: number,
    stats: SourceStats,
    name: string,
    { server = name, hashSeed = 0 }: { readonly server?: string; readonly hashSeed?: number } = {},
  ) {
    this.number = number;
    this.stats = stats;
    this.name = name;
    this.server = server;
    this.allocations = new AllocationIndex(hashSeed);
    this.#foreign = new KeyTable(0, hashSeed);
    this.#hashSeed = hashSeed;
  }

  /**
   * Whether another replica accounts for this allocation, as far as heard of.
   *
   * @param tail how many bytes at the end of the key are its topic
   */
  isForeign(key: KeyBytes, tail: number): boolean {
    return this.#foreign.size > 0 && this.#foreign.find(key, tail) !== 0;
  }

  /** A message of another replica's allocation came; its last one when it `isOver`. */
  noteForeign(allocationKey: string, isOver: boolean): void {
    const foreign = this.#foreign;
    const address = foreign.findText(allocationKey);
    if (isOver && address !== 0) foreign.remove(address);
    if (isOver || address !== 0) return;
    if (foreign.size < MAX_FOREIGN_KEYS) foreign.insert(allocationKey);
    // Some were left behind by servers that crashed; who lives is heard of again.
    else this.#foreign = new KeyTable(0, this.#hashSeed);
  }

  /** Messages may have been lost. */
  countGap(): void {
    own(this).gaps += 1;
  }

  /**
   * No message could arrive from one time to another, in ms.
   *
   * @returns false when it was known from its beginning, and has grown
   */
  noteDeaf(fromMs: number, toMs: number): boolean {
    const last = this.#deaf.at(-1);
    if (last?.fromMs === fromMs) {
      last.toMs = toMs;
      return false;
    }
    this.#deaf.push({ fromMs, toMs });
    if (this.#deaf.length > MAX_DEAF) this.#deaf.shift();
    return true;
  }

  /** For how long no message could arrive between two times, in ms. */
  deafMs(fromMs: number, toMs: number): number {
    let sumMs = 0;
    for (const deaf of this.#deaf) {
      sumMs += Math.max(0, Math.min(deaf.toMs, toMs) - Math.max(deaf.fromMs, fromMs));
    }
    return sumMs;
  }
}

/** How many times of deafness are remembered: sessions that are older than all of these are few. */
const MAX_DEAF = 1000;

/** The most keys of other replicas that are remembered, some 20 MB. */
const MAX_FOREIGN_KEYS = 200_000;

/**
 * The most keys remembered as left behind; between two scans no more are expected than a crashed
 * server held.
 */
export const MAX_STALE_KEYS = 100_000;

/** How many scans must contradict status messages before the database is called wrong. */
const WRONG_AFTER_SCANS = 2;

/**
 * What the scans of an origin's status keys have shown so far. A server that crashes leaves its keys;
 * any server that starts deletes the keys of all; and a database of another number has none.
 */
export class StatusKeys {
  /** How many scans have begun. */
  readonly scans: number = 0;
  /** Number of the last scan that came to its end. */
  readonly completed: number = 0;
  /** Keys of allocations that expired, by the last scan that found them; not to be adopted again. */
  readonly #stale = new Map<string, number>();
  /** How many scans contradicted a server's status messages, and none since has found its keys. */
  readonly #contradictions = new Map<string, number>();

  readonly #ids = new IdWatch();
  /** A server seems to have started anew, and no scan has begun since. */
  readonly isScanDue: boolean = false;

  /** An allocation has begun on a server that tells its endpoint, with this id of 18 digits. */
  noteStart(endpoint: string, id: string, nowMs: number): void {
    if (this.#ids.note(endpoint, id, nowMs)) this.noteRestart();
  }

  /** A server seems to have started anew: its keys tell what it still has. */
  noteRestart(): void {
    own(this).isScanDue = true;
  }

  /** Counts a scan that begins, and gives its number. */
  beginScan(): number {
    own(this).scans += 1;
    own(this).isScanDue = false;
    return this.scans;
  }

  /** An allocation expired: its key may be there still, for ever. */
  noteStale(key: string): void {
    if (this.#stale.size < MAX_STALE_KEYS) this.#stale.set(key, this.scans);
  }

  /** A message came for this key, so it is not stale. */
  forgetStale(key: string): void {
    this.#stale.delete(key);
  }

  /** Whether a key found by scan number `scan` is of an allocation that has expired. */
  isStale(key: string, scan: number): boolean {
    if (!this.#stale.has(key)) return false;
    this.#stale.set(key, scan);
    return true;
  }

  /** A scan came to its end: stale keys that it has not found are gone. */
  endScan(scan: number): void {
    own(this).completed = scan;
    for (const [key, found] of this.#stale) {
      if (found < scan) this.#stale.delete(key);
    }
  }

  /**
   * Judges a scan that came to its end: where status messages come and no key is found, the number of
   * the database is wrong. Servers are judged one by one, since those that share a Redis may still use
   * databases of different numbers.
   *
   * @param found servers of which it found keys
   * @param contradicting servers of which it found none, though status messages say that there are
   */
  judge(found: ReadonlySet<string>, contradicting: ReadonlySet<string>): void {
    for (const server of found) this.#contradictions.delete(server);
    for (const server of contradicting) {
      if (found.has(server)) continue;
      this.#contradictions.set(server, (this.#contradictions.get(server) ?? 0) + 1);
    }
  }

  /** Whether missing keys of this server mean something. */
  isTrusted(server: string): boolean {
    return !this.#contradictions.has(server);
  }

  /** Whether a server writes its keys elsewhere, beyond doubt. */
  get isWrongDatabase(): boolean {
    for (const count of this.#contradictions.values()) {
      if (count >= WRONG_AFTER_SCANS) return true;
    }
    return false;
  }
}

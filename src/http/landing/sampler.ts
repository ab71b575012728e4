import type { Ledger, RealmAccount, ServerAccount } from '../../domain/ledger.ts';
import type { ServerHealth, Servers } from '../../domain/servers.ts';
import type { SourceStats } from '../../domain/source-stats.ts';
import type { Source } from '../../sources/source.ts';
import { LandingHistory, SAMPLE_INTERVAL_MS, type SampledRow } from './history.ts';

/** What {@link LandingSampler} reads. */
export interface LandingSamplerOptions {
  readonly sources: readonly Source[];
  readonly ledger: Ledger;
  readonly servers: Servers;
  readonly nowMs: () => number;
}

/** Columns of the row of a realm, of a server, and of the total: bytes so far, and what lives now. */
export const CLIENT_COLUMNS: readonly number[] = [0, 1];
export const PEER_COLUMNS: readonly number[] = [2, 3];
export const SESSIONS_COLUMN = 4;
export const ALLOCATIONS_COLUMN = 5;

/** All numbers at one moment, ready to be sampled or compared with samples. */
export interface LandingReading {
  readonly nowMs: number;
  readonly total: SampledRow;
  readonly realms: ReadonlyArray<readonly [key: RealmAccount, values: readonly number[]]>;
  readonly servers: readonly ServerReading[];
  /** Events by source. */
  readonly sources: ReadonlyArray<readonly [key: SourceStats, values: readonly number[]]>;
}

/** A server at one moment. */
export interface ServerReading {
  readonly health: ServerHealth;
  readonly row: SampledRow;
}

/** Reads the counters every {@link SAMPLE_INTERVAL_MS} between `start` and `stop`. */
export class LandingSampler {
  readonly history: LandingHistory = new LandingHistory();
  readonly #options: LandingSamplerOptions;
  readonly #totalKey = {};
  /** By name; a server that is forgotten has no row any more. */
  #serverKeys = new Map<string, object>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LandingSamplerOptions) {
    this.#options = options;
  }

  /** Samples now and from now on. Safe to call twice. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.sample();
    this.#timer = setInterval(() => this.sample(), SAMPLE_INTERVAL_MS);
    this.#timer.unref();
  }

  /** Samples no more. Safe to call twice, and before `start`. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Takes one sample. */
  sample(): void {
    const { nowMs, total, realms, servers, sources } = this.read();
    this.#serverKeys = new Map(servers.map(({ health, row }) => [health.server, row[0]]));
    const ofServers = servers.map(({ row }) => row);
    // In this order: what is beyond the limit of keys is realms.
    this.history.add(nowMs, [total, ...sources, ...ofServers, ...realms]);
  }

  /** The numbers of this moment. */
  read(): LandingReading {
    const { ledger, sources } = this.#options;
    const nowMs = this.#options.nowMs();
    const realms = [...ledger.realms()].map((realm) => [realm, valuesOf(realm)] as const);
    const total = [0, 0, 0, 0, 0, 0];
    for (const [, values] of realms) {
      for (const [column, value] of values.entries()) total[column] = (total[column] ?? 0) + value;
    }
    return {
      nowMs,
      total: [this.#totalKey, total],
      realms,
      servers: this.#readServers(nowMs),
      sources: sources.map(({ stats }) => [stats, [countEvents(stats)]]),
    };
  }

  #readServers(nowMs: number): ServerReading[] {
    const { ledger, servers } = this.#options;
    const sums = new Map<string, number[]>();
    for (const realm of ledger.realms()) {
      for (const [server, account] of realm.servers) {
        const values = sums.get(server) ?? [0, 0, 0, 0, 0, 0];
        sums.set(server, values);
        addTo(values, account);
        values[SESSIONS_COLUMN] = (values[SESSIONS_COLUMN] ?? 0) + account.liveSessions;
      }
    }
    return servers.list(nowMs).map((health) => {
      const key = this.#serverKeys.get(health.server) ?? {};
      return { health, row: [key, sums.get(health.server) ?? [0, 0, 0, 0, 0, 0]] };
    });
  }
}

function valuesOf({ servers, liveSessions }: RealmAccount): number[] {
  const values = [0, 0, 0, 0, liveSessions, 0];
  for (const account of servers.values()) addTo(values, account);
  return values;
}

function addTo(values: number[], account: ServerAccount): void {
  const { client, peer } = account;
  const more = [client.receivedBytes, client.sentBytes, peer.receivedBytes, peer.sentBytes];
  for (const [column, bytes] of more.entries()) values[column] = (values[column] ?? 0) + bytes;
  values[ALLOCATIONS_COLUMN] = (values[ALLOCATIONS_COLUMN] ?? 0) + account.countLive();
}

function countEvents(stats: SourceStats): number {
  return Object.values(stats.events).reduce((sum, count) => sum + count, 0);
}

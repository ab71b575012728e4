import type { Ledger, RealmAccount } from '../../domain/ledger.ts';
import type { SourceStats } from '../../domain/source-stats.ts';
import type { Source } from '../../sources/source.ts';
import { LandingHistory, SAMPLE_INTERVAL_MS, type SampledRow } from './history.ts';

/** What {@link LandingSampler} reads. */
export interface LandingSamplerOptions {
  readonly sources: readonly Source[];
  readonly ledger: Ledger;
  readonly nowMs: () => number;
}

/** Columns of the row of a realm, and of the total: bytes so far, and what lives now. */
export const CLIENT_COLUMNS: readonly number[] = [0, 1];
export const PEER_COLUMNS: readonly number[] = [2, 3];
export const SESSIONS_COLUMN = 4;
export const ALLOCATIONS_COLUMN = 5;

/** All numbers at one moment, ready to be sampled or compared with samples. */
export interface LandingReading {
  readonly nowMs: number;
  readonly total: SampledRow;
  readonly realms: ReadonlyArray<readonly [key: RealmAccount, values: readonly number[]]>;
  /** Events by source. */
  readonly sources: ReadonlyArray<readonly [key: SourceStats, values: readonly number[]]>;
}

/** Reads the counters every {@link SAMPLE_INTERVAL_MS} between `start` and `stop`. */
export class LandingSampler {
  readonly history: LandingHistory = new LandingHistory();
  readonly #options: LandingSamplerOptions;
  readonly #totalKey = {};
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
    const { nowMs, total, realms, sources } = this.read();
    // In this order: what is beyond the limit of keys is realms.
    this.history.add(nowMs, [total, ...sources, ...realms]);
  }

  /** The numbers of this moment. */
  read(): LandingReading {
    const { ledger, sources, nowMs } = this.#options;
    const realms = [...ledger.realms()].map((realm) => [realm, valuesOf(realm)] as const);
    const total = [0, 0, 0, 0, 0, 0];
    for (const [, values] of realms) {
      for (const [column, value] of values.entries()) total[column] = (total[column] ?? 0) + value;
    }
    return {
      nowMs: nowMs(),
      total: [this.#totalKey, total],
      realms,
      sources: sources.map(({ stats }) => [stats, [countEvents(stats)]]),
    };
  }
}

function valuesOf({ servers, liveSessions }: RealmAccount): number[] {
  let [clientIn, clientOut, peerIn, peerOut, allocations] = [0, 0, 0, 0, 0];
  for (const { client, peer, live } of servers.values()) {
    clientIn += client.receivedBytes;
    clientOut += client.sentBytes;
    peerIn += peer.receivedBytes;
    peerOut += peer.sentBytes;
    for (const count of live.values()) allocations += count;
  }
  return [clientIn, clientOut, peerIn, peerOut, liveSessions, allocations];
}

function countEvents(stats: SourceStats): number {
  return Object.values(stats.events).reduce((sum, count) => sum + count, 0);
}

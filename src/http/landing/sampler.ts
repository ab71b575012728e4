import type { Transport } from '../../coturn/event.ts';
import type { Ledger, RealmAccount, ServerAccount } from '../../domain/ledger.ts';
import type { ServerHealth, Servers } from '../../domain/servers.ts';
import type { SourceStats } from '../../domain/source-stats.ts';
import { nextTurn } from '../../metrics/exposition.ts';
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

/** How many pairs of a realm and a server are read before the event loop gets its turn. */
const SLICE = 500;

/** All numbers of a moment, ready to be sampled or compared with samples. */
export interface LandingReading {
  readonly nowMs: number;
  readonly total: SampledRow;
  readonly realms: ReadonlyArray<readonly [key: RealmAccount, values: readonly number[]]>;
  /** Live allocations of every transport ever seen. */
  readonly transports: ReadonlyMap<Transport, number>;
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
    void this.sample();
    this.#timer = setInterval(() => void this.sample(), SAMPLE_INTERVAL_MS);
    this.#timer.unref();
  }

  /** Samples no more. Safe to call twice, and before `start`. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Takes one sample. */
  async sample(): Promise<void> {
    const { nowMs, total, realms, servers, sources } = await this.read();
    this.#serverKeys = new Map(servers.map(({ health, row }) => [health.server, row[0]]));
    const ofServers = servers.map(({ row }) => row);
    // In this order: what is beyond the limit of keys is realms.
    this.history.add(nowMs, [total, ...sources, ...ofServers, ...realms]);
  }

  /** The numbers of now. Each pair of realm and server is read once, so that all sums agree. */
  async read(): Promise<LandingReading> {
    const { ledger, sources, servers } = this.#options;
    const nowMs = this.#options.nowMs();
    const total = zeroes();
    const realms: [RealmAccount, number[]][] = [];
    const ofServers = new Map<string, number[]>();
    const transports = new Map<Transport, number>();
    let work = 0;
    for (const realm of ledger.realms()) {
      const ofRealm = zeroes();
      realms.push([realm, ofRealm]);
      for (const sums of [total, ofRealm]) add(sums, SESSIONS_COLUMN, realm.liveSessions);
      for (const [server, account] of realm.servers) {
        const ofServer = ofServers.get(server) ?? zeroes();
        ofServers.set(server, ofServer);
        add(ofServer, SESSIONS_COLUMN, account.liveSessions);
        addAccount([total, ofRealm, ofServer], transports, account);
        work += 1;
        if (work % SLICE === 0) await nextTurn();
      }
    }
    return {
      ...{ nowMs, total: [this.#totalKey, total], realms, transports },
      servers: servers.list(nowMs).map((health) => {
        const key = this.#serverKeys.get(health.server) ?? {};
        return { health, row: [key, ofServers.get(health.server) ?? zeroes()] };
      }),
      sources: sources.map(({ stats }) => [stats, [countEvents(stats)]]),
    };
  }
}

function zeroes(): number[] {
  return [0, 0, 0, 0, 0, 0];
}

function add(sums: number[], column: number, value: number): void {
  sums[column] = (sums[column] ?? 0) + value;
}

/** Adds the bytes and the live allocations of an account to each of some sums. */
function addAccount(
  all: readonly number[][],
  transports: Map<Transport, number>,
  { client, peer, live }: ServerAccount,
): void {
  const bytes = [client.receivedBytes, client.sentBytes, peer.receivedBytes, peer.sentBytes];
  let allocations = 0;
  for (const [transport, count] of live) {
    allocations += count;
    transports.set(transport, (transports.get(transport) ?? 0) + count);
  }
  for (const sums of all) {
    for (const [column, value] of bytes.entries()) add(sums, column, value);
    add(sums, ALLOCATIONS_COLUMN, allocations);
  }
}

function countEvents(stats: SourceStats): number {
  return Object.values(stats.events).reduce((sum, count) => sum + count, 0);
}

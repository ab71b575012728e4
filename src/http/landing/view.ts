import type { BuildInfo } from '../../build-info.ts';
import type { Config } from '../../config/config.ts';
import { TRANSPORTS, type Transport } from '../../coturn/event.ts';
import type { Source } from '../../sources/source.ts';
import { LandingGraphs } from './graphs.ts';
import { formatAge, formatBits, formatCount, formatRate, formatSince } from './html.ts';
import { type Fields, type RealmFields, rankRealms } from './realms.ts';
import {
  ALLOCATIONS_COLUMN,
  CLIENT_COLUMNS,
  type LandingReading,
  type LandingSampler,
  PEER_COLUMNS,
  SESSIONS_COLUMN,
} from './sampler.ts';
import { setupLines } from './setup.ts';

export type PageFields = Fields<
  | 'version'
  | 'revision'
  | 'uptime'
  | 'sessions'
  | 'sessionsLine'
  | 'sessionsArea'
  | 'sessionsLabel'
  | 'allocations'
  | 'allocationsLine'
  | 'allocationsArea'
  | 'allocationsLabel'
  | 'clientRate'
  | 'clientLine'
  | 'clientArea'
  | 'clientLabel'
  | 'peerRate'
  | 'peerLine'
  | 'peerArea'
  | 'peerLabel'
>;

export const SOURCE_FIELDS = [
  'name',
  'kind',
  'state',
  'stateText',
  'detail',
  'rate',
  'age',
] as const;
export type SourceFields = Fields<(typeof SOURCE_FIELDS)[number]>;

/** `share` is of the largest count, in per cent: the length of a bar. */
export const TRANSPORT_FIELDS = ['transport', 'count', 'share'] as const;
export type TransportFields = Fields<(typeof TRANSPORT_FIELDS)[number]>;

export const SETUP_FIELDS = ['line'] as const;

/**
 * All that the page shows, as texts; `/status.json` gives it to the script of the page. It changes
 * with the page and is no interface for others: those read the metrics.
 */
export interface LandingView {
  readonly page: PageFields;
  readonly sources: readonly SourceFields[];
  readonly transports: readonly TransportFields[];
  readonly realms: readonly RealmFields[];
  /** Lines for `turnserver.conf`, as long as nothing was ever heard of a coturn. */
  readonly setup: ReadonlyArray<Fields<(typeof SETUP_FIELDS)[number]>>;
}

/** What {@link createLandingView} works with. */
export interface LandingViewOptions {
  readonly build: BuildInfo;
  readonly config: Config;
  readonly sources: readonly Source[];
  readonly sampler: LandingSampler;
  /** When the exporter began, in ms. */
  readonly startedMs: number;
}

const TRANSPORT_NAMES: Readonly<Record<Transport, string>> = {
  udp: 'UDP',
  tcp: 'TCP',
  tls: 'TLS',
  dtls: 'DTLS',
  sctp: 'SCTP',
  tls_sctp: 'TLS over SCTP',
  unknown: 'not told',
};

/** The page of this moment. It holds no username and no address of a client. */
export function createLandingView(options: LandingViewOptions): LandingView {
  const reading = options.sampler.read();
  const graphs = new LandingGraphs(options.sampler.history, reading);
  return {
    page: pageFields(options, { reading, graphs }),
    sources: options.sources.map((source, index) => {
      const [rate = 0] = graphs.rates(reading.sources[index] ?? [source.stats, [0]]);
      return sourceFields(source, { rate, nowMs: reading.nowMs });
    }),
    transports: transportFields(reading),
    realms: rankRealms(reading, graphs),
    setup: setupFields(options),
  };
}

function pageFields(
  { build, startedMs }: LandingViewOptions,
  { reading, graphs }: { readonly reading: LandingReading; readonly graphs: LandingGraphs },
): PageFields {
  const { total } = reading;
  const [, values] = total;
  const sessions = graphs.ofGauge(total, { column: SESSIONS_COLUMN, what: 'Live sessions' });
  const allocations = graphs.ofGauge(total, {
    column: ALLOCATIONS_COLUMN,
    what: 'Live allocations',
  });
  const { client, peer } = graphs.ofSides(total, 'all realms');
  const rates = graphs.rates(total);
  return {
    version: build.version,
    revision: build.revision.slice(0, 12),
    uptime: formatAge(reading.nowMs - startedMs),
    sessions: formatCount(values[SESSIONS_COLUMN] ?? 0),
    sessionsLine: sessions.line,
    sessionsArea: sessions.area,
    sessionsLabel: sessions.label,
    allocations: formatCount(values[ALLOCATIONS_COLUMN] ?? 0),
    allocationsLine: allocations.line,
    allocationsArea: allocations.area,
    allocationsLabel: allocations.label,
    clientRate: formatBits(bitsOf(rates, CLIENT_COLUMNS)),
    clientLine: client.line,
    clientArea: client.area,
    clientLabel: client.label,
    peerRate: formatBits(bitsOf(rates, PEER_COLUMNS)),
    peerLine: peer.line,
    peerArea: peer.area,
    peerLabel: peer.label,
  };
}

/** Bits per second of some columns of rates in bytes. */
export function bitsOf(rates: readonly number[], columns: readonly number[]): number {
  return columns.reduce((sum, column) => sum + 8 * (rates[column] ?? 0), 0);
}

function sourceFields(
  source: Source,
  { rate, nowMs }: { readonly rate: number; readonly nowMs: number },
): SourceFields {
  const { name, lastEventMs } = source.stats;
  const { kind, up, ready, detail } = source.status();
  const state = up ? 'up' : ready ? 'waiting' : 'down';
  return {
    name,
    kind: kind === 'redis' ? 'Redis' : 'embedded statsdb',
    state,
    stateText: { up: 'up, ready', waiting: 'ready, no coturn', down: 'not ready' }[state],
    detail,
    rate: formatRate(rate),
    age: lastEventMs === 0 ? 'none yet' : formatSince(nowMs - lastEventMs),
  };
}

function transportFields({ realms }: LandingReading): TransportFields[] {
  const counts = new Map<Transport, number>();
  for (const [{ servers }] of realms) {
    for (const { live } of servers.values()) {
      for (const [transport, count] of live) {
        counts.set(transport, (counts.get(transport) ?? 0) + count);
      }
    }
  }
  const most = Math.max(1, ...counts.values());
  return TRANSPORTS.filter((transport) => counts.has(transport)).map((transport) => {
    const count = counts.get(transport) ?? 0;
    return {
      transport: TRANSPORT_NAMES[transport],
      count: formatCount(count),
      share: `${Math.ceil((100 * count) / most)}%`,
    };
  });
}

function setupFields({ config, sources }: LandingViewOptions): LandingView['setup'] {
  const isHeard = sources.some((source) => {
    const { kind, up } = source.status();
    // A Redis can be up while no coturn publishes to it.
    return source.stats.lastEventMs > 0 || (kind === 'statsdb' && up);
  });
  return isHeard ? [] : setupLines(config, sources).map((line) => ({ line }));
}

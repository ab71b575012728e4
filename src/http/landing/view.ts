import type { BuildInfo } from '../../build-info.ts';
import { TRANSPORTS, type Transport } from '../../coturn/event.ts';
import type { RealmAccount } from '../../domain/ledger.ts';
import type { Source } from '../../sources/source.ts';
import { type Figure, LandingGraphs, type SideFigure } from './graphs.ts';
import { formatAge, formatCount, formatRate, formatSince } from './html.ts';
import {
  ALLOCATIONS_COLUMN,
  CLIENT_COLUMNS,
  type LandingReading,
  type LandingSampler,
  SESSIONS_COLUMN,
} from './sampler.ts';
import { isHeard, type PublishTarget, setupLine } from './setup.ts';

/** All that the page shows, as texts. It holds no username and no address of a client. */
export interface LandingView {
  readonly version: string;
  readonly revision: string;
  readonly uptime: string;
  readonly sessions: Figure;
  readonly allocations: Figure;
  readonly client: SideFigure;
  readonly peer: SideFigure;
  readonly realms: readonly RealmLine[];
  readonly servers: readonly ServerLine[];
  /** `3 servers, 1 down, 9 connections` */
  readonly serverCount: string;
  readonly sources: readonly SourceLine[];
  readonly transports: readonly TransportLine[];
  /** Lines for `turnserver.conf`, as long as nothing was ever heard of a coturn. */
  readonly setup: readonly string[];
}

/** One line of the table of realms. */
export interface RealmLine {
  readonly realm: string;
  /** False where `realm` is words of ours. */
  readonly isName: boolean;
  readonly sessions: string;
  readonly allocations: string;
  readonly client: SideFigure;
  readonly peer: SideFigure;
}

/** One line of the table of servers. */
export interface ServerLine {
  readonly server: string;
  readonly state: 'up' | 'down';
  /** Its connections, where it has any to us. */
  readonly detail: string;
  readonly sessions: string;
  /** Since its newest message. */
  readonly age: string;
  readonly client: SideFigure;
  readonly peer: SideFigure;
}

/** One line of the table of sources. */
export interface SourceLine {
  readonly name: string;
  readonly kind: string;
  readonly state: 'up' | 'waiting' | 'down';
  readonly detail: string;
  /** Events per second. */
  readonly rate: string;
  /** Since the newest event. */
  readonly age: string;
}

/** One bar of the live allocations by transport. */
export interface TransportLine {
  readonly transport: string;
  readonly count: string;
  /** Of the largest count, in per cent: the length of the bar. */
  readonly share: string;
}

/** What {@link createLandingView} works with. */
export interface LandingViewOptions {
  readonly build: BuildInfo;
  /** Where a coturn can publish to; asked at every view, since a port 0 is known late. */
  readonly targets: () => readonly PublishTarget[];
  readonly sources: readonly Source[];
  readonly sampler: LandingSampler;
  /** When the exporter began, in ms. */
  readonly startedMs: number;
}

/** Realms with a line of their own; the rest share one. */
export const MAX_SHOWN_REALMS = 10;

/** Servers with a line of their own; of the rest their number is told. */
export const MAX_SHOWN_SERVERS = 20;

const TRANSPORT_NAMES: Readonly<Record<Transport, string>> = {
  udp: 'UDP',
  tcp: 'TCP',
  tls: 'TLS',
  dtls: 'DTLS',
  sctp: 'SCTP',
  tls_sctp: 'TLS over SCTP',
  unknown: 'not told',
};

/** The page of this moment. */
export async function createLandingView(options: LandingViewOptions): Promise<LandingView> {
  const { build, sources, sampler, startedMs, targets } = options;
  const reading = await sampler.read();
  const { total, nowMs } = reading;
  const graphs = new LandingGraphs(sampler.history, nowMs);
  return {
    version: build.version,
    revision: build.revision.slice(0, 12),
    uptime: formatAge(nowMs - startedMs),
    sessions: graphs.gauge(total, { column: SESSIONS_COLUMN, what: 'Live sessions' }),
    allocations: graphs.gauge(total, { column: ALLOCATIONS_COLUMN, what: 'Live allocations' }),
    ...graphs.sides(total, { what: 'all realms' }),
    realms: realmLines(reading, graphs),
    servers: serverLines(reading, graphs),
    serverCount: countServers(reading),
    sources: sources.map((source, index) => {
      const rate = graphs.rate(reading.sources[index] ?? [source.stats, [0]], [0]);
      return sourceLine(source, { rate, nowMs });
    }),
    transports: transportLines(reading),
    setup: sources.some(isHeard) ? [] : targets().map(setupLine),
  };
}

/** The realms that relay most, and one line for all others together. */
function realmLines({ realms, total }: LandingReading, graphs: LandingGraphs): RealmLine[] {
  const ranked = realms
    .map((row) => ({ row, bytes: graphs.rate(row, CLIENT_COLUMNS) }))
    .sort((left, right) => right.bytes - left.bytes || compareRealms(left.row[0], right.row[0]))
    .map(({ row }) => row);
  // One realm more than fits needs no less room when it is called "1 other realm".
  const limit = ranked.length === MAX_SHOWN_REALMS + 1 ? ranked.length : MAX_SHOWN_REALMS;
  const shown = ranked.slice(0, limit);
  const lines = shown.map((row) => {
    const [{ realm }, values] = row;
    const what = realm === '' ? 'no realm' : realm;
    const sides = graphs.sides(row, { what });
    return { realm: what, isName: realm !== '', ...liveTexts(values), ...sides };
  });
  if (ranked.length === shown.length) return lines;
  const what = `${formatCount(ranked.length - shown.length)} other realms`;
  const others = total[1].map((sum, column) =>
    shown.reduce((rest, [, values]) => rest - (values[column] ?? 0), sum),
  );
  const sides = graphs.sides(total, { what, without: shown });
  return [...lines, { realm: what, isName: false, ...liveTexts(others), ...sides }];
}

/** Those that are down first, then those that relay most. */
function serverLines({ servers, nowMs }: LandingReading, graphs: LandingGraphs): ServerLine[] {
  const ranked = servers
    .map((one) => ({ ...one, bytes: graphs.rate(one.row, CLIENT_COLUMNS) }))
    .sort(
      (left, right) =>
        Number(left.health.isUp) - Number(right.health.isUp) ||
        right.bytes - left.bytes ||
        (left.health.server < right.health.server ? -1 : 1),
    );
  return ranked.slice(0, MAX_SHOWN_SERVERS).map(({ health, row }) => {
    const { server, isUp, connections, lastEventMs } = health;
    return {
      server,
      state: isUp ? 'up' : 'down',
      detail: connections === undefined ? '' : countOf(connections, 'connection'),
      sessions: formatCount(row[1][SESSIONS_COLUMN] ?? 0),
      age: lastEventMs === 0 ? 'never' : formatSince(nowMs - lastEventMs),
      ...graphs.sides(row, { what: server }),
    };
  });
}

function countServers({ servers }: LandingReading): string {
  const down = servers.filter(({ health }) => !health.isUp).length;
  const connections = servers.reduce((sum, { health }) => sum + (health.connections ?? 0), 0);
  return [
    countOf(servers.length, 'server'),
    ...(down > 0 ? [`${formatCount(down)} down`] : []),
    ...(connections > 0 ? [countOf(connections, 'connection')] : []),
  ].join(', ');
}

function countOf(count: number, what: string): string {
  return `${formatCount(count)} ${count === 1 ? what : `${what}s`}`;
}

function compareRealms(left: RealmAccount, right: RealmAccount): number {
  return right.liveSessions - left.liveSessions || (left.realm < right.realm ? -1 : 1);
}

function liveTexts(values: readonly number[]): Pick<RealmLine, 'sessions' | 'allocations'> {
  return {
    sessions: formatCount(values[SESSIONS_COLUMN] ?? 0),
    allocations: formatCount(values[ALLOCATIONS_COLUMN] ?? 0),
  };
}

function sourceLine(
  source: Source,
  { rate, nowMs }: { readonly rate: number; readonly nowMs: number },
): SourceLine {
  const { name, lastEventMs } = source.stats;
  const { kind, up, ready, detail } = source.status();
  return {
    name,
    kind: kind === 'redis' ? 'Redis' : 'embedded statsdb',
    state: up ? 'up' : ready ? 'waiting' : 'down',
    detail,
    rate: formatRate(rate),
    age: lastEventMs === 0 ? 'none yet' : formatSince(nowMs - lastEventMs),
  };
}

function transportLines({ transports: counts }: LandingReading): TransportLine[] {
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

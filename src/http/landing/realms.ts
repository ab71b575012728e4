import type { RealmAccount } from '../../domain/ledger.ts';
import type { LandingGraphs, SideGraphs } from './graphs.ts';
import { formatBits, formatCount } from './html.ts';
import { CLIENT_COLUMNS, type LandingReading, PEER_COLUMNS } from './sampler.ts';

/** Texts and attributes by name. */
export type Fields<Name extends string> = Readonly<Record<Name, string>>;

/** One line of the table of realms. `isName` is `false` where `realm` is words of ours. */
export const REALM_FIELDS = [
  'realm',
  'isName',
  'sessions',
  'allocations',
  'clientRate',
  'clientDetail',
  'clientLine',
  'clientArea',
  'clientLabel',
  'peerRate',
  'peerDetail',
  'peerLine',
  'peerArea',
  'peerLabel',
] as const;
export type RealmFields = Fields<(typeof REALM_FIELDS)[number]>;

/** Realms with a line of their own; the rest share one. */
export const MAX_SHOWN_REALMS = 10;

interface RankedRealm {
  readonly row: readonly [RealmAccount, readonly number[]];
  readonly rates: readonly number[];
  readonly clientBytes: number;
}

/** The realms that relay most, and one line for all others together. */
export function rankRealms(reading: LandingReading, graphs: LandingGraphs): RealmFields[] {
  const ranked = reading.realms.map((row): RankedRealm => {
    const rates = graphs.rates(row);
    return { row, rates, clientBytes: sumOf(rates, CLIENT_COLUMNS) };
  });
  ranked.sort(compareRealms);
  // One realm more than fits needs no less room when it is called "1 other realm".
  const limit = ranked.length === MAX_SHOWN_REALMS + 1 ? ranked.length : MAX_SHOWN_REALMS;
  const shown = ranked.slice(0, limit);
  const lines = shown.map((realm) => {
    const { realm: name } = realm.row[0];
    const words = name === '' ? 'no realm' : name;
    const fields = realmFields(words, [realm], graphs.ofSides(realm.row, words));
    return { ...fields, isName: String(name !== '') };
  });
  const others = ranked.slice(limit);
  if (others.length === 0) return lines;
  const words = `${formatCount(others.length)} other realms`;
  const sides = graphs.ofRest(
    shown.map(({ row }) => row),
    words,
  );
  return [...lines, { ...realmFields(words, others, sides), isName: 'false' }];
}

function compareRealms(left: RankedRealm, right: RankedRealm): number {
  return (
    right.clientBytes - left.clientBytes ||
    right.row[0].liveSessions - left.row[0].liveSessions ||
    (left.row[0].realm < right.row[0].realm ? -1 : 1)
  );
}

function realmFields(
  realm: string,
  members: readonly RankedRealm[],
  { client, peer }: SideGraphs,
): Omit<RealmFields, 'isName'> {
  const rates = [0, 1, 2, 3].map((column) => {
    return members.reduce((sum, member) => sum + (member.rates[column] ?? 0), 0);
  });
  return {
    realm,
    sessions: formatCount(members.reduce((sum, { row }) => sum + row[0].liveSessions, 0)),
    allocations: formatCount(members.reduce((sum, { row }) => sum + countLive(row[0]), 0)),
    clientRate: formatBits(8 * sumOf(rates, CLIENT_COLUMNS)),
    clientDetail: directions(rates, CLIENT_COLUMNS),
    clientLine: client.line,
    clientArea: client.area,
    clientLabel: client.label,
    peerRate: formatBits(8 * sumOf(rates, PEER_COLUMNS)),
    peerDetail: directions(rates, PEER_COLUMNS),
    peerLine: peer.line,
    peerArea: peer.area,
    peerLabel: peer.label,
  };
}

/** `in 1.20 Mbit/s, out 1.10 Mbit/s`: received and sent, as coturn sees it. */
function directions(rates: readonly number[], columns: readonly number[]): string {
  const [received = 0, sent = 0] = columns.map((column) => 8 * (rates[column] ?? 0));
  return `in ${formatBits(received)}, out ${formatBits(sent)}`;
}

function sumOf(rates: readonly number[], columns: readonly number[]): number {
  return columns.reduce((sum, column) => sum + (rates[column] ?? 0), 0);
}

function countLive({ servers }: RealmAccount): number {
  let count = 0;
  for (const { live } of servers.values()) {
    for (const ofTransport of live.values()) count += ofTransport;
  }
  return count;
}

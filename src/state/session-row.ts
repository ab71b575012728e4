import { TLS_VERSIONS, TRANSPORTS } from '../coturn/event.ts';
import { END_REASONS } from '../domain/ledger.ts';
import { RELAYED } from '../domain/relayed.ts';
import type { SavedAllocation, SavedSession } from '../domain/saved-session.ts';

/** The end of the year 9999: whatever is made of a time before, a `Date` can hold it. */
export const LAST_MS: number = Date.UTC(10_000, 0) - 1;

/** A JSON object. */
export type Named = Readonly<Record<string, unknown>>;

/** Whether a value read from JSON is an object. */
export function isNamed(value: unknown): value is Named {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The values of a session in the order of a line. */
export function rowOf(session: SavedSession): readonly unknown[] {
  return sessionRow(session);
}

/** The session of such a row; undefined when a value is not what its place may hold. */
export function sessionOf(row: unknown): SavedSession | undefined {
  return isSessionRow(row) ? sessionOfRow(row) : undefined;
}

/**
 * The row of a session that a file of an older version tells by names; undefined for what is none.
 *
 * @param version of the file: 1 or 2
 */
export function rowByNames(value: unknown, version: number): unknown {
  const valuesOf = (names: readonly string[], fields: unknown): unknown => {
    if (!isNamed(fields)) return undefined;
    const named: Named = { ...(version === 1 ? BEFORE_2 : BEFORE_3), ...fields };
    return names.map((name) => named[name]);
  };
  if (!(isNamed(value) && Array.isArray(value['open']))) return undefined;
  const open = value['open'].map((one) => valuesOf(Object.keys(ALLOCATION), one));
  return valuesOf(Object.keys(SESSION), { ...value, open });
}

/** What a file of version 2 does not tell. */
const BEFORE_3: Named = { isShown: true, attributes: null };

/** What a file of version 1 does not tell. */
const BEFORE_2: Named = {
  ...BEFORE_3,
  adoptedAllocations: 0,
  mostBytes: 0,
  gapMs: 0,
  relayedSoFar: 'unknown',
  suspect: false,
  held: null,
};

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isFlag: Check = (value) => typeof value === 'boolean';
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const isTime: Check = (value) => typeof value === 'number' && value >= 0 && value <= LAST_MS;
const isTraffic: Check = (value) =>
  Array.isArray(value) && value.length === 4 && value.every(isCount);
const isTotal: Check = (value) => value === null || isTraffic(value);
const isOneOf =
  (choices: readonly unknown[]): Check =>
  (value) =>
    choices.includes(value);

/** What is saved, in the order of a line, with what each field may hold. */
type Layout<T> = Readonly<Record<keyof T, Check>>;

const SESSION: Layout<SavedSession> = {
  id: isText,
  group: isText,
  realm: isText,
  userName: isText,
  username: isText,
  servers: isText,
  transports: isText,
  tlsVersions: isText,
  clients: isText,
  startKnown: isFlag,
  complete: isFlag,
  reportsPeer: isFlag,
  isShown: isFlag,
  allocationCount: isCount,
  adoptedAllocations: isCount,
  missedBytes: isCount,
  mostBytes: isCount,
  gapMs: isCount,
  startedAtMs: isTime,
  endedAtMs: isTime,
  endReason: isOneOf(END_REASONS),
  relayedSoFar: isOneOf(RELAYED),
  client: isTraffic,
  peer: isTraffic,
  attributes: (value) => value === null || isAttributes(value),
  open: (value) => Array.isArray(value) && value.every(isAllocationRow),
};

const ALLOCATION: Layout<SavedAllocation> = {
  key: isText,
  source: isText,
  origin: isText,
  server: isText,
  local: isText,
  transport: isOneOf(TRANSPORTS),
  tls: isOneOf(TLS_VERSIONS),
  startKnown: isFlag,
  contested: isFlag,
  expectsPeer: isFlag,
  reportsPeer: isFlag,
  suspect: isFlag,
  startedAtMs: isTime,
  lastEventMs: isTime,
  endedAtMs: isTime,
  endReason: isOneOf([...END_REASONS, null]),
  lifetimeMs: isTime,
  client: isTraffic,
  peer: isTraffic,
  clientTotal: isTotal,
  peerTotal: isTotal,
  held: isTotal,
};

const SESSION_CHECKS = Object.values(SESSION);
const ALLOCATION_CHECKS = Object.values(ALLOCATION);

function isAttributes(value: unknown): boolean {
  if (!isNamed(value)) return false;
  const texts = Object.values(value);
  return texts.length > 0 && texts.every(isText);
}

function isSessionRow(value: unknown): value is SessionRow {
  return isRow(value, SESSION_CHECKS);
}

function isAllocationRow(value: unknown): boolean {
  return isRow(value, ALLOCATION_CHECKS);
}

function isRow(row: unknown, checks: readonly Check[]): boolean {
  if (!Array.isArray(row) || row.length !== checks.length) return false;
  for (let at = 0; at < checks.length; at += 1) {
    if (checks[at]?.(row[at]) !== true) return false;
  }
  return true;
}

// Written out in the order of the layouts: loops over names take ten times as long.

type SessionRow = ReturnType<typeof sessionRow>;
type AllocationRow = ReturnType<typeof allocationRow>;

function sessionRow(session: SavedSession) {
  return [
    session.id,
    session.group,
    session.realm,
    session.userName,
    session.username,
    session.servers,
    session.transports,
    session.tlsVersions,
    session.clients,
    session.startKnown,
    session.complete,
    session.reportsPeer,
    session.isShown,
    session.allocationCount,
    session.adoptedAllocations,
    session.missedBytes,
    session.mostBytes,
    session.gapMs,
    session.startedAtMs,
    session.endedAtMs,
    session.endReason,
    session.relayedSoFar,
    session.client,
    session.peer,
    session.attributes,
    session.open.map(allocationRow),
  ] as const;
}

function allocationRow(allocation: SavedAllocation) {
  return [
    allocation.key,
    allocation.source,
    allocation.origin,
    allocation.server,
    allocation.local,
    allocation.transport,
    allocation.tls,
    allocation.startKnown,
    allocation.contested,
    allocation.expectsPeer,
    allocation.reportsPeer,
    allocation.suspect,
    allocation.startedAtMs,
    allocation.lastEventMs,
    allocation.endedAtMs,
    allocation.endReason,
    allocation.lifetimeMs,
    allocation.client,
    allocation.peer,
    allocation.clientTotal,
    allocation.peerTotal,
    allocation.held,
  ] as const;
}

function sessionOfRow(row: SessionRow): SavedSession {
  return {
    id: row[0],
    group: row[1],
    realm: row[2],
    userName: row[3],
    username: row[4],
    servers: row[5],
    transports: row[6],
    tlsVersions: row[7],
    clients: row[8],
    startKnown: row[9],
    complete: row[10],
    reportsPeer: row[11],
    isShown: row[12],
    allocationCount: row[13],
    adoptedAllocations: row[14],
    missedBytes: row[15],
    mostBytes: row[16],
    gapMs: row[17],
    startedAtMs: row[18],
    endedAtMs: row[19],
    endReason: row[20],
    relayedSoFar: row[21],
    client: row[22],
    peer: row[23],
    attributes: row[24],
    open: row[25].map(allocationOf),
  };
}

function allocationOf(row: AllocationRow): SavedAllocation {
  return {
    key: row[0],
    source: row[1],
    origin: row[2],
    server: row[3],
    local: row[4],
    transport: row[5],
    tls: row[6],
    startKnown: row[7],
    contested: row[8],
    expectsPeer: row[9],
    reportsPeer: row[10],
    suspect: row[11],
    startedAtMs: row[12],
    lastEventMs: row[13],
    endedAtMs: row[14],
    endReason: row[15],
    lifetimeMs: row[16],
    client: row[17],
    peer: row[18],
    clientTotal: row[19],
    peerTotal: row[20],
    held: row[21],
  };
}

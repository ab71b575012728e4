import { TLS_VERSIONS, type TlsVersion, TRANSPORTS, type Transport } from '../coturn/event.ts';
import { Allocation } from './allocation.ts';
import type { AllocationTable } from './allocation-table.ts';
import { END_REASONS, type EndReason, type Ledger } from './ledger.ts';
import type { Origin } from './origin.ts';
import { RELAYED, type Relayed } from './relayed.ts';
import type { Session } from './session.ts';
import type { SessionTable } from './session-table.ts';
import type { Traffic } from './traffic.ts';
import type { Users } from './user.ts';

/** Packets and bytes received, packets and bytes sent. */
export type SavedTraffic = readonly [number, number, number, number];

/**
 * The fields of a session that a state file keeps, by what they hold: all that its record will need.
 * A field that is named here is written, checked, and given to the session that is restored.
 */
const SESSION = {
  texts: [
    'id',
    'group',
    'realm',
    'userName',
    'username',
    'servers',
    'transports',
    'tlsVersions',
    'clients',
  ],
  flags: ['startKnown', 'complete', 'reportsPeer'],
  counts: ['allocationCount', 'adoptedAllocations', 'missedBytes', 'mostBytes', 'gapMs'],
  /** Unix times in ms, as the clock showed them when it was saved; 0 for none yet. */
  times: ['startedAtMs', 'endedAtMs'],
  spans: [],
  choices: ['endReason', 'relayedSoFar'],
  traffics: ['client', 'peer'],
  /** Null where none came. */
  totals: [],
} as const;

/** The same of an allocation. */
const ALLOCATION = {
  texts: ['key', 'local'],
  flags: ['startKnown', 'contested', 'expectsPeer', 'reportsPeer', 'suspect'],
  counts: [],
  times: ['startedAtMs', 'lastEventMs', 'endedAtMs'],
  spans: ['lifetimeMs'],
  choices: ['transport', 'tls'],
  traffics: ['client', 'peer'],
  totals: ['clientTotal', 'peerTotal', 'held'],
} as const;

type Fields = Readonly<Record<keyof typeof SESSION, readonly string[]>>;
type Numbers<F extends Fields> = (F['counts'] | F['times'] | F['spans'])[number];

interface Choices {
  readonly endReason: EndReason;
  readonly relayedSoFar: Relayed;
  readonly transport: Transport;
  readonly tls: TlsVersion;
}

/** Fields with the types that their lists tell, where traffic is kept as `T`. */
type Holding<F extends Fields, T, None> = Readonly<
  Record<F['texts'][number], string> &
    Record<F['flags'][number], boolean> &
    Record<Numbers<F>, number> &
    Pick<Choices, F['choices'][number] & keyof Choices> &
    Record<F['traffics'][number], T> &
    Record<F['totals'][number], T | None>
>;

/** A session as a state file keeps it, in plain JSON. */
export type SavedSession = Holding<typeof SESSION, SavedTraffic, null> & {
  /** Those that live or linger; empty when it has finished and its record was not written yet. */
  readonly open: readonly SavedAllocation[];
};

/** An allocation of a {@link SavedSession}. */
export type SavedAllocation = Holding<typeof ALLOCATION, SavedTraffic, null> & {
  readonly endReason: EndReason | null;
  /** The source's name, and the server that names the origin there. */
  readonly source: string;
  readonly origin: string;
  /** The server its traffic is counted for. */
  readonly server: string;
};

/** What a session takes over of an earlier process, with times on the tracker's scale. */
export type RestoredSession = Holding<typeof SESSION, Traffic, undefined>;

/** What an allocation takes over of an earlier process. */
export type RestoredAllocation = Holding<typeof ALLOCATION, Traffic, undefined>;

/** How sessions of an earlier process are taken in. */
export interface RestoreOptions {
  /** The origin of an allocation. */
  readonly originOf: (source: string, server: string) => Origin;
  /**
   * The sums are all that the earlier process counted: it was stopped in order, so what is missing
   * of a total was counted by nobody.
   */
  readonly pastCounted: boolean;
  /** What to add to the tracker's time to get Unix time in ms. */
  readonly wallOffsetMs: number;
  readonly nowMs: number;
}

/** Where {@link restoreSession} puts a session. */
export interface RestoreTarget {
  readonly ledger: Ledger;
  readonly users: Users;
  readonly sessions: SessionTable;
  readonly table: AllocationTable;
}

/**
 * A session in the form of a state file.
 *
 * @param wallOffsetMs what to add to the tracker's time to get Unix time in ms
 */
export function saveSession(session: Session, wallOffsetMs: number): SavedSession {
  for (const allocation of session.open) session.noteGaps(allocation);
  const saved = fill({ ...EMPTY_SESSION }, SESSION, { from: session, wallOffsetMs }, SAVING);
  saved['open'] = session.open.map((allocation) => saveAllocation(allocation, wallOffsetMs));
  // Its fields are what the lists name, and `open`.
  return saved as unknown as SavedSession;
}

function saveAllocation(allocation: Allocation, wallOffsetMs: number): unknown {
  const saved = fill(
    { ...EMPTY_ALLOCATION },
    ALLOCATION,
    { from: allocation, wallOffsetMs },
    SAVING,
  );
  saved['endReason'] = allocation.endReason ?? null;
  saved['source'] = allocation.origin.stats.name;
  saved['origin'] = allocation.origin.server;
  saved['server'] = allocation.account.server;
  return saved;
}

/**
 * Takes in a session of an earlier process. Its allocations are not counted as created again, and
 * what they relayed is not added to counters again.
 */
export function restoreSession(
  saved: SavedSession,
  options: RestoreOptions,
  { ledger, users, sessions, table }: RestoreTarget,
): void {
  const { originOf, pastCounted, wallOffsetMs, nowMs } = options;
  const account = ledger.realm(saved.realm);
  const user = users.open(account.realm, saved.userName);
  const known = fill(
    { ...EMPTY_RESTORED },
    SESSION,
    { from: saved, wallOffsetMs },
    RESTORING,
  ) as unknown as RestoredSession;
  const { group, realm, userName, username, startKnown, startedAtMs } = known;
  const begun = { group, realm, userName, username, startKnown, startedAtMs, account, user };
  const session = sessions.begin(begun);
  session.restore(known, saved.open.length);
  for (const one of saved.open) {
    const origin = originOf(one.source, one.origin);
    // Two sessions of one file never share a key; a file made by hand might.
    if (origin.allocations.has(one.key)) continue;
    const past = fill(
      { ...EMPTY_ALLOCATION },
      ALLOCATION,
      { from: one, wallOffsetMs },
      RESTORING,
    ) as unknown as RestoredAllocation;
    const allocation = new Allocation({
      key: one.key,
      origin,
      session,
      account: ledger.server(account, one.server),
      row: origin.allocations.reserve(one.key),
      startKnown: one.startKnown && pastCounted,
      contested: one.contested,
      nowMs: past.startedAtMs,
    });
    allocation.restore(past, one.endReason ?? undefined, nowMs);
    table.admit(allocation, nowMs);
  }
  sessions.resume(session);
  // It had finished, and the process that counted it did not come to write its record.
  if (session.open.length === 0) sessions.queue(session);
}

/** Whether a value read from a state file of this version is a session in every field. */
export function isSavedSession(value: unknown, version: number): value is SavedSession {
  if (!(isObject(value) && hasFields(SESSION, value, version))) return false;
  const { open } = value;
  return Array.isArray(open) && open.every((one) => isSavedAllocation(one, version));
}

function isSavedAllocation(value: unknown, version: number): boolean {
  if (!(isObject(value) && hasFields(ALLOCATION, value, version))) return false;
  const { source, origin, server, endReason } = value;
  return (
    [source, origin, server].every((name) => typeof name === 'string') &&
    (endReason === null || isChoice(endReason, 'endReason'))
  );
}

/** The version of a state file from which on each of these is there, and what they are before. */
export const ALL_FIELDS_VERSION = 2;
const BEFORE: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['adoptedAllocations', 0],
  ['mostBytes', 0],
  ['gapMs', 0],
  ['relayedSoFar', 'unknown'],
  ['suspect', false],
  ['held', null],
]);

function orBefore(fields: Readonly<Record<string, unknown>>, name: string): unknown {
  const value = fields[name];
  return value === undefined ? BEFORE.get(name) : value;
}

type Check = (value: unknown, name: string) => boolean;

const CHOICES: Readonly<Record<string, readonly string[]>> = {
  endReason: END_REASONS,
  relayedSoFar: RELAYED,
  transport: TRANSPORTS,
  tls: TLS_VERSIONS,
};

const isText: Check = (value) => typeof value === 'string';
const isChoice: Check = (value, name) =>
  typeof value === 'string' && CHOICES[name]?.includes(value) === true;
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
/** Before the year 10000: whatever is made of it, a `Date` can hold. */
const isTime: Check = (value) =>
  typeof value === 'number' && value >= 0 && value < 253_402_300_800_000;
const isTraffic: Check = (value, name) =>
  Array.isArray(value) && value.length === 4 && value.every((count) => isCount(count, name));

const CHECKS: Readonly<Record<keyof Fields, Check>> = {
  texts: isText,
  flags: (value) => typeof value === 'boolean',
  counts: isCount,
  times: isTime,
  spans: isTime,
  choices: isChoice,
  traffics: isTraffic,
  totals: (value, name) => value === null || isTraffic(value, name),
};
const GROUPS = Object.keys(CHECKS) as readonly (keyof Fields)[];

function hasFields(
  fields: Fields,
  value: Readonly<Record<string, unknown>>,
  version: number,
): boolean {
  const isWhole = version >= ALL_FIELDS_VERSION;
  return GROUPS.every((group) =>
    fields[group].every((name) =>
      CHECKS[group](isWhole ? value[name] : orBefore(value, name), name),
    ),
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** From the tracker to a state file, and back. */
interface Conversion {
  readonly sign: 1 | -1;
  readonly traffic: (value: unknown) => unknown;
  readonly none: null | undefined;
}

const SAVING: Conversion = {
  sign: 1,
  traffic: (value) => {
    const { receivedPackets, receivedBytes, sentPackets, sentBytes } = value as Traffic;
    return [receivedPackets, receivedBytes, sentPackets, sentBytes];
  },
  none: null,
};

const RESTORING: Conversion = {
  sign: -1,
  traffic: (value) => {
    const numbers = value as SavedTraffic;
    return {
      receivedPackets: numbers[0],
      receivedBytes: numbers[1],
      sentPackets: numbers[2],
      sentBytes: numbers[3],
    };
  },
  none: undefined,
};

type Anything = Record<string, unknown>;

/** Objects with every field in its place: adding them one by one to each copy would be slow. */
const EMPTY_SESSION: Anything = emptyOf(SESSION, ['open']);
const EMPTY_RESTORED: Anything = emptyOf(SESSION, []);
const EMPTY_ALLOCATION: Anything = emptyOf(ALLOCATION, ['endReason', 'source', 'origin', 'server']);

function emptyOf(fields: Fields, more: readonly string[]): Anything {
  const names = [...GROUPS.flatMap((group) => fields[group]), ...more];
  return Object.fromEntries(names.map((name) => [name, null]));
}

/** The types of its callers say what it makes; here fields are only names. */
function fill(
  made: Anything,
  fields: Fields,
  { from, wallOffsetMs }: { readonly from: object; readonly wallOffsetMs: number },
  { sign, traffic, none }: Conversion,
): Anything {
  const source = from as Readonly<Anything>;
  for (const name of fields.texts) made[name] = source[name];
  for (const name of fields.flags) made[name] = orBefore(source, name);
  for (const name of fields.counts) made[name] = orBefore(source, name);
  for (const name of fields.spans) made[name] = source[name];
  for (const name of fields.choices) made[name] = orBefore(source, name);
  for (const name of fields.times) {
    const atMs = Number(source[name]);
    made[name] = atMs === 0 ? 0 : atMs + sign * wallOffsetMs;
  }
  for (const name of fields.traffics) made[name] = traffic(source[name]);
  for (const name of fields.totals) {
    const value = source[name] ?? none;
    made[name] = value === none ? none : traffic(value);
  }
  return made;
}

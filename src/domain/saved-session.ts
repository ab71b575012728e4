import type { TlsVersion, Transport } from '../coturn/event.ts';
import { MAX_KEY_LENGTH } from '../coturn/key.ts';
import { Allocation } from './allocation.ts';
import type { AllocationTable } from './allocation-table.ts';
import type { EndReason, Ledger } from './ledger.ts';
import type { Origin } from './origin.ts';
import type { Relayed } from './relayed.ts';
import type { Session } from './session.ts';
import type { SessionTable } from './session-table.ts';
import { numbersOf, type TrafficNumbers } from './traffic.ts';
import type { Attributes, Hide, Users } from './user.ts';

/**
 * A session as a state file keeps it, all that its record will need. Times are Unix
 * times in ms, as the clock showed them when it was saved; 0 for none yet.
 */
export interface SavedSession {
  readonly id: string;
  readonly group: string;
  readonly realm: string;
  readonly userName: string;
  readonly username: string;
  readonly servers: string;
  readonly transports: string;
  readonly tlsVersions: string;
  readonly clients: string;
  readonly startKnown: boolean;
  readonly complete: boolean;
  readonly reportsPeer: boolean;
  readonly isShown: boolean;
  readonly allocationCount: number;
  readonly adoptedAllocations: number;
  readonly missedBytes: number;
  readonly mostBytes: number;
  readonly gapMs: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly endReason: EndReason;
  readonly relayedSoFar: Relayed;
  readonly client: TrafficNumbers;
  readonly peer: TrafficNumbers;
  /** Null for none. */
  readonly attributes: Attributes | null;
  /** Those that live or linger; empty when it has finished and its record was not written yet. */
  readonly open: readonly SavedAllocation[];
}

/** An allocation of a {@link SavedSession}. */
export interface SavedAllocation {
  readonly key: string;
  /** The names of the source, and of the origin there. */
  readonly source: string;
  readonly origin: string;
  /** The server its traffic is counted for. */
  readonly server: string;
  readonly local: string;
  readonly transport: Transport;
  readonly tls: TlsVersion;
  readonly startKnown: boolean;
  readonly contested: boolean;
  readonly expectsPeer: boolean;
  readonly reportsPeer: boolean;
  readonly suspect: boolean;
  readonly startedAtMs: number;
  readonly lastEventMs: number;
  readonly endedAtMs: number;
  readonly endReason: EndReason | null;
  readonly lifetimeMs: number;
  readonly client: TrafficNumbers;
  readonly peer: TrafficNumbers;
  /** Null where none came. */
  readonly clientTotal: TrafficNumbers | null;
  readonly peerTotal: TrafficNumbers | null;
  readonly held: TrafficNumbers | null;
}

/** How sessions of an earlier process are taken in. */
export interface RestoreOptions {
  /** The origin of an allocation. */
  readonly originOf: (source: string, name: string) => Origin;
  /**
   * The sums are all that the earlier process counted: it was stopped in order, so what is missing
   * of a total was counted by nobody.
   */
  readonly pastCounted: boolean;
  /** Its keys hide their users, as those of this process would; default: they hide nothing. */
  readonly isHidden?: boolean;
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

/** How sessions are saved. */
interface SaveOptions {
  /** What to add to the tracker's time to get Unix time in ms. */
  readonly wallOffsetMs: number;
  /** Absent: names are saved as they are. */
  readonly hide: Hide | undefined;
}

/** A session in the form of a state file. */
export function saveSession(session: Session, options: SaveOptions): SavedSession {
  const { wallOffsetMs } = options;
  for (const allocation of session.open) session.noteGaps(allocation);
  return {
    id: session.id,
    group: session.group,
    realm: session.realm,
    userName: session.userName,
    username: session.username,
    servers: session.servers,
    transports: session.transports,
    tlsVersions: session.tlsVersions,
    clients: session.clients,
    startKnown: session.startKnown,
    complete: session.complete,
    reportsPeer: session.reportsPeer,
    isShown: session.isShown,
    allocationCount: session.allocationCount,
    adoptedAllocations: session.adoptedAllocations,
    missedBytes: session.missedBytes,
    mostBytes: session.mostBytes,
    gapMs: session.gapMs,
    startedAtMs: shift(session.startedAtMs, wallOffsetMs),
    endedAtMs: shift(session.endedAtMs, wallOffsetMs),
    endReason: session.endReason,
    relayedSoFar: session.relayedSoFar,
    client: numbersOf(session.client),
    peer: numbersOf(session.peer),
    attributes: session.attributes ?? null,
    open: session.open.map((allocation) => saveAllocation(allocation, options)),
  };
}

function saveAllocation(
  allocation: Allocation,
  { wallOffsetMs, hide }: SaveOptions,
): SavedAllocation {
  const { clientTotal, peerTotal, held } = allocation;
  return {
    key: allocation.shownKey(hide),
    source: allocation.origin.stats.name,
    origin: allocation.origin.name,
    server: allocation.account.server,
    local: allocation.local,
    transport: allocation.transport,
    tls: allocation.tls,
    startKnown: allocation.startKnown,
    contested: allocation.contested,
    expectsPeer: allocation.expectsPeer,
    reportsPeer: allocation.reportsPeer,
    suspect: allocation.suspect,
    startedAtMs: shift(allocation.startedAtMs, wallOffsetMs),
    lastEventMs: shift(allocation.lastEventMs, wallOffsetMs),
    endedAtMs: shift(allocation.endedAtMs, wallOffsetMs),
    endReason: allocation.endReason ?? null,
    lifetimeMs: allocation.lifetimeMs,
    client: numbersOf(allocation.client),
    peer: numbersOf(allocation.peer),
    clientTotal: clientTotal === undefined ? null : numbersOf(clientTotal),
    peerTotal: peerTotal === undefined ? null : numbersOf(peerTotal),
    held: held === undefined ? null : numbersOf(held),
  };
}

/** From one scale of time to another; what has not been yet stays 0. */
function shift(atMs: number, byMs: number): number {
  return atMs === 0 ? 0 : atMs + byMs;
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
  const toTracker = (atMs: number): number => shift(atMs, -wallOffsetMs);
  const account = ledger.realm(saved.realm);
  const { group, userName, username, startKnown } = saved;
  const session = sessions.begin({
    group,
    account,
    user: users.open(account.realm, userName),
    // Where they are the same, the realm's own text serves all its sessions.
    realm: account.realm === saved.realm ? account.realm : saved.realm,
    userName,
    username,
    attributes: saved.attributes ?? undefined,
    startKnown,
    startedAtMs: toTracker(saved.startedAtMs),
  });
  session.restore(saved, toTracker(saved.endedAtMs));
  for (const one of saved.open) {
    const origin = originOf(one.source, one.origin);
    // Two sessions of one file never share a key, and no key is longer; a file made by hand might.
    if (one.key.length > MAX_KEY_LENGTH || origin.allocations.has(one.key)) continue;
    // Who connects may have another name by now.
    const server = origin.stats.serverFrom === 'connection' ? origin.server : one.server;
    const allocation = new Allocation({
      origin,
      session,
      account: ledger.server(account, server),
      address: origin.allocations.insert(one.key),
      startKnown: one.startKnown && pastCounted,
      contested: one.contested,
      nowMs: toTracker(one.startedAtMs),
    });
    allocation.restore(one, {
      lastEventMs: toTracker(one.lastEventMs),
      endedAtMs: toTracker(one.endedAtMs),
      nowMs,
    });
    if (options.isHidden === true) allocation.noteHidden();
    table.admit(allocation, nowMs);
  }
  sessions.resume(session, saved.isShown);
}

/** A session of a process that hid no names, as one saves it that does; keys stay as they are. */
export function hideNames(saved: SavedSession, hide: Hide): SavedSession {
  const clients = saved.clients === '' ? [] : saved.clients.split(',').map(hide);
  const { userName, username } = saved;
  return {
    ...saved,
    userName: hide(userName),
    username: hide(username),
    clients: clients.join(','),
  };
}

import { addressOf } from '../coturn/connection.ts';
import type { Connection } from '../coturn/event.ts';
import type { StatsKey } from '../coturn/key.ts';
import { detach } from '../coturn/key.ts';
import type { Ledger } from './ledger.ts';
import type { Origin } from './origin.ts';
import type { SavedSession } from './saved-session.ts';
import { Session } from './session.ts';
import type { Users } from './user.ts';

/** Which allocations of a user are one session: `--session.group-by`. */
export type GroupBy = 'user' | 'client' | 'allocation';

/** What a {@link SessionTable} works with. */
export interface SessionTableOptions {
  readonly groupBy: GroupBy;
  /** The name of the user behind a username. */
  readonly userName: (username: string) => string;
  /** A new session id: unique, and sortable by the time at which its session began. */
  readonly newSessionId: (startedAtMs: number) => string;
}

/** What tells the session of a new allocation. */
export interface SessionMember {
  readonly origin: Origin;
  readonly key: StatsKey;
  readonly connection?: Connection | undefined;
  readonly startKnown: boolean;
  readonly nowMs: number;
}

/**
 * How soon after its last allocation a session still takes in another, in ms. A client that replaces
 * its allocation over TCP leaves a gap of milliseconds; over UDP coturn itself tells of an end a
 * second late (median 1,002 ms).
 */
export const JOIN_MS = 1000;

/** Which session an allocation belongs to, from the first of its allocations to its record. */
export class SessionTable {
  readonly #options: SessionTableOptions;
  readonly #ledger: Ledger;
  readonly #users: Users;
  /** Sessions with live allocations by group, where the user does not tell the session. */
  readonly #groups = new Map<string, Session>();
  #finished: Session[] = [];

  constructor(options: SessionTableOptions, ledger: Ledger, users: Users) {
    this.#options = options;
    this.#ledger = ledger;
    this.#users = users;
  }

  /** The session of a new allocation, which begins here unless one is under way. */
  open(member: SessionMember): Session {
    const { key, startKnown, nowMs } = member;
    const userName = this.#options.userName(key.username);
    const account = this.#ledger.realm(key.realm);
    const user = this.#users.open(account.realm, userName);
    // The user's entry goes by its label, which may stand for several long names or realms.
    const isOwnGroup =
      this.#options.groupBy === 'user' && user.name === userName && account.realm === key.realm;
    const group = isOwnGroup ? '' : this.#groupOf(member, userName);
    const known = isOwnGroup ? user.current : this.#groups.get(group);
    if (known !== undefined && isUnderWay(known, nowMs)) return known;
    const { username } = key;
    // Where they are the same, the realm's own text serves all its sessions.
    const realm = account.realm === key.realm ? account.realm : detach(key.realm);
    const session = new Session({
      group,
      realm,
      account,
      user,
      userName,
      username,
      startKnown,
      startedAtMs: nowMs,
    });
    this.#users.join(session);
    account.liveSessions += 1;
    if (isOwnGroup) user.current = session;
    else this.#groups.set(group, session);
    return session;
  }

  /**
   * A session of an earlier process, without its allocations.
   *
   * @param wallOffsetMs what to add to the tracker's time to get Unix time in ms
   */
  restore(saved: SavedSession, wallOffsetMs: number): Session {
    const account = this.#ledger.realm(saved.realm);
    const session = new Session({
      group: saved.group,
      realm: saved.realm,
      account,
      user: this.#users.open(account.realm, saved.userName),
      userName: saved.userName,
      username: saved.username,
      startKnown: saved.startKnown,
      startedAtMs: saved.startedAtMs - wallOffsetMs,
    });
    session.restore(saved, wallOffsetMs);
    this.#users.join(session);
    account.liveSessions += 1;
    return session;
  }

  /** Allocations of its user or group join a restored session that has some that live. */
  resume(session: Session): void {
    if (session.liveAllocations === 0) return;
    if (session.group === '') session.user.current ??= session;
    else if (!this.#groups.has(session.group)) this.#groups.set(session.group, session);
  }

  /** The id of a session, which it gets when someone asks for it first. */
  idOf(session: Session): string {
    if (session.id === '') session.id = this.#options.newSessionId(session.startedAtMs);
    return session.id;
  }

  /** All allocations of a session are settled. */
  finish(session: Session): void {
    const { account, endReason } = session;
    const finished = session.relayed ? account.finishedRelayed : account.finishedUnrelayed;
    finished[endReason] += 1;
    this.hand(session);
  }

  /** Gives out a session that is finished and counted. */
  hand(session: Session): void {
    const { account } = session;
    this.idOf(session);
    if (this.#groups.get(session.group) === session) this.#groups.delete(session.group);
    if (session.user.current === session) session.user.current = undefined;
    account.liveSessions -= 1;
    this.#finished.push(session);
  }

  /** Takes out at most `limit` sessions that have finished, the oldest first. */
  takeFinished(limit: number): Session[] {
    if (this.#finished.length <= limit) {
      const all = this.#finished;
      this.#finished = [];
      return all;
    }
    return this.#finished.splice(0, limit);
  }

  #groupOf({ origin, key, connection }: SessionMember, name: string): string {
    // The realm's length keeps realm and name apart, whatever they hold.
    const user = `${key.realm.length} ${key.realm} ${name}`;
    switch (this.#options.groupBy) {
      case 'user':
        return user;
      case 'client':
        return `${connection === undefined ? '' : addressOf(connection.remote)} ${user}`;
      case 'allocation':
        // Names, not numbers: a state file takes this to another process.
        return `${origin.stats.name} ${origin.server} ${key.allocationKey}`;
    }
  }
}

function isUnderWay({ liveAllocations, endedAtMs }: Session, nowMs: number): boolean {
  return liveAllocations > 0 || nowMs - endedAtMs <= JOIN_MS;
}

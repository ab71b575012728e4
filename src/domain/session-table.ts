import { addressOf } from '../coturn/connection.ts';
import type { Connection } from '../coturn/event.ts';
import { copyText, type StatsKey } from '../coturn/key.ts';
import type { Ledger } from './ledger.ts';
import type { Origin } from './origin.ts';
import { Session, type SessionInit } from './session.ts';
import { type Attributes, hideUser, type UserNames, type Users } from './user.ts';

/** Which allocations of a user are one session: `--session.group-by`. */
export type GroupBy = 'user' | 'client' | 'allocation';

/** What a {@link SessionTable} works with. */
export interface SessionTableOptions extends UserNames {
  readonly groupBy: GroupBy;
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
  sessionOf(member: SessionMember): Session {
    const { key, startKnown, nowMs } = member;
    const userName = this.#show(this.#options.userName(key.username));
    const attributes = this.#options.attributes?.(key.username);
    const account = this.#ledger.realm(key.realm);
    const user = this.#users.open(account.realm, userName);
    // The user's entry goes by its label, which may stand for several long names or realms.
    const isAlone = user.name === userName && account.realm === key.realm;
    const isOwnGroup = this.#options.groupBy === 'user' && isAlone && attributes === undefined;
    const group = isOwnGroup ? '' : this.#groupOf(member, userName, attributes);
    const known = isOwnGroup ? user.current : this.#groups.get(group);
    if (known !== undefined && isUnderWay(known, nowMs)) return known;
    const session = this.begin({
      group,
      account,
      user,
      // Where they are the same, the realm's own text serves all its sessions.
      realm: account.realm === key.realm ? account.realm : copyText(key.realm),
      userName,
      username: this.#show(key.username),
      attributes,
      startKnown,
      startedAtMs: nowMs,
    });
    this.#continueWith(session);
    return session;
  }

  /** A session that has begun now, or in an earlier process. */
  begin(init: SessionInit): Session {
    const session = new Session(init);
    init.user.join(session);
    return session;
  }

  /**
   * A restored session goes on: allocations of its user or group join the latest that has some that
   * live, unless all of these are suspect.
   *
   * @param wasShown it was in the live gauges
   */
  resume(session: Session, wasShown: boolean): void {
    if (wasShown) session.resume();
    // It had finished, and the process that counted it did not come to write its record.
    if (session.open.length === 0) return this.queue(session);
    if (session.liveAllocations === 0) return;
    const { group, user } = session;
    const current = group === '' ? user.current : this.#groups.get(group);
    if (current === undefined || current.startedAtMs < session.startedAtMs) {
      this.#continueWith(session);
    }
  }

  /** The id of a session, which it gets when someone asks for it first. */
  idOf(session: Session): string {
    session.nameBy(this.#options.newSessionId);
    return session.id;
  }

  /** All allocations of a session are closed: it is counted, and waits for its record. */
  finish(session: Session): void {
    session.account.countFinished(session.relayed, session.endReason);
    this.queue(session);
  }

  /** Puts a session that is counted in line for its record. */
  queue(session: Session): void {
    const { group, user } = session;
    this.idOf(session);
    if (this.#groups.get(group) === session) this.#groups.delete(group);
    if (user.current === session) user.continueWith(undefined);
    this.#finished.push(session);
  }

  /** Takes out at most `limit` sessions that have finished, the oldest first. */
  takeFinished(limit: number = Number.POSITIVE_INFINITY): Session[] {
    if (this.#finished.length <= limit) {
      const all = this.#finished;
      this.#finished = [];
      return all;
    }
    return this.#finished.splice(0, limit);
  }

  #continueWith(session: Session): void {
    if (session.group === '') session.user.continueWith(session);
    else this.#groups.set(session.group, session);
  }

  /** A state file takes this to another process, so it holds names, and none that are hidden. */
  #groupOf(
    { origin, key, connection }: SessionMember,
    name: string,
    attributes: Attributes | undefined,
  ): string {
    // The realm's length keeps realm and name apart, whatever they hold.
    const known = `${key.realm.length} ${key.realm} ${name}`;
    const user = attributes === undefined ? known : `${JSON.stringify(attributes)} ${known}`;
    switch (this.#options.groupBy) {
      case 'user':
        return user;
      case 'client':
        return `${connection === undefined ? '' : this.#show(addressOf(connection.remote))} ${user}`;
      case 'allocation':
        // Names, not numbers: a state file takes this to another process.
        return `${origin.stats.name} ${origin.name} ${hideUser(key, this.#options.hide)}`;
    }
  }

  #show(text: string): string {
    const { hide } = this.#options;
    return hide === undefined ? text : hide(text);
  }
}

/** Where all that live are suspect, its server is gone, and what begins now is another use. */
function isUnderWay(session: Session, nowMs: number): boolean {
  if (session.liveAllocations > 0) return session.trustedAllocations > 0;
  return nowMs - session.endedAtMs <= JOIN_MS;
}

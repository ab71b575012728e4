import { type StatsKey, withUsername } from '../coturn/key.ts';
import { showText } from '../coturn/text.ts';
import { addTo, type Few, listOf, removeFrom } from './few.ts';
import type { Session } from './session.ts';
import { own } from './source-stats.ts';

/** Which label the name of a user becomes: `--user.label`. */
export type UserLabel = 'userid' | 'raw' | 'hash' | 'none';

/** What a username tells besides its user: the further groups of `--user.pattern`, by name. */
export type Attributes = Readonly<Record<string, string>>;

/** Makes what stands for a name or an address outside of this process; the same for the same. */
export type Hide = (text: string) => string;

/** What is made of the usernames that coturn publishes. */
export interface UserNames {
  /** The name of the user behind a username: sessions, shards and labels go by it. */
  readonly userName: (username: string) => string;
  /** What else it tells; names that differ in it are of different users. Absent: never anything. */
  readonly attributes?: ((username: string) => Attributes | undefined) | undefined;
  /** Absent: names and addresses are shown and saved as they are. */
  readonly hide?: Hide | undefined;
}

/** The label under which users beyond the cap are summed. */
export const OVERFLOW_USER = '~other';

/**
 * A user with sessions that have not finished. Lives as long as they do, so that its series
 * disappear with the last of them.
 */
export class User {
  readonly realm: string;
  /** Its mapped name, cut as labels are. */
  readonly name: string;
  /** The `user` label; {@link OVERFLOW_USER} beyond the cap. */
  readonly label: string;
  #sessions: Few<Session> = undefined;
  /** The session with live allocations, where all allocations of a user are one session. */
  readonly current: Session | undefined = undefined;
  /** How many of its sessions are in the live gauges. */
  readonly liveSessions: number = 0;
  readonly #tally: UserTally;

  constructor(init: {
    realm: string;
    name: string;
    label: string;
    tally: UserTally;
  }) {
    this.#tally = init.tally;
    this.realm = init.realm;
    this.name = init.name;
    this.label = init.label;
  }

  /** In no order. */
  get sessions(): readonly Session[] {
    return listOf(this.#sessions);
  }

  /** Moves the number of live sessions by one. */
  changeLive(by: 1 | -1): void {
    if (this.liveSessions === 0) this.#tally.live += 1;
    own(this).liveSessions += by;
    if (this.liveSessions === 0) this.#tally.live -= 1;
  }

  /** Notes the session that further allocations join. */
  continueWith(session: Session | undefined): void {
    own(this).current = session;
  }

  /** Takes in a session that has just begun. */
  join(session: Session): void {
    this.#sessions = addTo(this.#sessions, session);
  }

  /** Forgets a session that it has. */
  leave(session: Session): void {
    this.#sessions = removeFrom(this.#sessions, session);
  }
}

/** How many users have sessions in the live gauges. */
interface UserTally {
  live: number;
}

/** Who is on the relay now, with a cap on those who get series of their own. */
export class Users {
  readonly #users = new UserMap();
  readonly #overflowing = new UserMap();
  readonly #maxSeries: number;
  readonly #tally: UserTally = { live: 0 };

  /** @param maxSeries the most users with series of their own; 0 for none at all */
  constructor(maxSeries: number) {
    this.#maxSeries = maxSeries;
  }

  /** The true number of live users: of those with a session in the live gauges. */
  get count(): number {
    return this.#tally.live;
  }

  /** Users with series of their own. */
  withSeries(): IterableIterator<User> {
    return this.#users.values();
  }

  /** Users beyond the cap. */
  beyondCap(): IterableIterator<User> {
    return this.#overflowing.values();
  }

  /** All sessions that are not recorded yet. */
  *sessions(): IterableIterator<Session> {
    // A copy of each list, since sessions may end between two steps of this.
    for (const user of this.#users.values()) yield* [...user.sessions];
    for (const user of this.#overflowing.values()) yield* [...user.sessions];
  }

  /**
   * The entry of a user, which is made where there is none.
   *
   * @param realm the realm's label, within its cap
   * @param name the mapped name of the user, not cut
   */
  open(realm: string, name: string): User {
    const label = labelOf(name);
    const known = this.#users.get(realm, label) ?? this.#overflowing.get(realm, label);
    if (known !== undefined) return known;
    const fits = this.#users.size < this.#maxSeries && label !== OVERFLOW_USER;
    const tally = this.#tally;
    const user = new User({ realm, name: label, label: fits ? label : OVERFLOW_USER, tally });
    (fits ? this.#users : this.#overflowing).add(user);
    return user;
  }

  /** Forgets a session, and its user with the last one; nothing happens a second time. */
  leave(session: Session): void {
    const { user } = session;
    if (user.sessions[session.slot] !== session) return;
    session.hide();
    user.leave(session);
    if (user.sessions.length > 0) return;
    if (!this.#users.delete(user)) this.#overflowing.delete(user);
  }
}

/** Users by realm and name: a key made of both would be one more text for each of them. */
class UserMap {
  readonly #realms = new Map<string, Map<string, User>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(realm: string, name: string): User | undefined {
    return this.#realms.get(realm)?.get(name);
  }

  /** Puts in a user that is not in. */
  add(user: User): void {
    let names = this.#realms.get(user.realm);
    if (names === undefined) {
      names = new Map();
      this.#realms.set(user.realm, names);
    }
    names.set(user.name, user);
    this.#size += 1;
  }

  /** @returns false when it was not in */
  delete({ realm, name }: User): boolean {
    const names = this.#realms.get(realm);
    if (names?.delete(name) !== true) return false;
    if (names.size === 0) this.#realms.delete(realm);
    this.#size -= 1;
    return true;
  }

  *values(): IterableIterator<User> {
    for (const names of this.#realms.values()) yield* names.values();
  }
}

/** The key of an allocation as it is outside of this process: with its user hidden. */
export function hideUser(key: StatsKey, hide: Hide | undefined): string {
  return hide === undefined ? key.allocationKey : withUsername(key, hide(key.username));
}

/** What a username is mapped by. */
export interface UserNameOptions {
  /**
   * `--user.label`. `none` and `hash` group sessions as `userid` does: the one makes no series, the
   * other hides the name that is found here.
   */
  readonly label: UserLabel;
  /** Stands between expiry and user id in names of the TURN REST API; coturn's default is `:`. */
  readonly restSeparator: string;
}

/**
 * A Unix time of ten digits or more. A REST name whose expiry is older (before 2001) has never been
 * valid, so shorter numbers are part of a static name such as `12:bob`.
 */
const EXPIRY = /^[0-9]{10,20}$/;

/**
 * Makes the mapping from the username that coturn publishes to the name of the user behind it.
 *
 *     1795306257:user1  →  user1        the TURN REST API's `expiry:userid`
 *
 * Source: draft-uberti-behave-turn-rest-00 §2.2; coturn's `--rest-api-separator`.
 */
export function createUserName(options: UserNameOptions): (username: string) => string {
  const { label, restSeparator } = options;
  if (label === 'raw' || restSeparator === '') return (username) => username;
  return (username) => {
    const at = username.indexOf(restSeparator);
    // Without a userid it is not the anonymous user.
    if (at + restSeparator.length >= username.length) return username;
    if (at < 0 || !EXPIRY.test(username.slice(0, at))) return username;
    return username.slice(at + restSeparator.length);
  };
}

/** The longest label value, in UTF-16 units (design, section 5). */
export const MAX_LABEL_LENGTH = 128;

/**
 * A label value made of text that a client may have chosen: well-formed, so that it is valid UTF-8 on
 * the wire, and cut at {@link MAX_LABEL_LENGTH}. Where it is cut stands `~` and a hash of all of it,
 * so that names which differ later only stay two. Escaping belongs to the exposition format.
 */
export function labelOf(text: string): string {
  const shown = showText(text);
  if (shown.length <= MAX_LABEL_LENGTH) return shown;
  const hash = hashOf(shown, 1).toString(16).padStart(8, '0');
  const cut = shown.slice(0, MAX_LABEL_LENGTH - 1 - 2 * hash.length);
  // A character of two units at the cut would lose its other half.
  const whole = cut.isWellFormed() ? cut : cut.slice(0, -1);
  return `${whole}~${hash}${hashOf(shown, 2).toString(16).padStart(8, '0')}`;
}

/** Which part of the users a replica accounts for: `--shard.index` of `--shard.total`. */
export interface Shard {
  readonly index: number;
  readonly total: number;
}

/** Whether a user falls to a shard; each falls to exactly one of `total`. */
export function isInShard(realm: string, userName: string, { index, total }: Shard): boolean {
  return total === 1 || hashOf(`${realm.length} ${realm} ${userName}`) % total === index;
}

/** FNV-1a over UTF-16 units: the same on every machine and in every version. */
function hashOf(text: string, seed = 0): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return (hash ^ (hash >>> 16)) >>> 0;
}

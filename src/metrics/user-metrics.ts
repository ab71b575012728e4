import { hash } from 'node:crypto';
import type { Session } from '../domain/session.ts';
import { OVERFLOW_USER, type User, type Users } from '../domain/user.ts';
import { nextTurn, type Piece } from './exposition.ts';
import { labelPairs, withBraces } from './live-metric.ts';

/** One family of per-user gauges. */
interface UserFamily {
  readonly name: string;
  readonly help: string;
  /** Makes one value of those of several users. */
  readonly combine: (left: number, right: number) => number;
}

const sum = (left: number, right: number): number => left + right;

/** The per-user gauges, in the order in which they are shown and in which a user is read. */
export const USER_FAMILIES: readonly UserFamily[] = [
  {
    name: 'coturn_user_sessions',
    help: 'Sessions of this user that exist now.',
    combine: sum,
  },
  {
    name: 'coturn_user_allocations',
    help: 'Allocations of this user that exist now.',
    combine: sum,
  },
  {
    name: 'coturn_user_session_start_time_seconds',
    help: 'Unix time at which the oldest live session of this user began.',
    combine: Math.min,
  },
  {
    name: 'coturn_user_session_received_bytes',
    help: 'Bytes received from this user in live sessions so far.',
    combine: sum,
  },
  {
    name: 'coturn_user_session_sent_bytes',
    help: 'Bytes sent to this user in live sessions so far.',
    combine: sum,
  },
];

/**
 * How many users make a block, which is read and written in one turn of the event loop: 1 or 2 ms of
 * work. Smaller ones would stay the same more often, and cost more to hand to zlib.
 */
const BLOCK = 500;

/** How many allocations are read before the event loop gets its turn: few users can hold many. */
const SLICE = 5_000;

/** When a scrape began. */
export interface Moment {
  /** In the tracker's time. */
  readonly nowMs: number;
  /** What to add to the tracker's time to get Unix time in ms. */
  readonly wallOffsetMs: number;
}

/** Some users, and what they looked like when somebody last asked. */
class Block {
  readonly users: readonly User[];
  readonly #known: { digest: string; key: object }[] = [];

  constructor(users: readonly User[]) {
    this.users = users;
  }

  /** An object that stays the same as long as the values of the family do. */
  keyOf(family: number, values: Float64Array): object {
    // A digest takes a thousandth of the values, which would have to be kept for every user.
    const digest = hash('sha1', values);
    const known = this.#known[family];
    if (known?.digest === digest) return known.key;
    const key = {};
    this.#known[family] = { digest, key };
    return key;
  }
}

/**
 * The per-user gauges. A hundred thousand users make half a million series, so they are read and
 * written block by block, all families of a user at once, and others get their turn in between. Users
 * keep their block from one scrape to the next, so that an encoder can keep the bytes of a block whose
 * values are the same.
 */
export class UserMetrics {
  readonly #users: Users;
  #blocks: readonly Block[] = [];

  constructor(users: Users) {
    this.#users = users;
  }

  /**
   * Their text, one place for each family; nothing when nobody is there.
   *
   * @param place of the first family
   */
  async *pieces(place: number, moment: Moment): AsyncGenerator<Piece> {
    if (this.#users.count === 0) return;
    const blocks: Block[] = [];
    for (const [family, { name, help }] of USER_FAMILIES.entries()) {
      const head = `# HELP ${name} ${help}\n# TYPE ${name} gauge\n`;
      yield { place: place + family, text: () => head };
    }
    for (const block of regroup(this.#blocks, this.#users.withSeries())) {
      if (blocks.length > 0) await nextTurn();
      blocks.push(block);
      const values = await readBlock(block.users, moment);
      let labels: readonly string[] | undefined;
      for (const [family, { name }] of USER_FAMILIES.entries()) {
        const ofFamily = columnOf(values, family);
        yield {
          place: place + family,
          text: () => {
            labels ??= block.users.map(({ realm, label }) => labelsOf(realm, label));
            return renderLines(name, labels, ofFamily);
          },
          key: () => block.keyOf(family, ofFamily),
        };
      }
    }
    this.#blocks = blocks;
    yield* this.#overflow(place, moment);
  }

  /** One series by realm for those beyond the cap. */
  async *#overflow(place: number, moment: Moment): AsyncGenerator<Piece> {
    const byRealm = new Map<string, number[]>();
    for (const { users } of regroup([], this.#users.beyondCap())) {
      await nextTurn();
      const values = await readBlock(users, moment);
      for (const [index, { realm }] of users.entries()) {
        const ofRealm = byRealm.get(realm) ?? [];
        byRealm.set(realm, ofRealm);
        addUp(ofRealm, values, index);
      }
    }
    const labels = [...byRealm.keys()].map((realm) => labelsOf(realm, OVERFLOW_USER));
    for (const [family, { name }] of USER_FAMILIES.entries()) {
      const values = Array.from(byRealm.values(), (ofRealm) => ofRealm[family] ?? Number.NaN);
      yield { place: place + family, text: () => renderLines(name, labels, values) };
    }
  }
}

/**
 * The users in blocks, in the order in which they came; those who come meanwhile, too. A block that
 * nobody has left stays as it is; one that is less than half full goes along with the next.
 */
function* regroup(blocks: readonly Block[], users: Iterator<User, undefined>): Generator<Block> {
  let user = users.next().value;
  let group: User[] = [];
  for (const block of blocks) {
    for (const known of block.users) {
      if (known !== user) continue;
      group.push(user);
      user = users.next().value;
    }
    if (group.length < BLOCK / 2) continue;
    const isSame = group.length === block.users.length && group[0] === block.users[0];
    yield isSame ? block : new Block(group);
    group = [];
  }
  for (; user !== undefined; user = users.next().value) {
    group.push(user);
    if (group.length < BLOCK) continue;
    yield new Block(group);
    group = [];
  }
  if (group.length > 0) yield new Block(group);
}

/** The values of some users, family after family; not a number for those who are not shown. */
async function readBlock(
  users: readonly User[],
  { nowMs, wallOffsetMs }: Moment,
): Promise<Float64Array> {
  const count = users.length;
  const values = new Float64Array(USER_FAMILIES.length * count).fill(Number.NaN);
  let work = 0;
  for (const [index, user] of users.entries()) {
    if (user.liveSessions === 0) continue;
    let [allocations, startedAtMs, received, sent] = [0, Number.POSITIVE_INFINITY, 0, 0];
    for (const session of user.sessions) {
      if (!session.isShown) continue;
      const isLarge = session.open.length > SLICE;
      const bytes = isLarge ? await bytesInSlices(session) : session.clientBytes();
      allocations += session.trustedAllocations;
      startedAtMs = Math.min(startedAtMs, session.startedAtMs);
      received += bytes.received;
      sent += bytes.sent;
      work += Math.min(session.open.length, SLICE);
    }
    // Who has left and come again while others were read has been shown already.
    if (startedAtMs > nowMs) continue;
    values[index] = user.liveSessions;
    values[count + index] = allocations;
    values[2 * count + index] = Math.round(startedAtMs + wallOffsetMs) / 1000;
    values[3 * count + index] = received;
    values[4 * count + index] = sent;
    if (work < SLICE) continue;
    work = 0;
    await nextTurn();
  }
  return values;
}

/**
 * Client-side bytes so far of a session that all clients of a static user name share. Of allocations
 * that are closed while others are read a few may be counted twice or not at all, until the next time.
 */
async function bytesInSlices(session: Session): Promise<{ received: number; sent: number }> {
  let [received, sent] = [0, 0];
  for (let from = 0; from < session.open.length; from += SLICE) {
    const part = session.openBytes(from, from + SLICE);
    received += part.received;
    sent += part.sent;
    await nextTurn();
  }
  const { receivedBytes, sentBytes } = session.client;
  return { received: received + receivedBytes, sent: sent + sentBytes };
}

/** What was read of one family. */
function columnOf(values: Float64Array, family: number): Float64Array {
  const count = values.length / USER_FAMILIES.length;
  return values.subarray(family * count, (family + 1) * count);
}

/** Adds the values of one user to those of its realm. */
function addUp(ofRealm: number[], values: Float64Array, index: number): void {
  for (const [family, { combine }] of USER_FAMILIES.entries()) {
    const value = columnOf(values, family)[index] ?? Number.NaN;
    if (Number.isNaN(value)) return;
    const known = ofRealm[family];
    ofRealm[family] = known === undefined ? value : combine(known, value);
  }
}

function renderLines(name: string, labels: readonly string[], values: ArrayLike<number>): string {
  let text = '';
  for (const [index, ofUser] of labels.entries()) {
    const value = values[index] ?? Number.NaN;
    if (!Number.isNaN(value)) text += `${name}${ofUser} ${value}\n`;
  }
  return text;
}

function labelsOf(realm: string, user: string): string {
  return withBraces(labelPairs({ realm, user }));
}

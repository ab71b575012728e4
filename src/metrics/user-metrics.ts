import type { Session } from '../domain/session.ts';
import { OVERFLOW_USER, type User, type Users } from '../domain/user.ts';
import { escapeLabelValue, nextTurn } from './exposition.ts';

/** One family of per-user gauges. */
interface UserFamily {
  readonly name: string;
  readonly help: string;
  readonly valueOf: (user: User, wallOffsetMs: number) => number;
  /** Makes one value of those of several users. */
  readonly combine: (left: number, right: number) => number;
}

const sum = (left: number, right: number): number => left + right;

/** The per-user gauges, in the order in which they are shown. */
export const USER_FAMILIES: readonly UserFamily[] = [
  {
    name: 'coturn_user_sessions',
    help: 'Sessions of this user that exist now.',
    valueOf: (user) => user.liveSessions,
    combine: sum,
  },
  {
    name: 'coturn_user_allocations',
    help: 'Allocations of this user that exist now.',
    valueOf: (user) => sumOver(user, (session) => session.trustedAllocations),
    combine: sum,
  },
  {
    name: 'coturn_user_session_start_time_seconds',
    help: 'Unix time at which the oldest live session of this user began.',
    valueOf: (user, wallOffsetMs) => Math.round(earliestStartMs(user) + wallOffsetMs) / 1000,
    combine: Math.min,
  },
  {
    name: 'coturn_user_session_received_bytes',
    help: 'Bytes received from this user in live sessions so far.',
    valueOf: (user) => sumOver(user, (session) => session.clientBytes().received),
    combine: sum,
  },
  {
    name: 'coturn_user_session_sent_bytes',
    help: 'Bytes sent to this user in live sessions so far.',
    valueOf: (user) => sumOver(user, (session) => session.clientBytes().sent),
    combine: sum,
  },
];

/** How many users or allocations are read before the event loop gets its turn; 1 ms of work. */
const SLICE = 1000;

/** How much text is handed on at a time, in characters. */
const CHUNK_LENGTH = 64 * 1024;

/**
 * The text of the per-user gauges, in pieces. A hundred thousand users make half a million series,
 * so this is written in slices between which events are taken in, and not by prom-client, which
 * would hold up the event loop for seconds.
 */
export async function* renderUserMetrics(
  users: Users,
  wallOffsetMs: number,
): AsyncGenerator<string> {
  if (users.count === 0) return;
  // A copy: a user who leaves and comes again while this waits would be shown twice.
  const shown = [...users.withSeries()];
  const labels: string[] = [];
  for (const family of USER_FAMILIES) {
    let text = `# HELP ${family.name} ${family.help}\n# TYPE ${family.name} gauge\n`;
    let work = 0;
    for (let index = 0; index < shown.length; index += 1) {
      const user = shown[index];
      if (user === undefined || user.liveSessions === 0) continue;
      labels[index] ??= labelsOf(user.realm, user.label);
      text += `${family.name}${labels[index]} ${family.valueOf(user, wallOffsetMs)}\n`;
      if (text.length >= CHUNK_LENGTH) {
        yield text;
        text = '';
      }
      work += workOf(user);
      if (work < SLICE) continue;
      work = 0;
      await nextTurn();
    }
    yield text + (await renderOverflow(users, family, wallOffsetMs));
  }
}

/** The labels of a user's series, made once for all families of a scrape. */
function labelsOf(realm: string, user: string): string {
  return `{realm="${escapeLabelValue(realm)}",user="${escapeLabelValue(user)}"}`;
}

async function renderOverflow(
  users: Users,
  family: UserFamily,
  wallOffsetMs: number,
): Promise<string> {
  const byRealm = new Map<string, number>();
  let work = 0;
  for (const user of [...users.beyondCap()]) {
    if (user.liveSessions === 0) continue;
    const value = family.valueOf(user, wallOffsetMs);
    const known = byRealm.get(user.realm);
    byRealm.set(user.realm, known === undefined ? value : family.combine(known, value));
    work += workOf(user);
    if (work < SLICE) continue;
    work = 0;
    await nextTurn();
  }
  let text = '';
  for (const [realm, value] of byRealm) {
    text += `${family.name}${labelsOf(realm, OVERFLOW_USER)} ${value}\n`;
  }
  return text;
}

/** What reading a user costs: few users can hold very many allocations. */
function workOf(user: User): number {
  return 1 + sumOver(user, (session) => session.liveAllocations);
}

function sumOver(user: User, read: (session: Session) => number): number {
  let total = 0;
  for (const session of user.sessions) if (session.isShown) total += read(session);
  return total;
}

function earliestStartMs(user: User): number {
  let earliest = Number.POSITIVE_INFINITY;
  for (const { isShown, startedAtMs } of user.sessions) {
    if (isShown) earliest = Math.min(earliest, startedAtMs);
  }
  return earliest;
}

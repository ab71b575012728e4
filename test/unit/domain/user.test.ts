import { describe, expect, it } from 'vitest';
import { Ledger } from '../../../src/domain/ledger.ts';
import { Session } from '../../../src/domain/session.ts';
import { MAX_LABEL_LENGTH, OVERFLOW_USER, Users } from '../../../src/domain/user.ts';

/** A session of a user, joined. */
function join(users: Users, name: string, realm = 'r'): Session {
  const ledger = new Ledger(10);
  const account = ledger.realm(realm);
  const session = new Session({
    group: name,
    realm,
    account,
    user: users.open(account.realm, name),
    userName: name,
    username: name,
    startKnown: true,
    startedAtMs: 0,
  });
  session.user.join(session);
  session.noteTrusted(ledger.server(account, 's'));
  return session;
}

function labels(users: Users): string[] {
  return [...users.withSeries()].map(({ label }) => label);
}

describe('Users', () => {
  it('has one entry for all sessions of a user', () => {
    const users = new Users(10);
    const first = join(users, 'bob');
    const second = join(users, 'bob');
    expect(first.user).toBe(second.user);
    expect(first.user.sessions).toEqual([first, second]);
    expect(users.count).toBe(1);
  });

  it('keeps the same name of two realms apart, whatever they hold', () => {
    const users = new Users(10);
    const pairs = [
      ['a', 'b c'],
      ['a b', 'c'],
      ['', 'a b c'],
      ['1 a', 'b'],
    ] as const;
    for (const [realm, name] of pairs) join(users, name, realm);
    expect(users.count).toBe(4);
  });

  it('forgets a user with the last of its sessions, in any order', () => {
    const users = new Users(10);
    const sessions = ['a', 'a', 'a', 'b'].map((name) => join(users, name));
    const [first, second, third, other] = sessions;
    if (!(first && second && third && other)) throw new TypeError('a session is missing');
    users.leave(second);
    expect(first.user.sessions).toEqual([first, third]);
    users.leave(third);
    expect(labels(users)).toEqual(['a', 'b']);
    users.leave(first);
    expect(labels(users)).toEqual(['b']);
    users.leave(other);
    expect(users.count).toBe(0);
  });

  it('sums users beyond the cap and still counts them', () => {
    const users = new Users(2);
    for (const name of ['a', 'b', 'c', 'd', 'c']) join(users, name);
    expect(labels(users)).toEqual(['a', 'b']);
    expect([...users.beyondCap()].map(({ label }) => label)).toEqual([
      OVERFLOW_USER,
      OVERFLOW_USER,
    ]);
    expect(users.count).toBe(4);
  });

  it('forgets users beyond the cap as well', () => {
    const users = new Users(1);
    join(users, 'a');
    const beyond = [join(users, 'b'), join(users, 'b')];
    for (const session of beyond) users.leave(session);
    expect(users.count).toBe(1);
    expect([...users.beyondCap()]).toEqual([]);
  });

  it('gives room under the cap to the next user, and never moves one', () => {
    const users = new Users(1);
    const first = join(users, 'a');
    const second = join(users, 'b');
    users.leave(first);
    join(users, 'b');
    expect(second.user.label).toBe(OVERFLOW_USER);
    expect(second.user.sessions.length).toBe(2);
    expect(join(users, 'c').user.label).toBe('c');
  });

  it('makes no series at all when the cap is 0', () => {
    const users = new Users(0);
    join(users, 'a');
    expect(labels(users)).toEqual([]);
    expect(users.count).toBe(1);
  });

  it('never gives the label of the sum to one user', () => {
    const users = new Users(10);
    join(users, OVERFLOW_USER);
    expect(labels(users)).toEqual([]);
    expect(users.count).toBe(1);
  });

  it('keeps users apart whose names differ only where they are cut', () => {
    const users = new Users(10);
    const long = 'x'.repeat(MAX_LABEL_LENGTH);
    const first = join(users, `${long}1`);
    const second = join(users, `${long}2`);
    expect(first.user).not.toBe(second.user);
    expect(new Set(labels(users)).size).toBe(2);
  });

  it.each(['__proto__', 'constructor', '', 'a\u0000b'])('takes a user named "%s"', (name) => {
    const users = new Users(10);
    join(users, name);
    expect(labels(users)).toEqual([name]);
  });
});

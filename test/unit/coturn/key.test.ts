import { describe, expect, it } from 'vitest';
import {
  buildAllocationKey,
  MAX_KEY_LENGTH,
  parseStatsKey,
  type Topic,
} from '../../../src/coturn/key.ts';

const ID = '001000000000000001';
const TOPICS: readonly Topic[] = [
  'status',
  'traffic',
  'traffic/peer',
  'total_traffic',
  'total_traffic/peer',
];
const FORGED = `turn/realm/example.org/user/mallory/allocation/${ID}/status`;

/** What the `odd-percent` recording of 4.5.0.8 holds: process memory in the user's name. */
const MEMORY = 'pnew lifetime=777\u0000 \uFFFDxU\u0000\u0000\u0000\u0000\uFFFD\uFFFD\u0003\nB z';

const USERNAMES: readonly [string, string][] = [
  ['a plain name', 'alice'],
  ['no name (no-auth, STUN)', ''],
  ['a slash', 'bob/x'],
  ['a leading slash', '/lead'],
  ['a trailing slash', 'user/'],
  ['slashes only', '///'],
  ['a status of an id that is too short', 'evil/allocation/1/status'],
  ['a total of another allocation', 'a/allocation/000000000000000009/total_traffic'],
  ['the end of a key of its own allocation', `a/allocation/${ID}`],
  ['the start of an allocation part', 'a/allocation/'],
  ['a whole key', FORGED],
  ['a realm and a user', 'realm/r2/user/z'],
  ['/user/ at its start', '/user/x'],
  ['/user/ twice', 'a/user/b/user/c'],
  ['a REST name', '1795306257:user1'],
  ['a REST name with a slash', '1795306257:tenant7/user2'],
  ['accents', 'café'],
  ['CJK and emoji', '中文😀'],
  ['glob characters', 'we*ird?[x]'],
  ['percent signs', '100%%done%s'],
  ['NUL', 'a\u0000b'],
  ['a newline', 'a\nb\r\n'],
  ['U+FFFD and process memory', MEMORY],
  ['a lone surrogate', 'a\uD800b'],
  ['spaces and quotes', ` "'\\ `],
  ['500 characters', 'x'.repeat(500)],
  ['names of object properties', '__proto__'],
];

describe('buildAllocationKey', () => {
  it.each([
    ['example.org', 'alice', `turn/realm/example.org/user/alice/allocation/${ID}`],
    ['', 'a/user/b', `turn/user/a/user/b/allocation/${ID}`],
    ['', '', `turn/user//allocation/${ID}`],
  ])('builds what is read again: %j, %j', (realm, username, key) => {
    expect(buildAllocationKey(realm, username, ID)).toBe(key);
    expect(parseStatsKey(`${key}/status`)).toMatchObject({ allocationKey: key, realm, username });
  });
});

describe('parseStatsKey', () => {
  it.each(TOPICS)('reads the topic %s, with and without a realm', (topic) => {
    expect(parseStatsKey(`turn/realm/example.org/user/alice/allocation/${ID}/${topic}`)).toEqual({
      ok: true,
      allocationKey: `turn/realm/example.org/user/alice/allocation/${ID}`,
      realm: 'example.org',
      username: 'alice',
      topic,
    });
    expect(parseStatsKey(`turn/user//allocation/${ID}/${topic}`)).toEqual({
      ok: true,
      allocationKey: `turn/user//allocation/${ID}`,
      realm: '',
      username: '',
      topic,
    });
  });

  it.each(USERNAMES)('reads a username with %s', (_what, username) => {
    for (const topic of TOPICS) {
      const allocation = `allocation/${ID}`;
      expect(parseStatsKey(`turn/realm/r/user/${username}/${allocation}/${topic}`)).toEqual({
        ok: true,
        allocationKey: `turn/realm/r/user/${username}/${allocation}`,
        realm: 'r',
        username,
        topic,
      });
      expect(parseStatsKey(`turn/user/${username}/${allocation}/${topic}`)).toMatchObject({
        realm: '',
        username,
        topic,
      });
    }
  });

  it.each([
    ['example.org', 'example.org', 'alice'],
    ['', '', 'alice'],
    ['bücher.example', 'bücher.example', 'alice'],
    ['a/b', 'a/b', 'alice'],
    ['user', 'user', 'alice'],
    ['x/allocation/1', 'x/allocation/1', 'alice'],
    // The untrusted part is the user's, so the first `/user/` ends the realm.
    ['r1/user/x', 'r1', 'x/user/alice'],
    ['/user/', '', '/user/alice'],
  ])('takes the first /user/ as the end of realm "%s"', (published, realm, username) => {
    expect(
      parseStatsKey(`turn/realm/${published}/user/alice/allocation/${ID}/status`),
    ).toMatchObject({ ok: true, realm, username });
  });

  it.each(['000000000000000001', '127000000000000001', '999999999999999999', '000000000000000000'])(
    'keeps the id %s as text',
    (id) => {
      expect(parseStatsKey(`turn/user/a/allocation/${id}/traffic`)).toMatchObject({
        ok: true,
        allocationKey: `turn/user/a/allocation/${id}`,
      });
    },
  );

  it('tells ids apart that are the same number in floating point', () => {
    const first = parseStatsKey('turn/user/a/allocation/900719925474099300/traffic');
    const second = parseStatsKey('turn/user/a/allocation/900719925474099301/traffic');
    expect(Number('900719925474099300')).toBe(Number('900719925474099301'));
    expect(first).not.toEqual(second);
  });

  it.each([
    ['nothing', ''],
    ['the keepalive', '__XXX__'],
    ['only the prefix', 'turn/'],
    ['a topic alone', 'status'],
    ['a slash and a topic', '/status'],
    ['another prefix', `stun/user/a/allocation/${ID}/status`],
    ['a prefix in upper case', `TURN/USER/a/allocation/${ID}/status`],
    ['a leading slash', `/turn/user/a/allocation/${ID}/status`],
    ['a leading space', ` turn/user/a/allocation/${ID}/status`],
    ['no user part', `turn/allocation/${ID}/status`],
    ['a realm without a user', `turn/realm/r/allocation/${ID}/status`],
    ['a user part that is cut', `turn/realm/r/user/allocation/${ID}/status`],
    ['a user part that is cut, no realm', `turn/user/allocation/${ID}/status`],
    ['no allocation part', 'turn/user/alice/status'],
    ['17 digits', `turn/user/a/allocation/${ID.slice(1)}/status`],
    ['19 digits', `turn/user/a/allocation/0${ID}/status`],
    ['no digits', 'turn/user/a/allocation//status'],
    ['a letter among the digits', `turn/user/a/allocation/${ID.slice(1)}a/status`],
    ['a sign among the digits', `turn/user/a/allocation/-${ID.slice(1)}/status`],
    ['a space among the digits', `turn/user/a/allocation/ ${ID.slice(1)}/status`],
    ['full-width digits', `turn/user/a/allocation/${'\uFF11'.repeat(18)}/status`],
    ['a hexadecimal id', 'turn/user/a/allocation/0x0000000000000001/status'],
    ['an id elsewhere', `turn/user/${ID}/allocation/status`],
    ['another word for allocation', `turn/user/a/Allocation/${ID}/status`],
    ['two slashes before the topic', `turn/user/a/allocation/${ID}//status`],
    ['text between id and topic', `turn/user/a/allocation/${ID}/x/status`],
    ['the topic of a peer without traffic', `turn/user/a/allocation/${ID}/x/traffic/peer`],
  ])('refuses %s', (_what, key) => {
    const parsed = parseStatsKey(key);
    expect(parsed).toEqual({ ok: false, reason: 'malformed_key' });
  });

  it.each([
    ['no topic', ''],
    ['a slash only', '/'],
    ['an unknown topic', '/rate'],
    ['a topic in upper case', '/STATUS'],
    ['a topic with a tail', '/status/'],
    ['a topic with a space', '/traffic '],
    ['a topic with a newline', '/traffic\n'],
    ['a topic that is cut', '/traffi'],
    ['the peer of a status', '/status/peer'],
    ['peer alone', '/peer'],
    ['a longer topic that ends in a known one', '/my_traffic'],
    ['a longer topic that ends in a peer one', '/grand_total_traffic/peer'],
    ['no slash before the topic', 'status'],
  ])('refuses %s as an unknown topic', (_what, tail) => {
    expect(parseStatsKey(`turn/realm/r/user/a/allocation/${ID}${tail}`)).toEqual({
      ok: false,
      reason: 'unknown_topic',
    });
  });

  it('reads a key of the greatest length and refuses a longer one', () => {
    const rest = `turn/user//allocation/${ID}/status`.length;
    const longest = `turn/user/${'x'.repeat(MAX_KEY_LENGTH - rest)}/allocation/${ID}/status`;
    expect(longest.length).toBe(MAX_KEY_LENGTH);
    expect(parseStatsKey(longest)).toMatchObject({ ok: true });
    expect(parseStatsKey(longest.replace('/user/', '/user/x'))).toEqual({
      ok: false,
      reason: 'oversized_key',
    });
  });

  it('has room for the longest realm and username that coturn takes', () => {
    const key = `turn/realm/${'r'.repeat(763)}/user/${'u'.repeat(513)}/allocation/${ID}/total_traffic/peer`;
    expect(parseStatsKey(key)).toMatchObject({ ok: true, realm: 'r'.repeat(763) });
  });

  it.each(TOPICS)(
    'refuses a key of topic %s that is cut anywhere, or gives a legal one',
    (topic) => {
      const key = `turn/realm/example.org/user/bob/x/allocation/${ID}/${topic}`;
      for (let length = 0; length < key.length; length += 1) {
        const parsed = parseStatsKey(key.slice(0, length));
        // `traffic/peer` without its tail is the key of the client side.
        const legal = topic.endsWith('/peer') && length === key.length - '/peer'.length;
        expect(parsed.ok, key.slice(0, length)).toBe(legal);
      }
    },
  );

  it('refuses a key whose start is cut off', () => {
    const key = `turn/realm/example.org/user/alice/allocation/${ID}/status`;
    for (let start = 1; start < key.length; start += 1) {
      expect(parseStatsKey(key.slice(start)).ok).toBe(false);
    }
  });
});

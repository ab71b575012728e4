import { describe, expect, it } from 'vitest';
import { createUserName } from '../../../src/domain/user.ts';

describe('createUserName', () => {
  it.each([
    ['1795306257:user1', 'user1'],
    ['1795306257:tenant7/user2', 'tenant7/user2'],
    ['1795309999:user1', 'user1'],
    [
      '1532433896:26e4cd38fa6fc39fa8fc40fb25fe558c_21_24_18152649',
      '26e4cd38fa6fc39fa8fc40fb25fe558c_21_24_18152649',
    ],
    ['1795306257:a:b', 'a:b'],
    ['1795306257:1795306257:a', '1795306257:a'],
    ['1795306257:', '1795306257:'],
    ['17953062570000:ms', 'ms'],
    ['99999999999999999999:far', 'far'],
  ])('maps the REST name %s to %s', (username, name) => {
    expect(createUserName({ label: 'userid', restSeparator: ':' })(username)).toBe(name);
  });

  it.each([
    '',
    ':',
    ':bob',
    'alice',
    'co:lon',
    '12:bob',
    '179530625:nine-digits',
    '1795306257',
    '1795306257;user1',
    '-1795306257:bob',
    '+1795306257:bob',
    ' 1795306257:bob',
    '1795306257 :bob',
    '0x1795306257:bob',
    '17953062.57:bob',
    'x1795306257:bob',
    '1795306257\n:bob',
    `${'\uFF11'.repeat(10)}:bob`,
    `${'1'.repeat(21)}:bob`,
    'bob:1795306257',
  ])('leaves "%s" as it is', (username) => {
    expect(createUserName({ label: 'userid', restSeparator: ':' })(username)).toBe(username);
  });

  it.each([
    ['-', '1795306257-bob', 'bob'],
    ['-', '1795306257:bob', '1795306257:bob'],
    ['_', '1795306257_a_b', 'a_b'],
    ['--', '1795306257--bob', 'bob'],
    ['', '1795306257:bob', '1795306257:bob'],
    ['.', '1795306257.bob', 'bob'],
  ])('knows the separator "%s"', (restSeparator, username, name) => {
    expect(createUserName({ label: 'userid', restSeparator })(username)).toBe(name);
  });

  it('leaves every name as it is for raw labels', () => {
    const userName = createUserName({ label: 'raw', restSeparator: ':' });
    expect(userName('1795306257:bob')).toBe('1795306257:bob');
  });

  it('groups as userid does when there are no user series', () => {
    const userName = createUserName({ label: 'none', restSeparator: ':' });
    expect(userName('1795306257:bob')).toBe('bob');
  });
});

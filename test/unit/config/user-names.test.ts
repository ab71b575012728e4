import { createHmac } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Config } from '../../../src/config/config.ts';
import { ConfigError } from '../../../src/config/config-error.ts';
import { openUserNames } from '../../../src/config/user-names.ts';
import type { UserNames } from '../../../src/domain/user.ts';
import { createTempFolder } from '../../support/temp-folder.ts';

function open(users: Partial<Config['users']> = {}): Promise<UserNames> {
  return openUserNames({ label: 'userid', restSeparator: ':', maxSeries: 100, ...users });
}

async function hideBy(key: string | Buffer): Promise<(text: string) => string> {
  const hashKeyFile = join(createTempFolder(onTestFinished), 'key');
  writeFileSync(hashKeyFile, key);
  const { hide } = await open({ label: 'hash', hashKeyFile });
  if (hide === undefined) throw new Error('Nothing is hidden');
  return hide;
}

function refusal(users: Partial<Config['users']>): Promise<unknown> {
  return open(users).catch((error: unknown) => error);
}

describe('openUserNames', () => {
  it('hides nothing and knows no attributes unless told', async () => {
    const names = await open();
    expect(names.userName('1795306257:bob')).toBe('bob');
    expect(names.hide).toBeUndefined();
    expect(names.attributes).toBeUndefined();
  });

  it('hides names by HMAC-SHA-256, as RFC 4231 has it', async () => {
    // Test case 2: key "Jefe", data "what do ya want for nothing?".
    const hide = await hideBy('Jefe\n');
    expect(hide('what do ya want for nothing?')).toBe('5bdcc146bf60754e');
  });

  it('takes any bytes as the key, but for the line break at the end', async () => {
    const key = Buffer.from([0, 255, 10, 128, 13, 10, 200]);
    const expected = createHmac('sha256', key).update('bob').digest('hex').slice(0, 16);
    for (const end of ['', '\n', '\r\n']) {
      expect((await hideBy(Buffer.concat([key, Buffer.from(end)])))('bob')).toBe(expected);
    }
  });

  it('hides bytes that are not UTF-8 apart', async () => {
    const hide = await hideBy('key');
    expect(hide('a\udcff')).not.toBe(hide('a\udcfe'));
  });

  it.each([
    ['an empty file', '', 'expected a file that is not empty'],
    ['no file', undefined, 'expected a file that can be read (ENOENT)'],
  ])('refuses %s as the key', async (_what, text, expected) => {
    const hashKeyFile = join(createTempFolder(onTestFinished), 'key');
    if (text !== undefined) writeFileSync(hashKeyFile, text);
    const error = await refusal({ label: 'hash', hashKeyFile });
    expect(error).toBeInstanceOf(ConfigError);
    expect(String(error)).toContain(expected);
    expect(String(error)).toContain('--user.hash-key-file');
  });

  it('refuses a folder as the key', async () => {
    const hashKeyFile = join(createTempFolder(onTestFinished), 'key');
    mkdirSync(hashKeyFile);
    expect(String(await refusal({ label: 'hash', hashKeyFile }))).toContain('a regular file');
  });

  it.each([
    // Tenant and device numbers, as in the example of the documentation.
    [
      '(?<tenant>\\d+)_(?<device>\\d+)_(?<user>\\d+)$',
      '26e4_21_24_18152649',
      '18152649',
      { tenant: '21', device: '24' },
    ],
    ['^(?P<user>.+)@(?P<tenant>.+)$', 'bob@a.example', 'bob', { tenant: 'a.example' }],
    ['^\\d+:(?<user>.+?)/\\d+$', '1795306257:bob/7', 'bob', undefined],
    ['^(?<tenant>\\w+)-', 'a-bob', 'a-bob', { tenant: 'a' }],
    ['^(?<user>\\w+)(?:@(?<tenant>.+))?$', 'bob', 'bob', undefined],
    // No match, or nothing for the user: as --user.label says.
    ['^(?<user>\\w+)-x$', '1795306257:bob', 'bob', undefined],
    ['^(?<user>x*)', '1795306257:bob', 'bob', undefined],
    ['(?<user>é+)', 'caféé', 'éé', undefined],
    ['^(?<__proto__>.)(?<user>.+)$', 'abob', 'bob', Object.fromEntries([['__proto__', 'a']])],
  ])('takes %s to read %s as %s', async (pattern, username, user, attributes) => {
    const names = await open({ pattern });
    expect(names.userName(username)).toBe(user);
    expect(names.attributes?.(username)).toEqual(attributes);
  });

  it.each([
    ['(?<user>a(b)', 'missing closing ) at character 8'],
    ['(?<user>.+)]b)', 'unexpected ) at character 14'],
    ['(?<user>.+)a[b', 'missing closing ] at character 13'],
    ['(?<user>.+)**', 'invalid nested repetition operator at character 13'],
    ['(?<user>.)(?=b)', 'invalid or unsupported Perl syntax at character 12'],
    ['(?<user>.)(?<user>.)', 'duplicate capture group name at character 18'],
  ])('tells where %s is at fault', async (pattern, fault) => {
    const error = await refusal({ pattern });
    expect(error).toBeInstanceOf(ConfigError);
    expect(String(error)).toContain(`--user.pattern ${JSON.stringify(pattern)}: ${fault},`);
  });

  it('refuses a pattern without a named group', async () => {
    expect(String(await refusal({ pattern: '^(.+)$' }))).toContain('expected a named group');
  });

  it.each(['^(?<user>(a+)+)$', '^(?<user>(a|aa)+)$', '(?<user>(.*)(.*)(.*)(.*)x)'])(
    'takes no longer than the length of a name allows with %s',
    async (pattern) => {
      const { userName } = await open({ pattern });
      const name = `${'a'.repeat(2_000)}!`;
      const begin = performance.now();
      for (let time = 0; time < 10; time += 1) expect(userName(name)).toBe(name);
      // One that goes back would need 2 to the power of 2,000 steps.
      expect(performance.now() - begin).toBeLessThan(5_000);
    },
  );
});

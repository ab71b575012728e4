import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRedisUrl } from '../../../src/config/redis-url.ts';

function server(host: string, port = 6379): unknown {
  return { kind: 'server', address: { host, port } };
}

describe('parseRedisUrl', () => {
  it.each<[string, Record<string, unknown>]>([
    [
      'redis://127.0.0.1',
      { name: '127.0.0.1:6379/0', endpoint: server('127.0.0.1'), dbs: [0], tls: false },
    ],
    [
      'redis://Redis.Example.org:7000/2',
      {
        name: 'redis.example.org:7000/2',
        endpoint: server('redis.example.org', 7000),
        dbs: [2],
        tls: false,
      },
    ],
    [
      'rediss://[2001:db8::7]:6380/1',
      { name: '[2001:db8::7]:6380/1', endpoint: server('2001:db8::7', 6380), dbs: [1], tls: true },
    ],
    ['redis://[::1]/', { name: '[::1]:6379/0', endpoint: server('::1'), dbs: [0], tls: false }],
    ['REDIS://h', { name: 'h:6379/0', endpoint: server('h'), dbs: [0], tls: false }],
    [
      'redis://ann:pw@h',
      {
        name: 'h:6379/0',
        endpoint: server('h'),
        dbs: [0],
        tls: false,
        username: 'ann',
        password: 'pw',
      },
    ],
    [
      'redis://:pw@h',
      { name: 'h:6379/0', endpoint: server('h'), dbs: [0], tls: false, password: 'pw' },
    ],
    [
      'redis://ann@h',
      { name: 'h:6379/0', endpoint: server('h'), dbs: [0], tls: false, username: 'ann' },
    ],
    [
      'redis://a%3Ab:p%40s%2Fs%23%25%C3%A9:x@h#eu',
      {
        name: 'eu',
        endpoint: server('h'),
        dbs: [0],
        tls: false,
        username: 'a:b',
        password: 'p@s/s#%é:x',
      },
    ],
    [
      'redis://:p@w@h',
      { name: 'h:6379/0', endpoint: server('h'), dbs: [0], tls: false, password: 'p@w' },
    ],
    [
      'redis://h/3#m%C3%BCnchen-1',
      { name: 'münchen-1', endpoint: server('h'), dbs: [3], tls: false },
    ],
    [
      'redis+sentinel://a,b:1,[::1]:2/main',
      {
        name: 'a:26379/main/0',
        dbs: [0],
        tls: false,
        endpoint: {
          kind: 'sentinel',
          master: 'main',
          sentinels: [
            { host: 'a', port: 26_379 },
            { host: 'b', port: 1 },
            { host: '::1', port: 2 },
          ],
        },
      },
    ],
    [
      'rediss+sentinel://u:p@a:1/my.main-1/5#x',
      {
        name: 'x',
        dbs: [5],
        tls: true,
        username: 'u',
        password: 'p',
        endpoint: { kind: 'sentinel', master: 'my.main-1', sentinels: [{ host: 'a', port: 1 }] },
      },
    ],
    ['redis://h/0,1', { name: 'h:6379/0,1', endpoint: server('h'), dbs: [0, 1], tls: false }],
    [
      'rediss+cluster://u:p@a,b:7001#c',
      {
        name: 'c',
        dbs: [0],
        tls: true,
        username: 'u',
        password: 'p',
        endpoint: {
          kind: 'cluster',
          nodes: [
            { host: 'a', port: 6379 },
            { host: 'b', port: 7001 },
          ],
        },
      },
    ],
    [
      'redis+cluster://a',
      {
        name: 'a:6379/cluster',
        dbs: [0],
        tls: false,
        endpoint: { kind: 'cluster', nodes: [{ host: 'a', port: 6379 }] },
      },
    ],
  ])('reads %s', (text, value) => {
    expect(parseRedisUrl(text)).toEqual({ ok: true, value });
  });

  it.each([
    '',
    'redis',
    'redis:',
    'redis://',
    'redis:///0',
    '127.0.0.1:6379',
    'http://h',
    'redis+clusters://h',
    'redis+cluster://h/1',
    'redis+cluster://h,',
    'redis://h/0,',
    'redis://h/1,1',
    'unix:///run/redis.sock',
    ' redis://h',
    'redis://h ',
    'redis://h\n',
    'redis://h:0',
    'redis://h:65536',
    'redis://h:',
    'redis://h:port',
    'redis://::1',
    'redis://[::1',
    'redis://300.1.1.1',
    'redis://h/-1',
    'redis://h/x',
    'redis://h/0/1',
    'redis://h/2147483648',
    'redis://h?db=1',
    'redis://h#',
    'redis://h#a b',
    'redis://h#a%20b',
    'redis://h#a#b',
    'redis://h#%0A',
    `redis://h#${'n'.repeat(129)}`,
    'redis://@h',
    'redis://:@h',
    'redis://u:@h',
    'redis://u:%zz@h',
    'redis://u:%ff@h',
    'redis://u:p@',
    'redis://a,b',
    'redis://u:1234#x@h',
    'redis://u:12/0#x@h',
    'redis://u:12/34@h',
    'redis+sentinel://a',
    'redis+sentinel://a/',
    'redis+sentinel://a,/m',
    'redis+sentinel:///m',
    'redis+sentinel://a/m/x',
    'redis+sentinel://a/m/0/1',
    'redis+sentinel://a/m m',
    'redis+sentinel://a/m%20m',
    'redis://h%00',
  ])('refuses %j', (text) => {
    expect(parseRedisUrl(text).ok).toBe(false);
  });

  it('gives back any user and password, and names the source without them', () => {
    const word = fc.string({ unit: 'grapheme', minLength: 1 });
    fc.assert(
      fc.property(word, word, (username, password) => {
        const text = `redis://${encodeURIComponent(username)}:${encodeURIComponent(password)}@h`;
        const value = {
          name: 'h:6379/0',
          endpoint: server('h'),
          dbs: [0],
          tls: false,
          username,
          password,
        };
        expect(parseRedisUrl(text)).toEqual({ ok: true, value });
      }),
    );
  });

  it('never throws and never repeats a part of the text in what it expects', () => {
    const part = fc.constantFrom(
      'redis://',
      'rediss+sentinel://',
      '@',
      ':',
      '/',
      '#',
      '?',
      '%',
      ',',
      '[',
      ']',
      'qzx7',
      '0',
    );
    const text = fc
      .array(fc.oneof(part, fc.string()), { maxLength: 12 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, (candidate) => {
        const parsed = parseRedisUrl(candidate);
        expect(parsed.ok ? '' : (parsed.expected ?? '')).not.toContain('qzx7');
      }),
    );
  });
});

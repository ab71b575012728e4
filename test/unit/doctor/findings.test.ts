import { describe, expect, it } from 'vitest';
import { judgeKeys, type KeyEvidence, parseKeyspace } from '../../../src/doctor/database.ts';
import { aclCommand } from '../../../src/doctor/permissions.ts';
import { judgeSettings, judgeVersion, type Settings } from '../../../src/doctor/settings.ts';

const MIB = 1024 * 1024;

function buffer(hard: number, soft: number): Settings {
  const limits = `normal 0 0 0 slave 268435456 67108864 60 pubsub ${hard} ${soft} 60`;
  return new Map([['client-output-buffer-limit', limits]]);
}

describe('judgeSettings', () => {
  it('has nothing to say about settings that are not told', () => {
    expect(judgeSettings(new Map())).toEqual([]);
  });

  it('finds nothing wrong with good settings', () => {
    const settings: Settings = new Map([
      ['timeout', '0'],
      ['tcp-keepalive', '300'],
      ['maxmemory', '0'],
      ['maxmemory-policy', 'allkeys-lru'],
      ...buffer(256 * MIB, 64 * MIB),
    ]);
    expect(judgeSettings(settings).map(({ level }) => level)).toEqual(['ok', 'ok', 'ok', 'ok']);
  });

  it.each([
    ['timeout', '300', 'CONFIG SET timeout 0'],
    ['tcp-keepalive', '0', 'CONFIG SET tcp-keepalive 300'],
  ] as const)('warns of %s %s', (name, value, fix) => {
    expect(judgeSettings(new Map([[name, value]]))).toMatchObject([{ level: 'warn', fix }]);
  });

  it.each([
    [32 * MIB, 8 * MIB, 'warn'],
    [256 * MIB, 8 * MIB, 'warn'],
    [32 * MIB, 64 * MIB, 'warn'],
    [1000, 100, 'warn'],
    [256 * MIB, 64 * MIB, 'ok'],
    [0, 0, 'ok'],
    [0, 64 * MIB, 'ok'],
    [256 * MIB, 0, 'ok'],
  ])('judges an output buffer of %i and %i bytes: %s', (hard, soft, level) => {
    expect(judgeSettings(buffer(hard, soft))).toMatchObject([{ level }]);
  });

  it.each([
    ['allkeys-lru', '1048576', 'warn'],
    ['allkeys-random', '1048577', 'warn'],
    ['volatile-lru', '1048576', 'ok'],
    ['noeviction', '1048576', 'ok'],
    ['allkeys-lru', '0', 'ok'],
  ])('judges %s with %s bytes: %s', (policy, maxmemory, level) => {
    const settings: Settings = new Map([
      ['maxmemory', maxmemory],
      ['maxmemory-policy', policy],
    ]);
    expect(judgeSettings(settings)).toMatchObject([{ what: 'maxmemory-policy', level }]);
  });
});

describe('judgeKeys', () => {
  const nothing: KeyEvidence = {
    dbs: [0],
    here: new Set(),
    elsewhere: new Map(),
    expected: 0,
    present: 0,
    heard: new Set(),
  };

  it.each<[string, Partial<KeyEvidence>, string, RegExp]>([
    ['nothing anywhere', {}, 'warn', /make a call/],
    ['keys elsewhere alone', { elsewhere: new Map([[2, 9]]) }, 'warn', /\/2, as dbname=2/],
    [
      'most keys in one of several',
      {
        elsewhere: new Map([
          [1, 2],
          [7, 9],
          [8, 3],
        ]),
      },
      'warn',
      /\/7, /,
    ],
    [
      'messages of keys that are elsewhere',
      { expected: 3, elsewhere: new Map([[2, 9]]) },
      'fail',
      /end --redis.url in \/2, as dbname=2/,
    ],
    ['messages of keys that are nowhere', { expected: 3 }, 'fail', /dbname of redis-statsdb/],
    [
      'messages of keys that are not among those here',
      { expected: 3, here: new Set(['stale']), elsewhere: new Map([[3, 1]]) },
      'fail',
      /\/3/,
    ],
    [
      'keys here and elsewhere',
      { here: new Set(['a']), elsewhere: new Map([[2, 9]]) },
      'warn',
      /every coturn of this Redis dbname=0/,
    ],
  ])('judges %s', (_what, evidence, level, fix) => {
    const [finding] = judgeKeys({ ...nothing, ...evidence });
    expect(finding).toMatchObject({ what: 'database', level, fix: expect.stringMatching(fix) });
  });

  it.each<[string[], string]>([
    [['a', 'b', 'c'], 'none, messages told of every allocation'],
    [['a'], '2 of 3 had no message; '],
  ])('tells how many keys are silent when %j were heard', (heard, text) => {
    const here = new Set(['a', 'b', 'c']);
    const evidence = { ...nothing, here, heard: new Set(heard), expected: 1, present: 1 };
    const [database, silent] = judgeKeys(evidence);
    expect(database).toMatchObject({ level: 'ok', finding: '3 status keys in database 0' });
    expect(silent).toMatchObject({ level: 'ok', finding: expect.stringContaining(text) });
  });
});

describe('aclCommand', () => {
  it('gives the patterns as they are subscribed to', () => {
    expect(aclCommand('exporter')).toBe(
      'ACL SETUSER exporter ~turn/* &turn/realm/* &turn/user/* +psubscribe +scan +ping +mget +select',
    );
    expect(aclCommand('exporter', true)).toMatch(/ \+ping \+get \+cluster\|slots$/);
    expect(aclCommand(undefined)).toMatch(/^ACL SETUSER default /);
  });
});

describe('judgeVersion', () => {
  it.each([
    ['redis_version:7.0.15', 'ok', 'Redis 7.0.15'],
    ['redis_version:10.0.0', 'ok', 'Redis 10.0.0'],
    ['redis_version:7.2.4\r\nvalkey_version:8.1.0', 'ok', 'Valkey 8.1.0'],
    ['redis_version:5.0.7', 'warn', 'Redis 5.0.7'],
    ['', 'ok', 'not told'],
  ])('judges %j', (info, level, finding) => {
    expect(judgeVersion(`# Server\r\n${info}\r\n`)).toMatchObject({
      level,
      finding: expect.stringContaining(finding),
    });
  });
});

describe('parseKeyspace', () => {
  it('gives the numbers of databases that have keys', () => {
    const info = '# Keyspace\r\ndb0:keys=3,expires=0\r\ndb2:keys=0,expires=0\r\ndb15:keys=17\r\n';
    expect(parseKeyspace(info)).toEqual([0, 15]);
    expect(parseKeyspace('# Keyspace\r\n')).toEqual([]);
  });
});

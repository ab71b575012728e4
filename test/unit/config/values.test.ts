import { describe, expect, it } from 'vitest';
import {
  choice,
  datedFilePath,
  datedPath,
  decimalNumber,
  duration,
  filePath,
  formatDuration,
  formatHostPort,
  listenAddress,
  type ValueType,
  wholeNumber,
} from '../../../src/config/values.ts';

const days = duration();
const upToAnHour = duration({ min: 1_000, max: 3_600_000 });
const listen = listenAddress();
const level = choice(['info', 'warn']);
const count = wholeNumber({ min: 1, max: 10_000 });
const share = decimalNumber({ min: 0, max: 1 });

describe('ValueType.parse', () => {
  it.each<[string, ValueType<unknown>, string, unknown]>([
    ['duration', days, '500ms', 500],
    ['duration', days, '5s', 5_000],
    ['duration', days, '2m', 120_000],
    ['duration', days, '1h', 3_600_000],
    ['duration', days, '0s', 0],
    ['duration', days, '007s', 7_000],
    ['duration', upToAnHour, '60m', 3_600_000],
    ['address', listen, '127.0.0.1:6380', { host: '127.0.0.1', port: 6380 }],
    ['address', listen, '[::]:10641', { host: '::', port: 10_641 }],
    ['address', listen, '[fe80::1%eth0]:1', { host: 'fe80::1%eth0', port: 1 }],
    ['address', listen, ':10641', { host: '', port: 10_641 }],
    ['address', listen, 'Localhost:0', { host: 'localhost', port: 0 }],
    ['address', listen, 'turn_exporter.svc.:65535', { host: 'turn_exporter.svc.', port: 65_535 }],
    ['choice', level, 'warn', 'warn'],
    ['number', count, '1', 1],
    ['number', count, '10000', 10_000],
    ['decimal', share, '0', 0],
    ['decimal', share, '0.25', 0.25],
    ['path', filePath(), '-', '-'],
    ['path', filePath(), '/run/secrets/a b', '/run/secrets/a b'],
  ])('reads the %s %j %s', (_kind, type, text, value) => {
    expect(type.parse(text)).toEqual({ ok: true, value });
  });

  it.each<[string, ValueType<unknown>, string]>([
    ...[
      '',
      '5',
      's',
      '5 s',
      ' 5s',
      '5S',
      '5s\n',
      '1.5s',
      '-5s',
      '+5s',
      '1h30m',
      '5d',
      '5sec',
      '1e3s',
    ].map((text): [string, ValueType<unknown>, string] => ['duration', days, text]),
    ['duration', days, '25h'],
    ['duration', days, `${'9'.repeat(400)}h`],
    ['duration', upToAnHour, '999ms'],
    ['duration', upToAnHour, '61m'],
    ...[
      '',
      ':',
      '80',
      'localhost',
      'localhost:',
      ':-1',
      ':65536',
      ':080',
      ':8o',
      '::',
      '::1:80',
      '[::1]',
      '[::1]80',
      '[]:80',
      '[localhost]:80',
      '[127.0.0.1]:80',
      '256.0.0.1:80',
      '1.2.3:80',
      'a b:80',
      'http://localhost:80',
      'a:1,b:2',
      '-a:80',
      'a-:80',
      'user@host:80',
      'hö:80',
      `${'a'.repeat(254)}:80`,
      'a:80\n',
      ' a:80',
      'a:8:0',
    ].map((text): [string, ValueType<unknown>, string] => ['address', listen, text]),
    ['choice', level, ''],
    ['choice', level, 'INFO'],
    ['choice', level, 'toString'],
    ['choice', level, 'info '],
    ...[
      '',
      '0',
      '10001',
      '-1',
      '+1',
      '01',
      '1.0',
      '1e3',
      '0x10',
      ' 1',
      '1\n',
      '١',
      '1_000',
      '9'.repeat(400),
    ].map((text): [string, ValueType<unknown>, string] => ['number', count, text]),
    ...['', '.5', '1.', '1.1', '-0', '1e-3', '0,5', 'NaN', 'Infinity'].map(
      (text): [string, ValueType<unknown>, string] => ['decimal', share, text],
    ),
    ['path', filePath(), ''],
    ['path', filePath(), 'a\0b'],
  ])('refuses the %s %2$j', (_kind, type, text) => {
    expect(type.parse(text).ok).toBe(false);
  });

  it('names the bounds of a duration that is well written', () => {
    expect(upToAnHour.parse('2h')).toEqual({ ok: false, expected: 'a duration from 1s to 1h' });
  });

  it('names the bounds of a port', () => {
    const expected = 'a port that is a whole number from 0 to 65535';
    expect(listen.parse('a:65536')).toEqual({ ok: false, expected });
  });
});

describe('formatHostPort', () => {
  it.each([':10641', '[::1]:6380', '127.0.0.1:0'])('gives back %s', (text) => {
    const parsed = listen.parse(text);
    expect(parsed.ok && formatHostPort(parsed.value)).toBe(text);
  });
});

describe('formatDuration', () => {
  it.each(['0s', '500ms', '1500ms', '5s', '90s', '2m', '24h'])('gives back %s', (text) => {
    const parsed = days.parse(text);
    expect(parsed.ok && formatDuration(parsed.value)).toBe(text);
  });
});

describe('datedFilePath', () => {
  const type = datedFilePath('the path of a file');

  it.each(['stdout', 'a/b.jsonl', 's-%Y-%m-%d.jsonl', '/x/%F', '100%%'])('takes %s', (path) => {
    expect(type.parse(path)).toEqual({ ok: true, value: path });
  });

  it.each(['', '%', 's-%H.jsonl', 's-%Y.jsonl', 's-%Y-%m.jsonl', '%Y/%m/%d/s.jsonl', '%F/s.jsonl'])(
    'refuses "%s"',
    (path) => {
      expect(type.parse(path).ok).toBe(false);
    },
  );
});

describe('datedPath', () => {
  it.each([
    ['s-%Y-%m-%d.jsonl', 's-2026-01-02.jsonl'],
    ['%F.%%', '2026-01-02.%'],
    ['plain', 'plain'],
  ])('makes of %s %s', (path, dated) => {
    expect(datedPath(path, Date.UTC(2026, 0, 2, 23, 59, 59, 999))).toBe(dated);
  });
});

import { describe, expect, it } from 'vitest';
import { redact, redactUrl } from '../../../src/config/redact.ts';

describe('redact', () => {
  it.each([
    ['connect redis://u:s3cret@h:6379/0 failed', 'connect redis://***@h:6379/0 failed'],
    ['redis://:s3cret@a and rediss://u:s3@cret@b#x', 'redis://***@a and rediss://***@b#x'],
    ['mail ops@example.org', 'mail ops@example.org'],
    ['redis://h:6379/0', 'redis://h:6379/0'],
    ['', ''],
  ])('makes of %j', (text, expected) => {
    expect(redact(text)).toBe(expected);
  });

  it('replaces known secrets as they are and percent-encoded', () => {
    const text = 'WRONGPASS pa ss/1 near pa%20ss%2F1';
    expect(redact(text, ['pa ss/1', ''])).toBe('WRONGPASS *** near ***');
  });

  it('takes a secret that no encoding can hold', () => {
    expect(redact('x \ud800 y', ['\ud800'])).toBe('x *** y');
  });
});

describe('redactUrl', () => {
  it.each([
    ['redis://h:6379/0#eu', 'redis://h:6379/0#eu'],
    ['redis://[::1]:6379/0', 'redis://[::1]:6379/0'],
    ['redis+sentinel://a:1,[::1]:2/main/0', 'redis+sentinel://a:1,[::1]:2/main/0'],
    ['redis://u:s3cret@h/x', 'redis://***@h/x'],
    ['redis://u:s3 cret@h/x', 'redis://***@h/x'],
    ['redis://u:s3@cret@h', 'redis://***@h'],
    ['redis://u:s3/cret@h', 'redis://***@h'],
    ['redis://u:s3#cret@h', 'redis://***@h'],
    ['redis://u:s3?cret@h', 'redis://***@h'],
    ['redis://u:s3\ncret@h', 'redis://***@h'],
    ['u:s3cret@h:6379', '***@h:6379'],
    ['redis:u:s3cret@h', '***@h'],
    ['u:s3cret', '***'],
    ['redis://u:s3cret', 'redis://u:***'],
    ['redis://:12345', 'redis://:***'],
    ['redis+sentinel://a:1,b:s3cret/m', 'redis+sentinel://a:1,b:***/m'],
    ['redis://h?password=s3cret', 'redis://h?***'],
    ['redis://u:p@h?password=s3cret', 'redis://***@h?***'],
    ['redis://u:1/s3%cret', 'redis://u:1/***'],
    ['', ''],
  ])('makes of %j', (text, expected) => {
    expect(redactUrl(text)).toBe(expected);
  });
});

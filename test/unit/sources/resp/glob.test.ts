import { describe, expect, it } from 'vitest';
import { Glob } from '../../../../src/sources/resp/glob.ts';

const KEY = 'turn/realm/example.org/user/alice/allocation/001000000000000001/status';

describe('Glob', () => {
  it.each([
    ['*', KEY],
    ['*', ''],
    ['', ''],
    ['turn/*/allocation/*/status', KEY],
    ['turn/*', KEY],
    ['*status', KEY],
    ['**status**', KEY],
    ['*/user/alice/*', KEY],
    ['h?llo', 'hello'],
    ['h[ae]llo', 'hallo'],
    ['h[^e]llo', 'hallo'],
    ['h[a-c]llo', 'hbllo'],
    ['h[c-a]llo', 'hbllo'],
    ['h[\\]]llo', 'h]llo'],
    ['h[a-]llo', 'h-llo'],
    ['h[ab', 'hb'],
    ['a\\*b', 'a*b'],
    ['a\\', 'a\\'],
    ['*a*b*c', 'xxaxxbxxbxxc'],
    ['caf?', 'café'],
  ])('%j matches %j', (pattern, text) => {
    expect(new Glob(pattern).matches(text)).toBe(true);
  });

  it.each([
    ['', 'a'],
    ['a', ''],
    ['a', 'ab'],
    ['ab', 'a'],
    ['turn/*/allocation/*/traffic', KEY],
    ['*statu', KEY],
    ['h?llo', 'hllo'],
    ['h[ae]llo', 'hillo'],
    ['h[^e]llo', 'hello'],
    ['h[a-c]llo', 'hdllo'],
    ['a\\*b', 'axb'],
    ['[]', 'a'],
    ['*a*b*c', 'xxaxxbxx'],
    ['TURN/*', KEY],
  ])('%j does not match %j', (pattern, text) => {
    expect(new Glob(pattern).matches(text)).toBe(false);
  });

  it('takes no more steps than text times pattern', () => {
    const glob = new Glob(`${'*a'.repeat(100)}b`);
    expect(glob.matches('a'.repeat(500))).toBe(false);
    expect(glob.steps).toBeLessThan(500 * 200);
  });
});

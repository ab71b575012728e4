import { describe, expect, it } from 'vitest';
import { MAX_STALE_KEYS, StatusKeys } from '../../../src/domain/origin.ts';

const NONE: ReadonlySet<string> = new Set();

function of(...servers: string[]): ReadonlySet<string> {
  return new Set(servers);
}

describe('StatusKeys, stale keys', () => {
  it('knows a stale key until a scan does not find it', () => {
    const keys = new StatusKeys();
    for (let scan = 1; scan <= 3; scan += 1) keys.beginScan();
    keys.noteStale('a');
    keys.noteStale('b');
    expect(keys.isStale('a', 4)).toBe(true);
    keys.endScan(4);
    expect(keys.isStale('a', 5)).toBe(true);
    expect(keys.isStale('b', 5)).toBe(false);
  });

  it('forgets one that a message came for', () => {
    const keys = new StatusKeys();
    keys.noteStale('a');
    keys.forgetStale('a');
    keys.forgetStale('never seen');
    expect(keys.isStale('a', 1)).toBe(false);
  });

  it('keeps one that was noted while the scan ran', () => {
    const keys = new StatusKeys();
    for (let scan = 1; scan <= 4; scan += 1) keys.beginScan();
    keys.noteStale('a');
    keys.endScan(4);
    expect(keys.isStale('a', 5)).toBe(true);
  });

  it('remembers no more than the cap, and room that was made is used again', () => {
    const keys = new StatusKeys();
    for (let at = 0; at <= MAX_STALE_KEYS; at += 1) keys.noteStale(`${at}`);
    expect(keys.isStale(`${MAX_STALE_KEYS - 1}`, 1)).toBe(true);
    expect(keys.isStale(`${MAX_STALE_KEYS}`, 1)).toBe(false);
    keys.forgetStale('0');
    keys.noteStale('late');
    expect(keys.isStale('late', 1)).toBe(true);
  });
});

describe('StatusKeys, the judgement on the database', () => {
  it('trusts a server at first', () => {
    const keys = new StatusKeys();
    expect(keys.isTrusted('a')).toBe(true);
    expect(keys.isWrongDatabase).toBe(false);
  });

  it('doubts after one contradiction, and is certain after two', () => {
    const keys = new StatusKeys();
    keys.judge(NONE, of('a'));
    expect([keys.isTrusted('a'), keys.isTrusted('b'), keys.isWrongDatabase]).toEqual([
      false,
      true,
      false,
    ]);
    keys.judge(NONE, of('a'));
    expect(keys.isWrongDatabase).toBe(true);
  });

  it('keeps its mind while scans show nothing either way', () => {
    const keys = new StatusKeys();
    keys.judge(NONE, of('a'));
    for (let time = 0; time < 9; time += 1) keys.judge(NONE, NONE);
    expect([keys.isTrusted('a'), keys.isWrongDatabase]).toEqual([false, false]);
  });

  it('forgives a server all of it once one of its keys is found', () => {
    const keys = new StatusKeys();
    for (let time = 0; time < 5; time += 1) keys.judge(NONE, of('a'));
    keys.judge(of('a'), of('a'));
    expect([keys.isTrusted('a'), keys.isWrongDatabase]).toEqual([true, false]);
    keys.judge(NONE, of('a'));
    expect(keys.isWrongDatabase).toBe(false);
  });

  it('judges servers one by one', () => {
    const keys = new StatusKeys();
    keys.judge(of('a'), of('b'));
    keys.judge(of('a'), of('b'));
    expect([keys.isTrusted('a'), keys.isTrusted('b'), keys.isWrongDatabase]).toEqual([
      true,
      false,
      true,
    ]);
  });
});

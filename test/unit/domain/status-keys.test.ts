import { describe, expect, it } from 'vitest';
import { MAX_GHOSTS, StatusKeys } from '../../../src/domain/origin.ts';

const NONE: ReadonlySet<string> = new Set();

function of(...servers: string[]): ReadonlySet<string> {
  return new Set(servers);
}

describe('StatusKeys, ghosts', () => {
  it('knows a ghost until a scan does not find it', () => {
    const keys = new StatusKeys();
    keys.scans = 3;
    keys.noteGhost('a');
    keys.noteGhost('b');
    expect(keys.isGhost('a', 4)).toBe(true);
    keys.dropGhosts(4);
    expect(keys.isGhost('a', 5)).toBe(true);
    expect(keys.isGhost('b', 5)).toBe(false);
  });

  it('forgets one that a message came for', () => {
    const keys = new StatusKeys();
    keys.noteGhost('a');
    keys.forgetGhost('a');
    keys.forgetGhost('never seen');
    expect(keys.isGhost('a', 1)).toBe(false);
  });

  it('keeps one that was noted while the scan ran', () => {
    const keys = new StatusKeys();
    keys.scans = 4;
    keys.noteGhost('a');
    keys.dropGhosts(4);
    expect(keys.isGhost('a', 5)).toBe(true);
  });

  it('remembers no more than the cap, and room that was made is used again', () => {
    const keys = new StatusKeys();
    for (let at = 0; at <= MAX_GHOSTS; at += 1) keys.noteGhost(`${at}`);
    expect(keys.isGhost(`${MAX_GHOSTS - 1}`, 1)).toBe(true);
    expect(keys.isGhost(`${MAX_GHOSTS}`, 1)).toBe(false);
    keys.forgetGhost('0');
    keys.noteGhost('late');
    expect(keys.isGhost('late', 1)).toBe(true);
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

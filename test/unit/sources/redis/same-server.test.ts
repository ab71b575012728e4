import { describe, expect, it } from 'vitest';
import { SameServer } from '../../../../src/sources/redis/same-server.ts';

function scene() {
  const sameServer = new SameServer();
  const yielded: string[] = [];
  const [one, two] = ['one', 'two'].map((name) => {
    const claimant = { name, yieldTo: (other: string) => yielded.push(`${name} to ${other}`) };
    sameServer.join(claimant);
    return claimant;
  });
  if (one === undefined || two === undefined) throw new Error('Nobody joined');
  return { sameServer, one, two, yielded };
}

describe('SameServer', () => {
  it('is needed by two', () => {
    const sameServer = new SameServer();
    sameServer.join({ name: 'one', yieldTo: () => undefined });
    expect(sameServer.isNeeded).toBe(false);
    sameServer.join({ name: 'two', yieldTo: () => undefined });
    expect(sameServer.isNeeded).toBe(true);
  });

  it('gives a server to the first who claims it, until that one lets it go', () => {
    const { sameServer, one, two } = scene();
    expect(sameServer.claim(one, ['10.0.0.1 6379', 'run-a'])).toBeUndefined();
    expect(sameServer.claim(two, ['10.0.0.2 6379', 'run-b'])).toBeUndefined();
    expect(sameServer.claim(two, ['127.0.0.1 6379', 'run-a'])).toBe('one');
    sameServer.release(one);
    expect(sameServer.claim(two, ['127.0.0.1 6379', 'run-a'])).toBeUndefined();
    // As after a failover.
    expect(sameServer.claim(one, ['10.0.0.2 6379', 'run-b'])).toBeUndefined();
  });

  it('makes the second step back when both bring the same messages', () => {
    const { sameServer, one, two, yielded } = scene();
    for (let message = 0; message < 8; message += 1) {
      sameServer.hear(two, `status ${message}`, message);
      expect(yielded).toEqual([]);
      sameServer.hear(one, `status ${message}`, message + 1);
    }
    expect(yielded).toEqual(['two to one']);
  });

  it('leaves alone servers that bring some equal messages among others', () => {
    const { sameServer, one, two, yielded } = scene();
    for (let message = 0; message < 100; message += 1) {
      const nowMs = message * 6_000;
      sameServer.hear(one, `status ${message}`, nowMs);
      sameServer.hear(two, `status ${message}`, nowMs);
      sameServer.hear(one, `its own ${message}`, nowMs);
    }
    expect(yielded).toEqual([]);
  });

  it('takes one source that repeats itself for one', () => {
    const { sameServer, one, yielded } = scene();
    for (let time = 0; time < 100; time += 1) sameServer.hear(one, 'refreshed', time);
    expect(yielded).toEqual([]);
  });
});

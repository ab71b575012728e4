import { describe, expect, it } from 'vitest';
import { type Admission, Places } from '../../../../src/sources/statsdb/places.ts';

const LIMITS = { total: 6, proven: 8, perAddress: 4, probation: 2, strangers: 3 };

class Peer {
  readonly address: string;
  hasProved = false;
  isOut = false;

  constructor(address: string) {
    this.address = address;
  }

  giveWay(): void {
    this.isOut = true;
  }
}

function enter(places: Places, address: string, count = 1): { peers: Peer[]; last: Admission } {
  const peers: Peer[] = [];
  let last: Admission = 'refused';
  for (let number = 0; number < count; number += 1) {
    const peer = new Peer(address);
    last = places.enter(peer);
    peers.push(peer);
  }
  return { peers, last };
}

const outOf = (peers: readonly Peer[]): number[] =>
  peers.flatMap(({ isOut }, index) => (isOut ? [index] : []));

describe('Places without a password', () => {
  it('admits everybody while there is room', () => {
    const places = new Places(false, LIMITS);
    expect(enter(places, 'a', 4).last).toBe('admitted');
    expect(enter(places, 'b', 2).last).toBe('admitted');
  });

  it('lets the oldest of an address give way at its cap', () => {
    const places = new Places(false, LIMITS);
    const { peers, last } = enter(places, 'a', 6);
    expect(last).toBe('admitted');
    expect(outOf(peers)).toEqual([0, 1]);
  });

  it('lets the oldest of the address with most silent ones give way when all is taken', () => {
    const places = new Places(false, LIMITS);
    const crowd = enter(places, 'crowd', 4).peers;
    const few = enter(places, 'few', 2).peers;
    expect(enter(places, 'coturn', 2).last).toBe('admitted');
    expect([outOf(crowd), outOf(few)]).toEqual([[0, 1], []]);
  });

  it('keeps the mute connections of an address that publishes', () => {
    const places = new Places(false, LIMITS);
    const coturn = enter(places, 'coturn', 4).peers;
    const [, thread] = coturn;
    if (thread !== undefined) thread.hasProved = true;
    const crowd = enter(places, 'crowd', 4).peers;
    expect([outOf(coturn), outOf(crowd)]).toEqual([[], [0, 1]]);
  });

  it('puts a newcomer of a full address that publishes on probation', () => {
    const places = new Places(false, LIMITS);
    const [thread] = enter(places, 'a', 4).peers;
    if (thread !== undefined) thread.hasProved = true;
    const late = new Peer('a');
    expect(places.enter(late)).toBe('probation');
    late.hasProved = true;
    expect(places.prove(late)).toBe(true);
    expect(enter(places, 'a').last).toBe('probation');
  });

  it('refuses a newcomer when every place is of an address that publishes', () => {
    const places = new Places(false, LIMITS);
    for (const address of ['a', 'b', 'c']) {
      const [thread] = enter(places, address, 2).peers;
      if (thread !== undefined) thread.hasProved = true;
    }
    expect(enter(places, 'd').last).toBe('refused');
  });

  it('frees the place of who leaves, once', () => {
    const places = new Places(false, LIMITS);
    const { peers } = enter(places, 'a', 4);
    const [first] = peers;
    if (first !== undefined) for (let twice = 0; twice < 2; twice += 1) places.leave(first);
    enter(places, 'a');
    expect(outOf(peers)).toEqual([]);
    enter(places, 'a');
    expect(outOf(peers)).toEqual([1]);
  });
});

describe('Places with a password', () => {
  it('keeps strangers to a few places of their own, the oldest giving way', () => {
    const places = new Places(true, LIMITS);
    const { peers, last } = enter(places, 'a', 5);
    expect(last).toBe('probation');
    expect(outOf(peers)).toEqual([0, 1]);
  });

  it('turns out strangers of the crowd before one of another address', () => {
    const places = new Places(true, LIMITS);
    const [coturn] = enter(places, 'coturn').peers;
    const crowd = enter(places, 'crowd', 20).peers;
    expect(coturn?.isOut).toBe(false);
    expect(outOf(crowd)).toHaveLength(18);
  });

  it('has room for those who know it, whatever strangers do', () => {
    const places = new Places(true, LIMITS);
    for (let number = 0; number < LIMITS.proven; number += 1) {
      const peer = new Peer('coturn');
      enter(places, 'crowd', 5);
      expect(places.enter(peer)).toBe('probation');
      peer.hasProved = true;
      expect(places.prove(peer)).toBe(true);
    }
    const late = new Peer('late');
    places.enter(late);
    expect(places.prove(late)).toBe(false);
  });
});

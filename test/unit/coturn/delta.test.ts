import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deltaTailOf, PEER_TAIL, readDelta, TRAFFIC_TAIL } from '../../../src/coturn/delta.ts';
import { parseStatsKey } from '../../../src/coturn/key.ts';
import { readTraffic } from '../../../src/coturn/payload.ts';
import { allocationKey } from '../../support/coturn-message.ts';
import { wireMessage } from '../../support/wire-message.ts';

const NUMBERS = fc.oneof(
  fc.maxSafeNat().map(String),
  fc.constantFrom('0', '007', '9007199254740991', '9007199254740992', '9'.repeat(400), '-1', ''),
);
/** Payloads, most of them proper, with a character changed, lost or put in. */
const PAYLOADS = fc
  .tuple(fc.tuple(NUMBERS, NUMBERS, NUMBERS, NUMBERS), fc.nat(60), fc.nat(2), fc.nat(3))
  .chain(([[one, two, three, four], at, length, fault]) => {
    const whole = `rcvp=${one}, rcvb=${two}, sentp=${three}, sentb=${four}`;
    if (fault > 0) return fc.constant(whole);
    return fc
      .string({ unit: 'binary', maxLength: 2 })
      .map((text) => whole.slice(0, at) + text + whole.slice(at + length));
  });

describe('readDelta', () => {
  it('reads and refuses what `readTraffic` does, from bytes', () => {
    fc.assert(
      fc.property(PAYLOADS, (payload) => {
        const [fromBytes, fromText] = [new Float64Array(4), new Float64Array(4)];
        const refusal = readTraffic(payload, fromText);
        expect(readDelta(wireMessage('', payload), fromBytes)).toBe(refusal);
        if (refusal === undefined) expect(fromBytes).toEqual(fromText);
      }),
      { numRuns: 3_000 },
    );
  });

  it('refuses a payload that is cut anywhere, or reads a shorter last number', () => {
    const payload = 'rcvp=2048, rcvb=354304, sentp=2048, sentb=356352';
    for (let length = 0; length <= payload.length; length += 1) {
      const part = payload.slice(0, length);
      const [fromBytes, fromText] = [new Float64Array(4), new Float64Array(4)];
      expect(readDelta(wireMessage('', part), fromBytes)).toBe(readTraffic(part, fromText));
    }
  });
});

describe('deltaTailOf', () => {
  it('tells the topics of deltas, and no others', () => {
    const topics = [
      'traffic',
      'traffic/peer',
      'total_traffic',
      'total_traffic/peer',
      'status',
      'x',
    ];
    const keys = fc.oneof(
      fc
        .tuple(fc.string({ maxLength: 9 }), fc.constantFrom(...topics))
        .map(([user, topic]) => [allocationKey(user, 1), topic].join('/')),
      fc.constantFrom('', '/traffic', '/traffic/peer', 'peer', `${'x'.repeat(40)}Traffic`),
    );
    fc.assert(
      fc.property(keys, (key) => {
        const parsed = parseStatsKey(key);
        if (!parsed.ok) return;
        const tails: Record<string, number> = { traffic: TRAFFIC_TAIL, 'traffic/peer': PEER_TAIL };
        expect(deltaTailOf(wireMessage(key, ''))).toBe(tails[parsed.topic] ?? 0);
      }),
    );
    for (const key of ['', 'c', '/traffic', 'peer']) {
      expect(deltaTailOf(wireMessage(key, ''))).toBe(0);
    }
  });
});

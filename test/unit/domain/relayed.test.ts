import { describe, expect, it } from 'vitest';
import { createRelayedRule } from '../../../src/domain/relayed.ts';
import { traffic } from '../../support/coturn-message.ts';

describe('createRelayedRule', () => {
  const isRelayed = createRelayedRule();

  it.each([
    ['nothing', traffic(0, 0, 0, 0)],
    ['checks of a direct call after 8 s', traffic(8, 512, 8, 768)],
    ['checks of a direct call after two minutes', traffic(55, 3520, 55, 5280)],
    ['the same as coturn 4.17.1 counts them', traffic(55, 3520, 55, 5500)],
    ['checks that nobody answers', traffic(0, 0, 55, 5940)],
    ['a check and its answer', traffic(1, 64, 1, 96)],
  ])('is false for %s', (_what, peer) => {
    expect(isRelayed(peer, 'peer')).toBe(false);
  });

  it.each([
    ['a data channel that was opened and closed', traffic(15, 2650, 15, 2650)],
    ['a data channel idle for 10 s', traffic(28, 3750, 29, 3750)],
    ['a data channel idle for a minute', traffic(80, 7700, 80, 7700)],
    ['two seconds of video', traffic(60, 36_000, 60, 36_000)],
    ['13 s of a muted microphone of Chromium', traffic(873, 60_700, 870, 60_385)],
    ['1.2 s of it', traffic(76, 5270, 75, 5240)],
    ['a second of silence in packets of 45 bytes', traffic(50, 2250, 50, 2250)],
    ['a minute of one that sends comfort noise only', traffic(150, 5600, 150, 5600)],
    ['a quiet voice', traffic(100, 8000, 100, 8000)],
    ['sums of which only a total is known', traffic(0, 9e9, 0, 9e9)],
  ])('is true for %s', (_what, peer) => {
    expect(isRelayed(peer, 'peer')).toBe(true);
  });

  it('asks for more where only the client side is known, with what TURN adds to it', () => {
    expect(isRelayed(traffic(71, 5900, 71, 7800), 'client')).toBe(false);
    expect(isRelayed(traffic(16, 1412, 16, 2048), 'client')).toBe(false);
    expect(isRelayed(traffic(60, 36_000, 60, 36_000), 'client')).toBe(true);
  });

  it.each([
    [1, traffic(0, 0, 0, 0), false],
    [1, traffic(0, 0, 1, 1), true],
    [1000, traffic(9, 499, 9, 500), false],
    [1000, traffic(9, 500, 9, 500), true],
  ])('goes by %i bytes alone when told so', (minBytes, peer, relayed) => {
    expect(createRelayedRule(minBytes)(peer, 'peer')).toBe(relayed);
  });
});

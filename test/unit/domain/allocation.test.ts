import { describe, expect, it } from 'vitest';
import type { Connection } from '../../../src/coturn/event.ts';
import {
  Allocation,
  DEFAULT_LIFETIME_MS,
  EXPIRY_GRACE_MS,
} from '../../../src/domain/allocation.ts';
import { Ledger } from '../../../src/domain/ledger.ts';
import { Origin } from '../../../src/domain/origin.ts';
import { Session } from '../../../src/domain/session.ts';
import { type Settlement, settlementOf } from '../../../src/domain/settlement.ts';
import { SourceStats } from '../../../src/domain/source-stats.ts';
import { CLIENT, PEER, type Traffic } from '../../../src/domain/traffic.ts';
import { Users } from '../../../src/domain/user.ts';
import { traffic } from '../../support/coturn-message.ts';

const CONNECTION: Connection = {
  transport: 'tls',
  tls: 'TLSv1.3',
  ipFamily: 'ipv4',
  local: '192.0.2.1:5349',
  remote: '203.0.113.7:49152',
};

interface Setup {
  readonly startKnown?: boolean;
  readonly contested?: boolean;
  readonly client?: Traffic;
  readonly peer?: Traffic;
  readonly clientTotal?: Traffic;
  readonly peerTotal?: Traffic;
}

function createAllocation(setup: Setup = {}): Allocation {
  const ledger = new Ledger(10);
  const account = ledger.realm('r');
  const origin = new Origin(0, new SourceStats('s', 'status'), 's');
  const session = new Session({
    group: 'g',
    realm: 'r',
    account,
    user: new Users(1).open('r', 'bob'),
    userName: 'bob',
    username: 'bob',
    startKnown: true,
    startedAtMs: 1000,
  });
  const allocation = new Allocation({
    origin,
    session,
    account: ledger.server(account, 's'),
    address: origin.allocations.insert('k'),
    startKnown: setup.startKnown ?? true,
    contested: setup.contested ?? false,
    nowMs: 1000,
  });
  if (setup.client !== undefined) allocation.report(CLIENT, setup.client);
  if (setup.peer !== undefined) allocation.report(PEER, setup.peer);
  if (setup.clientTotal !== undefined) allocation.noteTotal(CLIENT, setup.clientTotal);
  if (setup.peerTotal !== undefined) allocation.noteTotal(PEER, setup.peerTotal);
  return allocation;
}

function settle(setup: Setup): Settlement {
  const allocation = createAllocation(setup);
  allocation.end('deleted', 2000);
  return settlementOf(allocation);
}

const ZERO = traffic(0, 0, 0, 0);
const TEN = traffic(10, 10, 10, 10);
const SIX = traffic(6, 6, 6, 6);
const FOUR = traffic(4, 4, 4, 4);

describe('Allocation', () => {
  it('expires after its lifetime and a grace, counted from the last event', () => {
    const allocation = createAllocation();
    expect(allocation.expiresAtMs).toBe(1000 + DEFAULT_LIFETIME_MS + EXPIRY_GRACE_MS);
    allocation.describe(30, undefined);
    allocation.prove(5000);
    expect(allocation.expiresAtMs).toBe(5000 + 30_000 + EXPIRY_GRACE_MS);
    allocation.describe(0, undefined);
    expect(allocation.expiresAtMs).toBe(5000 + EXPIRY_GRACE_MS);
  });

  it('keeps its connection when a status of an old coturn does not tell it', () => {
    const allocation = createAllocation();
    expect(allocation).toMatchObject({ transport: 'unknown', tls: 'unknown', local: '' });
    allocation.describe(600, CONNECTION);
    allocation.describe(300, undefined);
    expect(allocation).toMatchObject({
      transport: 'tls',
      tls: 'TLSv1.3',
      local: '192.0.2.1:5349',
      lifetimeMs: 300_000,
    });
  });
});

describe('Allocation.settlement', () => {
  it('adds nothing when the reports equal the totals', () => {
    expect(settle({ client: TEN, clientTotal: TEN, peer: SIX, peerTotal: SIX })).toEqual({
      missedClient: ZERO,
      missedPeer: ZERO,
      client: TEN,
      peer: SIX,
      complete: true,
    });
  });

  it('adds what the totals tell and the reports do not', () => {
    expect(settle({ client: SIX, clientTotal: TEN, peer: FOUR, peerTotal: TEN })).toEqual({
      missedClient: FOUR,
      missedPeer: SIX,
      client: TEN,
      peer: TEN,
      complete: true,
    });
  });

  it('adds nothing when the reports are ahead of the totals', () => {
    expect(settle({ client: TEN, clientTotal: SIX, peer: TEN, peerTotal: SIX })).toEqual({
      missedClient: ZERO,
      missedPeer: ZERO,
      client: TEN,
      peer: TEN,
      complete: false,
    });
  });

  it('sees through the wrap of a peer total', () => {
    const peer = traffic(1000, 4_681_920_000, 5, 4_681_919_000);
    const peerTotal = traffic(1000, 386_952_704, 5, 386_952_704);
    const settled = settle({ client: TEN, clientTotal: TEN, peer, peerTotal });
    expect(settled.peer).toEqual(traffic(1000, 4_681_920_000, 5, 4_681_920_000));
    expect(settled.missedPeer.sentBytes).toBe(1000);
  });

  it('tells totals only to the record when the start is not known', () => {
    expect(
      settle({ startKnown: false, client: SIX, clientTotal: TEN, peer: FOUR, peerTotal: TEN }),
    ).toEqual({
      missedClient: ZERO,
      missedPeer: ZERO,
      client: TEN,
      peer: TEN,
      complete: true,
    });
  });

  it('unwraps the peer total of an unknown start by the client side', () => {
    const settled = settle({
      startKnown: false,
      clientTotal: traffic(0, 100, 0, 4_790_000_000),
      peerTotal: traffic(0, 386_952_704, 0, 90),
    });
    expect(settled.peer).toEqual(traffic(0, 4_681_920_000, 0, 90));
  });

  it.each([true, false])('uses no totals of a contested key (start known: %s)', (startKnown) => {
    expect(
      settle({
        startKnown,
        contested: true,
        client: SIX,
        clientTotal: TEN,
        peer: FOUR,
        peerTotal: TEN,
      }),
    ).toEqual({
      missedClient: ZERO,
      missedPeer: ZERO,
      client: SIX,
      peer: FOUR,
      complete: false,
    });
  });

  it('is complete without totals when the reports are an unbroken series up to the end', () => {
    expect(settle({ client: TEN, peer: SIX }).complete).toBe(true);
  });

  it('is complete on a coturn that knows no peer side', () => {
    expect(settle({ client: TEN, clientTotal: TEN }).complete).toBe(true);
  });

  it.each<[string, Partial<Record<'gap' | 'expectsPeer' | 'expired', boolean>>, Setup]>([
    ['messages may have been lost and no total came', { gap: true }, { client: TEN, peer: SIX }],
    ['its start was not seen and no total came', {}, { startKnown: false, client: TEN }],
    ['its end was not seen', { expired: true }, { client: TEN, peer: SIX }],
    ['the peer total did not come', { gap: true }, { client: TEN, peer: SIX, clientTotal: TEN }],
    ['nothing was heard of the peer side', { expectsPeer: true }, { client: TEN }],
  ])('is not complete when %s', (_what, state, setup) => {
    const allocation = createAllocation(setup);
    if (state.expectsPeer === true) allocation.describe(600, CONNECTION);
    if (state.gap === true) allocation.origin.countGap();
    allocation.end(state.expired === true ? 'expired' : 'deleted', 2000);
    expect(settlementOf(allocation).complete).toBe(false);
  });

  it('is complete after a gap when both totals come', () => {
    const allocation = createAllocation({
      client: SIX,
      peer: SIX,
      clientTotal: TEN,
      peerTotal: TEN,
    });
    allocation.origin.countGap();
    allocation.end('deleted', 2000);
    expect(settlementOf(allocation).complete).toBe(true);
  });

  it('changes nothing, so that it could be asked again', () => {
    const allocation = createAllocation({ client: SIX, clientTotal: TEN });
    allocation.end('deleted', 2000);
    expect(settlementOf(allocation)).toEqual(settlementOf(allocation));
    expect(allocation.client).toEqual(SIX);
  });
});

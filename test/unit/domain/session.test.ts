import { describe, expect, it } from 'vitest';
import { Allocation } from '../../../src/domain/allocation.ts';
import { type EndReason, Ledger } from '../../../src/domain/ledger.ts';
import { Origin } from '../../../src/domain/origin.ts';
import { Session } from '../../../src/domain/session.ts';
import { settlementOf } from '../../../src/domain/settlement.ts';
import { SourceStats } from '../../../src/domain/source-stats.ts';
import type { Traffic } from '../../../src/domain/traffic.ts';
import { CLIENT, PEER } from '../../../src/domain/traffic.ts';
import { Users } from '../../../src/domain/user.ts';
import { traffic } from '../../support/coturn-message.ts';

const LEDGER = new Ledger(10);
const REALM = LEDGER.realm('r');
const ORIGIN = new Origin(0, new SourceStats('s', 'status'), 's');

function createSession(): Session {
  return new Session({
    group: 'g',
    realm: 'r',
    account: REALM,
    user: new Users(1).open('r', 'bob'),
    userName: 'bob',
    username: '1795306257:bob',
    startKnown: true,
    startedAtMs: 1000,
  });
}

function open(session: Session, client: Traffic = traffic(0, 0, 0, 0)): Allocation {
  const allocation = new Allocation({
    origin: ORIGIN,
    session,
    account: LEDGER.server(REALM, 's'),
    address: ORIGIN.allocations.insert('k'),
    startKnown: true,
    contested: false,
    nowMs: 1000,
  });
  allocation.report(CLIENT, client);
  allocation.enter();
  return allocation;
}

function end(allocation: Allocation, endReason: EndReason, endedAtMs: number): void {
  allocation.end(endReason, endedAtMs);
}

function close(allocation: Allocation): void {
  allocation.session.close(allocation, settlementOf(allocation));
}

describe('Session', () => {
  it('counts allocations that live, that are open and that were ever there', () => {
    const session = createSession();
    const first = open(session);
    const second = open(session);
    end(first, 'deleted', 2000);
    expect(session).toMatchObject({ liveAllocations: 1, allocationCount: 2 });
    expect(session.open).toEqual([first, second]);
    close(first);
    expect(session.open).toEqual([second]);
    end(second, 'deleted', 3000);
    close(second);
    expect(session).toMatchObject({ liveAllocations: 0, allocationCount: 2, open: [] });
  });

  it('ends with the allocation that ended last, not with the one that was told last', () => {
    const session = createSession();
    const [first, second] = [open(session), open(session)];
    end(first, 'deleted', 5000);
    end(second, 'expired', 3000);
    expect(session.endedAtMs).toBe(5000);
  });

  it('has the reason of the allocation that carried most of it', () => {
    const session = createSession();
    const idle = open(session, traffic(1, 20, 1, 80));
    const carrier = open(session, traffic(9, 9000, 9, 9000));
    const other = open(session, traffic(1, 20, 1, 80));
    end(carrier, 'deleted', 2000);
    close(carrier);
    end(other, 'superseded', 2500);
    close(other);
    end(idle, 'expired', 9000);
    close(idle);
    expect(session).toMatchObject({ endedAtMs: 9000, endReason: 'deleted' });
  });

  it('tells client-side bytes of closed and of open allocations together', () => {
    const session = createSession();
    const first = open(session, traffic(1, 10, 1, 20));
    open(session, traffic(1, 100, 1, 200));
    expect(session.clientBytes()).toEqual({ received: 110, sent: 220 });
    end(first, 'deleted', 2000);
    close(first);
    expect(session.clientBytes()).toEqual({ received: 110, sent: 220 });
    expect(session.client).toEqual(traffic(1, 10, 1, 20));
  });

  it('sums missed bytes of both sides and both directions', () => {
    const session = createSession();
    const allocation = open(session);
    allocation.noteTotal(CLIENT, traffic(1, 1, 1, 20));
    allocation.noteTotal(PEER, traffic(1, 300, 1, 4000));
    end(allocation, 'deleted', 2000);
    close(allocation);
    expect(session.missedBytes).toBe(4321);
  });

  it('is complete only when all its allocations are', () => {
    const session = createSession();
    const [first, second, third] = [open(session), open(session), open(session)];
    end(first, 'deleted', 2000);
    close(first);
    expect(session.complete).toBe(true);
    end(second, 'expired', 2000);
    close(second);
    end(third, 'deleted', 2000);
    close(third);
    expect(session.complete).toBe(false);
  });

  it('notes each distinct value once, in order, up to a bound', () => {
    const session = createSession();
    const note = { server: 's', transport: 'udp', tls: 'none' };
    session.note({ ...note, client: '' });
    for (const client of ['b', 'a', 'b', 'c']) session.note({ ...note, client });
    expect(session.clients).toBe('b,a,c');
    expect(session.servers).toBe('s');
    for (let at = 0; at < 1000; at += 1) session.note({ ...note, client: String(at) });
    expect(session.clients.split(',').length).toBe(32);
  });
});

describe('Session.note', () => {
  it('forgets what is unknown as soon as something is known', () => {
    const session = createSession();
    const note = { server: 's', client: '' };
    session.note({ ...note, transport: 'unknown', tls: 'unknown' });
    expect(session).toMatchObject({ transports: 'unknown', tlsVersions: 'unknown' });
    session.note({ ...note, transport: 'udp', tls: 'none' });
    session.note({ ...note, transport: 'unknown', tls: 'unknown' });
    session.note({ ...note, transport: 'tcp', tls: 'none' });
    expect(session).toMatchObject({ transports: 'udp,tcp', tlsVersions: 'none' });
  });
});

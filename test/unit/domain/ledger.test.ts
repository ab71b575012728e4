import { describe, expect, it } from 'vitest';
import {
  Ledger,
  MAX_PAIRS,
  MAX_SERVERS,
  OVERFLOW,
  type ServerAccount,
} from '../../../src/domain/ledger.ts';
import { MAX_LABEL_LENGTH } from '../../../src/domain/user.ts';

function createAccount(): ServerAccount {
  const ledger = new Ledger(1);
  return ledger.server(ledger.realm('a'), 's');
}

describe('Ledger', () => {
  it('gives the same account for the same realm, and another for another', () => {
    const ledger = new Ledger(10);
    expect(ledger.realm('a')).toBe(ledger.realm('a'));
    expect(ledger.realm('a')).not.toBe(ledger.realm('b'));
    expect(ledger.realm('').realm).toBe('');
    expect([...ledger.realms()].map(({ realm }) => realm)).toEqual(['a', 'b', '']);
  });

  it.each(['__proto__', 'constructor', 'toString'])('takes a realm named %s', (realm) => {
    const ledger = new Ledger(10);
    expect(ledger.realm(realm)).toMatchObject({ realm, liveSessions: 0 });
    expect(ledger.server(ledger.realm(realm), realm)).toMatchObject({ realm, server: realm });
  });

  it('sums realms beyond the cap, and leaves those before it alone', () => {
    const ledger = new Ledger(2);
    const first = ledger.realm('a');
    ledger.realm('b');
    expect(ledger.realm('c').realm).toBe(OVERFLOW);
    expect(ledger.realm('d')).toBe(ledger.realm('c'));
    expect(ledger.realm('a')).toBe(first);
    expect([...ledger.realms()].map(({ realm }) => realm)).toEqual(['a', 'b', OVERFLOW]);
  });

  it('sums every realm when the cap is 0', () => {
    const ledger = new Ledger(0);
    expect(ledger.realm('a').realm).toBe(OVERFLOW);
    expect([...ledger.realms()].length).toBe(1);
  });

  it('keeps realms apart that differ only where they are cut', () => {
    const ledger = new Ledger(10);
    const long = 'r'.repeat(MAX_LABEL_LENGTH);
    expect(ledger.realm(`${long}1`)).not.toBe(ledger.realm(`${long}2`));
    expect(ledger.realm(`${long}1`)).toBe(ledger.realm(`${long}1`));
  });

  it('keeps a realm that is called other apart from those beyond the cap', () => {
    const ledger = new Ledger(2);
    const other = ledger.realm('other');
    ledger.realm('a');
    expect(ledger.realm('b')).not.toBe(other);
    expect(other.realm).toBe('other');
  });

  it('gives one account for a realm on a server', () => {
    const ledger = new Ledger(10);
    const realm = ledger.realm('a');
    expect(ledger.server(realm, 's')).toBe(ledger.server(realm, 's'));
    expect(ledger.server(realm, 's')).not.toBe(ledger.server(ledger.realm('b'), 's'));
    expect(ledger.server(realm, 's')).toMatchObject({ realm: 'a', server: 's' });
  });

  it('sums servers beyond the cap, which is one for all realms', () => {
    const ledger = new Ledger(10);
    const realm = ledger.realm('a');
    for (let at = 0; at < MAX_SERVERS; at += 1) ledger.server(realm, `s${at}`);
    expect(ledger.server(realm, 'more').server).toBe(OVERFLOW);
    expect(ledger.server(ledger.realm('b'), 'more').server).toBe(OVERFLOW);
    expect(ledger.server(ledger.realm('b'), 's7').server).toBe('s7');
    expect(realm.servers.size).toBe(MAX_SERVERS + 1);
  });

  it('counts what lives over all realms, servers and transports', () => {
    const ledger = new Ledger(10);
    expect(ledger.countLive()).toBe(0);
    ledger.server(ledger.realm('a'), 's').changeLive('udp', 1);
    ledger.server(ledger.realm('a'), 's').changeLive('tcp', 1);
    ledger.server(ledger.realm('b'), 't').changeLive('udp', 1);
    ledger.server(ledger.realm('b'), 't').changeLive('udp', -1);
    expect(ledger.countLive()).toBe(2);
  });

  it('keeps what lives of each server in all realms together', () => {
    const ledger = new Ledger(10);
    ledger.server(ledger.realm('a'), 's').changeLive('udp', 1);
    ledger.server(ledger.realm('b'), 's').changeLive('tcp', 1);
    ledger.server(ledger.realm('b'), 't').changeLive('udp', 1);
    ledger.server(ledger.realm('b'), OVERFLOW).changeLive('udp', 1);
    expect([...ledger.servers.values()]).toMatchObject([
      { server: 's', liveAllocations: 2 },
      { server: 't', liveAllocations: 1 },
    ]);
    expect(ledger.countLive()).toBe(4);
  });

  it('keeps what lives as it was at a moment', () => {
    const ledger = new Ledger(1_000);
    const accounts = Array.from({ length: 100 }, (_, number) =>
      ledger.server(ledger.realm(`r${number}`), 's'),
    );
    const [first, , last] = [accounts[0], accounts[1], accounts[99]];
    last?.changeLive('udp', 1);
    const then = ledger.copyLive();
    last?.changeLive('udp', 1);
    first?.changeLive('tls', 1);
    expect([then.of(0), then.of(99), then.of(100)]).toEqual([[], [['udp', 1]], []]);
    expect([first?.live, last?.live]).toEqual([[['tls', 1]], [['udp', 2]]]);
  });

  it('sums the pairs of realm and server beyond their cap under one server for each realm', () => {
    const ledger = new Ledger(1_000);
    for (let realm = 0; realm < 20; realm += 1) {
      for (let server = 0; server < 600; server += 1) {
        ledger.server(ledger.realm(`r${realm}`), `s${server}`).countRefresh();
      }
    }
    const pairs = [...ledger.realms()].flatMap(({ servers }) => [...servers.values()]);
    expect(pairs.length).toBeGreaterThanOrEqual(MAX_PAIRS);
    expect(pairs.length).toBeLessThanOrEqual(MAX_PAIRS + 20);
    expect(pairs.reduce((sum, { refreshes }) => sum + refreshes, 0)).toBe(12_000);
    const last = ledger.server(ledger.realm('r19'), 's599');
    expect(last).toMatchObject({ server: OVERFLOW, refreshes: 600 });
  });

  it('starts every number at 0', () => {
    const zeroes = {
      deleted: 0,
      expired: 0,
      vanished: 0,
      superseded: 0,
      restarted: 0,
      shutdown: 0,
    };
    const realm = new Ledger(1).realm('a');
    expect(realm).toMatchObject({
      liveSessions: 0,
      live: { true: 0, false: 0, unknown: 0 },
      finished: { true: zeroes, false: zeroes, unknown: zeroes },
    });
    expect(createAccount()).toMatchObject({ closed: zeroes, refreshes: 0 });
  });
});

describe('ServerAccount', () => {
  it('counts created allocations by every label', () => {
    const account = createAccount();
    account.countCreated('udp', 'none', 'ipv4');
    account.countCreated('udp', 'none', 'ipv4');
    account.countCreated('udp', 'none', 'ipv6');
    account.countCreated('tls', 'TLSv1.2', 'ipv4');
    account.countCreated('tls', 'TLSv1.3', 'ipv4');
    expect(account.created).toEqual([
      { transport: 'udp', tls: 'none', ipFamily: 'ipv4', count: 2 },
      { transport: 'udp', tls: 'none', ipFamily: 'ipv6', count: 1 },
      { transport: 'tls', tls: 'TLSv1.2', ipFamily: 'ipv4', count: 1 },
      { transport: 'tls', tls: 'TLSv1.3', ipFamily: 'ipv4', count: 1 },
    ]);
  });

  it('keeps one object for all that are connected in the same way, unless servers share it', () => {
    const ledger = new Ledger(1);
    const link = { transport: 'udp', tls: 'none', local: 's:3478', expectsPeer: true } as const;
    const account = ledger.server(ledger.realm('a'), 's');
    expect(account.linkOf({ ...link })).toBe(account.linkOf(link));
    expect(account.linkOf({ ...link, local: 's:3479' })).not.toBe(account.linkOf(link));
    const other = ledger.server(ledger.realm('a'), OVERFLOW);
    expect(other.linkOf(link)).toEqual(link);
    expect(other.linkOf(link)).not.toBe(other.linkOf(link));
  });

  it('remembers a transport that has no live allocation any more', () => {
    const account = createAccount();
    account.changeLive('udp', 1);
    account.changeLive('udp', -1);
    expect(account.live).toEqual([['udp', 0]]);
  });
});

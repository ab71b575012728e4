import { describe, expect, it } from 'vitest';
import { DEFAULT_LIFETIME_MS, EXPIRY_GRACE_MS } from '../../../src/domain/allocation.ts';
import { MAX_SERVERS } from '../../../src/domain/ledger.ts';
import { Servers } from '../../../src/domain/servers.ts';
import { payloadOf, traffic } from '../../support/coturn-message.ts';
import { Tracked } from './tracked.ts';

const FORGET_MS = 86_400_000;
const HEARD_WITHIN_MS = DEFAULT_LIFETIME_MS + EXPIRY_GRACE_MS;
const KEY = 'turn/realm/example.org/user/bob/allocation/001000000000000001';
const NEW =
  'new lifetime=600, type=UDP, local=192.0.2.1:3478, remote=198.51.100.1:1, ssl=NONE, cipher=NONE';

function createScene() {
  const tracked = new Tracked();
  const servers = new Servers({ ledger: tracked.tracker.ledger, forgetAfterMs: FORGET_MS });
  return { tracked, servers, list: () => servers.list(tracked.nowMs) };
}

describe('Servers that connect', () => {
  it('are up while they have a connection', () => {
    const { tracked, servers, list } = createScene();
    const server = servers.connected('a');
    server.join();
    server.join();
    server.hear(tracked.nowMs);
    const known = { server: 'a', allocations: 0, lastEventMs: tracked.nowMs };
    expect(list()).toEqual([{ ...known, isUp: true, connections: 2 }]);
    tracked.pass(10 * FORGET_MS);
    expect(list()).toEqual([{ ...known, isUp: true, connections: 2 }]);
    server.leave(tracked.nowMs);
    server.leave(tracked.nowMs);
    expect(list()).toEqual([{ ...known, isUp: false, connections: 0 }]);
  });

  it('are forgotten when they have been gone for long, and known again when they come', () => {
    const { tracked, servers, list } = createScene();
    const server = servers.connected('a');
    server.join();
    server.leave(tracked.nowMs);
    tracked.pass(FORGET_MS);
    expect(list()).toHaveLength(1);
    expect(servers.connected('a')).toBe(server);
    tracked.pass(1);
    expect(list()).toEqual([]);
    servers.connected('a').join();
    expect(list()).toMatchObject([{ server: 'a', connections: 1 }]);
  });

  it('are no more than there may be labels', () => {
    const { servers, list } = createScene();
    for (let number = 0; number <= MAX_SERVERS; number += 1) servers.connected(`s${number}`).join();
    expect(list()).toHaveLength(MAX_SERVERS);
  });
});

describe('Servers that publish to a Redis', () => {
  it.each([
    ['a status message', 'status', NEW.replace('new', 'refreshed')],
    ['a report of clients', 'traffic', payloadOf(traffic(1, 2, 3, 4))],
    ['a report of peers', 'traffic/peer', payloadOf(traffic(1, 2, 3, 4))],
  ])('are heard by %s', (_what, topic, payload) => {
    const { tracked, list } = createScene();
    tracked.send(`${KEY}/status`, NEW);
    const known = { server: '192.0.2.1', isUp: true, connections: undefined, allocations: 1 };
    expect(list()).toEqual([{ ...known, lastEventMs: tracked.nowMs }]);
    tracked.pass(60_000);
    tracked.sendInPlace(`${KEY}/${topic}`, payload);
    expect(list()).toEqual([{ ...known, lastEventMs: tracked.nowMs }]);
  });

  it('are up for as long as an allocation could live unheard, and forgotten later', () => {
    const { tracked, list } = createScene();
    tracked.send(`${KEY}/status`, NEW).send(`${KEY}/status`, 'deleted');
    tracked.pass(HEARD_WITHIN_MS);
    expect(list()).toMatchObject([{ server: '192.0.2.1', isUp: true, allocations: 0 }]);
    tracked.pass(1);
    expect(list()).toMatchObject([{ isUp: false }]);
    tracked.pass(FORGET_MS);
    expect(list()).toEqual([]);
  });

  it('have the sessions that began there, once a status message has told where that is', () => {
    const { tracked } = createScene();
    const sessionsOf = (server: string): number => {
      const [realm] = [...tracked.tracker.ledger.realms()];
      return realm?.servers.get(server)?.liveSessions ?? 0;
    };
    tracked.send(`${KEY}/traffic/peer`, payloadOf(traffic(1, 2, 3, 4)));
    expect([sessionsOf('redis'), sessionsOf('192.0.2.1')]).toEqual([1, 0]);
    tracked.send(`${KEY}/status`, NEW.replace('new', 'refreshed'));
    expect([sessionsOf('redis'), sessionsOf('192.0.2.1')]).toEqual([0, 1]);
    tracked.send(`${KEY}/status`, 'deleted').linger().finished();
    expect([sessionsOf('redis'), sessionsOf('192.0.2.1')]).toEqual([0, 0]);
  });

  it('are none where only strangers were heard', () => {
    const { tracked, list } = createScene();
    tracked.send(`${KEY}/traffic`, payloadOf(traffic(1, 2, 3, 4))).pass(60_000);
    expect(list()).toEqual([]);
  });
});

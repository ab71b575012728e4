import type { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { REJECT_REASONS } from '../../src/coturn/event.ts';
import type { Source } from '../../src/sources/source.ts';
import type { Defer } from '../support/cleanup.ts';
import { allocationKey, payloadOf, statusOf, traffic } from '../support/coturn-message.ts';
import { until } from '../support/until.ts';
import type { ObservedSink } from './observed-sink.ts';

/** One source under test, not started, and the way to talk to it. */
export interface SourceHarness {
  readonly source: Source;
  readonly sink: ObservedSink;
  /** A connection of its own that sends what a coturn would, once the source is ready. */
  connect(): Promise<Redis>;
  /**
   * Cuts the connection that messages come by.
   *
   * @returns a publisher whose messages arrive again
   */
  breakConnection(publisher: Redis): Promise<Redis>;
}

export interface SourceContract {
  readonly create: (defer: Defer) => Promise<SourceHarness>;
  /**
   * Whether coturn's keepalive arrives. Allowed to differ: the Redis source does not subscribe to
   * it, as it says nothing of allocations and would be sent every 5 s by each server's connections.
   */
  readonly hearsKeepalives: boolean;
}

const REALM = 'example.org';
const BASE = allocationKey('alice', 1);
const NEW = statusOf('new', { local: '127.0.0.1:3478' });
const REFRESHED = statusOf('refreshed', { local: '127.0.0.1:3478' });

/** What every {@link Source} does. */
export function describeSourceContract(name: string, contract: SourceContract): void {
  describe(name, () => {
    const create = () => contract.create(onTestFinished);

    it('is neither up nor ready before it is started', async () => {
      const { source } = await create();
      expect(source.status()).toMatchObject({ up: false, ready: false });
      expect(source.status().detail).not.toBe('');
    });

    it('is ready once it can receive, and up once a coturn publishes', async () => {
      const harness = await create();
      const publisher = await started(harness);
      await publisher.publish(`${BASE}/status`, NEW);
      await settled(harness, publisher);
      expect(harness.source.status()).toMatchObject({ up: true, ready: true });
    });

    it('is neither up nor ready after it was stopped', async () => {
      const harness = await create();
      await started(harness);
      await harness.source.stop();
      expect(harness.source.status()).toMatchObject({ up: false, ready: false });
    });

    it('can be stopped before it is started, and twice, also at once', async () => {
      const { source } = await create();
      await source.stop();
      await source.start();
      await Promise.all([source.stop(), source.stop()]);
      await source.stop();
    });

    it('receives each message once when it was started twice', async () => {
      const harness = await create();
      await harness.source.start();
      const publisher = await started(harness);
      await publisher.publish(`${BASE}/status`, NEW);
      await publisher.publish(`${BASE}/traffic`, payloadOf(traffic(1, 100, 2, 200)));
      await settled(harness, publisher);
      expect(accountOf(harness)?.client).toEqual(traffic(1, 100, 2, 200));
      expect(harness.source.stats.events).toMatchObject({ new: 1, traffic: 1 });
    });

    it('receives again when it is started after a stop', async () => {
      const harness = await create();
      await started(harness);
      await harness.source.stop();
      const publisher = await started(harness);
      await publisher.publish(`${BASE}/status`, NEW);
      await settled(harness, publisher);
      expect(harness.source.stats.events.new).toBe(1);
    });

    it('hands over the life of an allocation, exact to the byte', async () => {
      const harness = await create();
      const publisher = await started(harness);
      await publisher.set(`${BASE}/status`, NEW);
      await publisher.publish(`${BASE}/status`, NEW);
      await publisher.publish(`${BASE}/traffic`, payloadOf(traffic(1, 100, 2, 200)));
      await publisher.publish(`${BASE}/traffic/peer`, payloadOf(traffic(2, 190, 1, 90)));
      await publisher.publish(`${BASE}/status`, REFRESHED);
      await publisher.publish(`${BASE}/traffic`, payloadOf(traffic(10, 1_000, 20, 2_000)));
      await publisher.del(`${BASE}/status`);
      await publisher.publish(`${BASE}/status`, 'deleted');
      await publisher.publish(`${BASE}/total_traffic`, payloadOf(traffic(11, 1_100, 22, 2_200)));
      await publisher.publish(`${BASE}/total_traffic/peer`, payloadOf(traffic(3, 290, 1, 90)));
      await settled(harness, publisher);

      const { tracker } = harness.sink;
      tracker.expire(harness.sink.nowMs + 1);
      const account = accountOf(harness);
      expect(account?.server).toBe('127.0.0.1');
      expect(account?.client).toEqual(traffic(11, 1_100, 22, 2_200));
      expect(account?.peer).toEqual(traffic(3, 290, 1, 90));
      expect(account).toMatchObject({ refreshes: 1, closed: { deleted: 1 } });
      expect(harness.source.stats.events).toEqual({
        new: 1,
        refreshed: 1,
        deleted: 1,
        traffic: 2,
        traffic_peer: 1,
        total_traffic: 1,
        total_traffic_peer: 1,
        other: 0,
      });
      expect(harness.source.stats.missedBytes).toBe(100);
      expect(rejectedOf(harness)).toBe(0);
      expect(tracker.allocationCount).toBe(0);
      expect(tracker.sessions.takeFinished()).toMatchObject([
        { username: 'alice', complete: true, startKnown: true, missedBytes: 100 },
      ]);
    });

    it('puts the time at which they came on its messages', async () => {
      const harness = await create();
      const publisher = await started(harness);
      harness.sink.nowMs = 4_711;
      await publisher.publish(`${BASE}/status`, NEW);
      await settled(harness, publisher);
      expect(harness.source.stats.lastEventMs).toBe(4_711);
    });

    it.each([
      ['Unicode', 'żółw-😀-日本'],
      ['percent signs', '100%s%n%25'],
      ['slashes', 'a/b//c/'],
      ['words of the key', 'a/user/b/allocation/000000000000000009/status'],
      ['blanks, quotes and line breaks', ' a "b"\r\n$5\r\n\'c\' '],
      ['patterns of Redis', 'a*b?[c]\\'],
      ['500 bytes', 'ü'.repeat(250)],
      ['nothing', ''],
    ])('hands over a username with %s as it is', async (_, username) => {
      const harness = await create();
      const publisher = await started(harness);
      const base = allocationKey(username, 7);
      await publisher.publish(`${base}/status`, NEW);
      await publisher.publish(`${base}/traffic`, payloadOf(traffic(1, 100, 2, 200)));
      await publisher.publish(`${base}/status`, 'deleted');
      await settled(harness, publisher);
      harness.sink.tracker.expire(harness.sink.nowMs + 1);
      const [session, ...others] = harness.sink.tracker.sessions.takeFinished();
      expect(session).toMatchObject({ username, realm: REALM });
      expect(session?.client).toEqual(traffic(1, 100, 2, 200));
      expect(others).toEqual([]);
    });

    it('hands over messages of a coturn without a realm', async () => {
      const harness = await create();
      const publisher = await started(harness);
      const base = 'turn/user/alice/allocation/000000000000000001';
      await publisher.publish(`${base}/status`, 'new lifetime=600');
      await publisher.publish(`${base}/traffic`, payloadOf(traffic(1, 100, 2, 200)));
      await settled(harness, publisher);
      expect(accountOf(harness, '')?.client).toEqual(traffic(1, 100, 2, 200));
    });

    it.each([
      ['malformed_key', 'turn/realm/x/status', NEW],
      ['malformed_key', 'turn/user/alice/allocation/1/status', NEW],
      ['unknown_topic', `${BASE}/color`, 'red'],
      ['oversized_key', `turn/user/${'x'.repeat(3_000)}/status`, NEW],
      ['malformed_status', `${BASE}/status`, ''],
      ['malformed_status', `${BASE}/status`, 'new lifetime=x'],
      ['malformed_status', `${BASE}/status`, NEW.slice(0, -20)],
      ['malformed_traffic', `${BASE}/traffic`, 'rcvp=1, rcvb=2, sentp=3, sentb='],
      ['malformed_traffic', `${BASE}/traffic/peer`, '\u00ff\u0000'],
      ['number_out_of_range', `${BASE}/traffic`, payloadOf(traffic(1, 2 ** 53, 1, 1))],
    ] as const)('counts %s, case %#, and changes nothing else', async (reason, key, payload) => {
      const harness = await create();
      const publisher = await started(harness);
      await publisher.publish(`${BASE}/status`, NEW);
      await publisher.publish(`${BASE}/traffic`, payloadOf(traffic(1, 100, 2, 200)));
      await settled(harness, publisher);
      const before = stateOf(harness);
      await publisher.publish(key, payload);
      await settled(harness, publisher);
      expect(stateOf(harness)).toEqual(before);
      const expected = REJECT_REASONS.map((other) => [other, other === reason ? 1 : 0]);
      expect(harness.source.stats.rejected).toEqual(Object.fromEntries(expected));
    });

    it(`${contract.hearsKeepalives ? 'counts' : 'does not ask for'} keepalives`, async () => {
      const harness = await create();
      const publisher = await started(harness);
      await publisher.publish('__XXX__', '__YYY__');
      await settled(harness, publisher);
      expect(harness.source.stats.events.other).toBe(contract.hearsKeepalives ? 1 : 0);
      expect(rejectedOf(harness)).toBe(0);
    });

    it('keeps the order of 10,000 messages sent at once', async () => {
      const harness = await create();
      const publisher = await started(harness);
      harness.sink.isRecording = true;
      const pipeline = publisher.pipeline();
      pipeline.publish(`${BASE}/status`, NEW);
      const payloads = Array.from({ length: 10_000 }, (_, at) => payloadOf(traffic(1, at, 1, at)));
      for (const payload of payloads) pipeline.publish(`${BASE}/traffic`, payload);
      const replies = (await pipeline.exec()) ?? [];
      await settled(harness, publisher);
      expect(replies.map(([, reply]) => reply)).toEqual(Array.from({ length: 10_001 }, () => 1));
      const arrived = harness.sink.messages.map(({ payload }) => payload);
      expect(arrived).toEqual([NEW, ...payloads]);
      const sum = (10_000 * 9_999) / 2;
      expect(accountOf(harness)?.client).toEqual(traffic(10_000, sum, 10_000, sum));
    });

    it('sums what two connections publish at once', async () => {
      const harness = await create();
      const publishers = [await started(harness), await harness.connect()];
      await Promise.all(
        publishers.map(async (publisher, at) => {
          const base = allocationKey(`user-${at}`, at);
          const pipeline = publisher.pipeline();
          pipeline.publish(`${base}/status`, NEW);
          for (let turn = 0; turn < 1_000; turn += 1) {
            pipeline.publish(`${base}/traffic`, payloadOf(traffic(1, 100 + at, 1, 10)));
          }
          await pipeline.exec();
        }),
      );
      for (const publisher of publishers) await settled(harness, publisher);
      expect(accountOf(harness)?.client).toEqual(traffic(2_000, 201_000, 2_000, 20_000));
      expect(harness.sink.tracker.ledger.countLive()).toBe(2);
    });

    it('goes on counting after its connection broke, and marks the gap', async () => {
      const harness = await create();
      const publisher = await started(harness);
      await publisher.publish(`${BASE}/status`, NEW);
      await publisher.publish(`${BASE}/traffic`, payloadOf(traffic(1, 100, 2, 200)));
      await settled(harness, publisher);
      const gaps = harness.sink.gaps;
      harness.sink.nowMs += 500;
      const again = await harness.breakConnection(publisher);
      expect(harness.source.stats.disconnects).toBe(1);
      expect(harness.sink.gaps).toBe(gaps + 1);
      expect(harness.sink.tracker.ledger.countLive()).toBe(1);
      await again.publish(`${BASE}/traffic`, payloadOf(traffic(1, 100, 2, 200)));
      await settled(harness, again);
      expect(accountOf(harness)?.client).toEqual(traffic(2, 200, 4, 400));
      expect(harness.source.status()).toMatchObject({ up: true, ready: true });
    });

    it('hands over nothing after it was stopped', async () => {
      const harness = await create();
      const publisher = await started(harness);
      await publisher.publish(`${BASE}/status`, NEW);
      await settled(harness, publisher);
      // On their way while it stops; whether these count is open.
      for (let turn = 0; turn < 100; turn += 1) {
        publisher.publish(`${BASE}/traffic`, payloadOf(traffic(1, 1, 1, 1))).catch(() => undefined);
      }
      await harness.source.stop();
      const before = stateOf(harness);
      await publisher
        .publish(`${BASE}/traffic`, payloadOf(traffic(1, 1, 1, 1)))
        .catch(() => undefined);
      for (let turn = 0; turn < 10; turn += 1)
        await new Promise((resolve) => setImmediate(resolve));
      expect(stateOf(harness)).toEqual(before);
    });

    it('leaves no open handle behind', async () => {
      const harness = await create();
      const before = openHandles();
      const publisher = await started(harness);
      await publisher.publish(`${BASE}/status`, NEW);
      await settled(harness, publisher);
      await harness.source.stop();
      publisher.disconnect();
      await until(openHandles, {
        what: 'handles to be closed',
        timeoutMs: 3_000,
        isDone: (now) => now.sockets <= before.sockets && now.servers <= before.servers,
      });
    });
  });
}

/** Starts the source, waits until it is ready and gives a connection to publish by. */
async function started({ source, connect }: SourceHarness): Promise<Redis> {
  await source.start();
  await until(() => source.status(), { what: 'readiness', isDone: ({ ready }) => ready });
  return connect();
}

/** Resolves when everything that was published by this connection has arrived. */
async function settled({ sink }: SourceHarness, publisher: Redis): Promise<void> {
  const { key, passed } = sink.barrier();
  await publisher.publish(key, '');
  await passed;
}

function accountOf({ sink }: SourceHarness, realm = REALM) {
  const account = [...sink.tracker.ledger.realms()].find((one) => one.realm === realm);
  const servers = [...(account?.servers.values() ?? [])];
  expect(servers.length).toBeLessThanOrEqual(1);
  return servers[0];
}

/** Everything that a message could change, but for the counters of refusals. */
function stateOf({ sink, source }: SourceHarness): unknown {
  const { tracker } = sink;
  return structuredClone({
    stats: { ...source.stats, events: { ...source.stats.events } },
    live: tracker.ledger.countLive(),
    allocations: tracker.allocationCount,
    parked: tracker.parked.size,
    users: tracker.users.count,
    accounts: [...tracker.ledger.realms()].flatMap(({ realm, servers }) =>
      [...servers.values()].map(({ server, client, peer, closed, refreshes }) => ({
        ...{ realm, server, client, peer, closed, refreshes },
      })),
    ),
  });
}

function rejectedOf({ source }: SourceHarness): number {
  return Object.values(source.stats.rejected).reduce((sum, count) => sum + count, 0);
}

function openHandles(): { readonly sockets: number; readonly servers: number } {
  const kinds = process.getActiveResourcesInfo();
  const count = (kind: string) => kinds.filter((one) => one === kind).length;
  return { sockets: count('TCPSocketWrap'), servers: count('TCPServerWrap') };
}

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EXPIRY_GRACE_MS } from '../../../src/domain/allocation.ts';
import { SLOT_MS } from '../../../src/domain/deadlines.ts';
import type { SavedSession } from '../../../src/domain/saved-session.ts';
import { createSessionRecord, type SessionRecord } from '../../../src/domain/session-record.ts';
import type { GroupBy } from '../../../src/domain/session-table.ts';
import { SourceStats } from '../../../src/domain/source-stats.ts';
import { addTraffic, createTraffic, type Traffic } from '../../../src/domain/traffic.ts';
import type { UserNames } from '../../../src/domain/user.ts';
import { allocationKey, connection, payloadOf, traffic } from '../../support/coturn-message.ts';
import { Tracked } from './tracked.ts';

const A_DAY_MS = 86_400_000;
const WALL_OFFSET_MS = 1_700_000_000_000;
const GROUP_BYS: readonly GroupBy[] = ['user', 'client', 'allocation'];

/** What stands for a name outside; clear text in none of it. */
const hide = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);
/** A part of a name that tells users apart who share another part. */
const attributes = (username: string) =>
  username.startsWith('1795306257:') ? { tenant: 'one' } : undefined;
/** Ways in which names are taken. */
const NAMES: readonly Partial<UserNames>[] = [{}, { hide }, { attributes }, { hide, attributes }];

/** A process: a tracker whose clock began when it did, and what its records told. */
interface Life {
  readonly tracked: Tracked;
  readonly wallOffsetMs: number;
  readonly records: SessionRecord[];
}

function firstLife(options: Pick<NextLife, 'groupBy' | 'names'>): Life {
  const tracked = new Tracked(options);
  return { tracked, wallOffsetMs: WALL_OFFSET_MS, records: [] };
}

/** What a state file would hold, by way of its text. */
function save({ tracked, wallOffsetMs }: Life): SavedSession[] {
  return [...tracked.tracker.savedSessions(wallOffsetMs)].map((session) =>
    JSON.parse(JSON.stringify(session)),
  );
}

interface NextLife {
  readonly groupBy: GroupBy;
  readonly pastCounted: boolean;
  /** Its clock shows this much less at the same moment. */
  readonly shiftMs: number;
  readonly names?: Partial<UserNames>;
}

/** Another process, at the same moment, that takes in what `before` saved. */
function nextLife(before: Life, saved: readonly SavedSession[], options: NextLife): Life {
  const tracked = new Tracked(options);
  tracked.nowMs = before.tracked.nowMs - options.shiftMs;
  const wallOffsetMs = before.wallOffsetMs + options.shiftMs;
  for (const session of saved) {
    tracked.tracker.restore(session, {
      originOf: (_source, server) => tracked.tracker.openOrigin(tracked.stats, server),
      pastCounted: options.pastCounted,
      isHidden: options.names?.hide !== undefined,
      wallOffsetMs,
      nowMs: tracked.nowMs,
    });
  }
  return { tracked, wallOffsetMs, records: [] };
}

function takeRecords({ tracked, wallOffsetMs, records }: Life): void {
  const finished = tracked.finished();
  records.push(...finished.map((session) => createSessionRecord(session, wallOffsetMs)));
}

/** A record without what two runs need not agree on, as text. */
function essence({ session_id: _id, ...record }: SessionRecord): string {
  return JSON.stringify(record);
}

function sorted(records: readonly SessionRecord[]): string[] {
  return records.map(essence).sort();
}

interface Message {
  readonly key: string;
  readonly payload: string;
  readonly isNews: boolean;
}

interface Script {
  readonly key: string;
  readonly user: string;
  readonly messages: readonly Message[];
  readonly client: Traffic;
  readonly peer: Traffic;
}

interface Draft {
  readonly user: string;
  readonly realm: string;
  readonly server: number;
  readonly client: number;
  readonly isLong: boolean;
  readonly reports: readonly { client: Traffic; peer: Traffic; refresh: boolean }[];
}

function sumOf(all: readonly Traffic[]): Traffic {
  const sum = createTraffic();
  for (const one of all) addTraffic(sum, one);
  return sum;
}

function scriptOf(draft: Draft, id: number): Script {
  const key = allocationKey(draft.user, id, draft.realm);
  const remote = `203.0.113.${draft.client}:${id}`;
  const of = draft.isLong ? connection(remote, `192.0.2.${draft.server}:3478`) : '';
  const say = (topic: string, payload: string, isNews = false): Message => ({
    key: `${key}/${topic}`,
    payload,
    isNews,
  });
  const client = sumOf(draft.reports.map((report) => report.client));
  const peer = sumOf(draft.reports.map((report) => report.peer));
  const reports = draft.reports.flatMap((report) => [
    say('traffic', payloadOf(report.client)),
    say('traffic/peer', payloadOf(report.peer)),
    ...(report.refresh ? [say('status', `refreshed lifetime=600${of}`)] : []),
  ]);
  const messages = [
    say('status', `new lifetime=600${of}`, true),
    ...reports,
    say('status', 'deleted'),
    say('total_traffic', payloadOf(client), true),
    say('total_traffic/peer', payloadOf(peer), true),
  ];
  return { key, user: draft.user, messages, client, peer };
}

/** Both sides are the same media: apart by some per cent, as on the wire. */
const REPORT = fc.record({
  client: fc.tuple(fc.nat(4096), fc.nat(2 ** 22), fc.nat(4096), fc.nat(2 ** 22)),
  peer: fc.tuple(fc.nat(4096), fc.nat(2 ** 22), fc.nat(4096), fc.nat(2 ** 22)),
  refresh: fc.boolean(),
});

const DRAFT = fc.record({
  user: fc.constantFrom('bob', '1795306257:bob', '1795309999:bob', 'eve', '', 'x'.repeat(200)),
  realm: fc.constantFrom('example.org', 'other.org', ''),
  server: fc.integer({ min: 1, max: 3 }),
  client: fc.integer({ min: 1, max: 2 }),
  isLong: fc.boolean(),
  reports: fc.array(REPORT, { maxLength: 5 }).map((all) =>
    all.map(({ client, peer, refresh }) => ({
      client: traffic(...client),
      peer: traffic(...peer),
      refresh,
    })),
  ),
});

interface Plan {
  readonly scripts: readonly Script[];
  readonly order: readonly number[];
  readonly stepsMs: readonly number[];
  readonly lost: readonly boolean[];
  /** Where the process ends, as a share of all messages; and how many more it had seen by then. */
  readonly end: number;
  readonly unsaved: number;
  readonly groupBy: GroupBy;
  readonly names: Partial<UserNames>;
  readonly shiftMs: number;
  /** Whether records are written all the time, or not before the end. */
  readonly records: boolean;
}

function plans(losses: readonly boolean[]): fc.Arbitrary<Plan> {
  return fc.record({
    scripts: fc
      .array(DRAFT, { minLength: 1, maxLength: 6 })
      .map((drafts) => drafts.map((one, at) => scriptOf(one, at + 1))),
    order: fc.array(fc.nat(5), { minLength: 20, maxLength: 60 }),
    // Never as long as the linger: both runs must hear the totals in time.
    stepsMs: fc.array(fc.constantFrom(0, 1, 20, 400), { minLength: 1, maxLength: 10 }),
    lost: fc.array(fc.constantFrom(...losses), { minLength: 1, maxLength: 40 }),
    end: fc.double({ min: 0, max: 1, noNaN: true }),
    unsaved: fc.nat(12),
    groupBy: fc.constantFrom(...GROUP_BYS),
    names: fc.constantFrom(...NAMES),
    shiftMs: fc.integer({ min: -1_000_000_000, max: 999_999 }),
    records: fc.boolean(),
  });
}

function inCircle<T>(list: readonly T[], at: number): T {
  return list[at % list.length] as T;
}

interface Step {
  readonly message: Message;
  readonly isLost: boolean;
  readonly thenMs: number;
}

/** All messages in one order; that inside an allocation is kept, and its end is one burst. */
function stepsOf({ scripts, order, stepsMs, lost }: Plan): Step[] {
  const waiting = scripts.map(({ messages }) => [...messages]);
  const steps: Step[] = [];
  const add = (message: Message, thenMs: number): void => {
    const isLost = !message.isNews && inCircle(lost, steps.length);
    steps.push({ message, isLost, thenMs });
  };
  for (let turn = 0; waiting.some((queue) => queue.length > 0); turn += 1) {
    const left = waiting.filter((queue) => queue.length > 0);
    const queue = inCircle(left, inCircle(order, turn));
    if (queue.length > 3) {
      const next = queue.shift();
      if (next !== undefined) add(next, inCircle(stepsMs, turn));
    } else {
      for (const last of queue.splice(0)) add(last, 1);
    }
  }
  return steps;
}

function live(life: Life, steps: readonly Step[], writesRecords: boolean): void {
  for (const { message, isLost, thenMs } of steps) {
    if (!isLost) life.tracked.send(message.key, message.payload);
    life.tracked.pass(thenMs);
    if (writesRecords) takeRecords(life);
  }
}

/** Bytes and packets that were counted, of all lives together. */
function counted(...lives: readonly Life[]): Record<string, Traffic> {
  const all = lives.map(({ tracked }) => tracked.counted());
  return {
    client: sumOf(all.map(({ client }) => client)),
    peer: sumOf(all.map(({ peer }) => peer)),
    unallocated: sumOf(all.map(({ unallocated }) => unallocated)),
  };
}

/** Counters that are no traffic, of all lives together. */
function tallied(...lives: readonly Life[]): Record<string, number> {
  const sum: Record<string, number> = {};
  const add = (name: string, by: number): void => {
    if (by !== 0) sum[name] = (sum[name] ?? 0) + by;
  };
  for (const { tracked } of lives) {
    add('created', tracked.created);
    add('missed', tracked.stats.missedBytes);
    for (const [reason, count] of Object.entries(tracked.closed)) add(`closed ${reason}`, count);
    for (const realm of tracked.tracker.ledger.realms()) {
      for (const server of realm.servers.values()) add('refreshes', server.refreshes);
    }
  }
  return sum;
}

function expectNothingLeft({ tracked }: Life): void {
  expect(tracked.tracker.allocationCount).toBe(0);
  expect(tracked.tracker.users.count).toBe(0);
  expect(tracked.liveAllocations).toBe(0);
  expect(tracked.liveSessions).toBe(0);
}

/** Every field of a traffic that must not be above that of another. */
function expectAtMost(low: Traffic | undefined, high: Traffic): void {
  expect(low?.receivedPackets).toBeLessThanOrEqual(high.receivedPackets);
  expect(low?.receivedBytes).toBeLessThanOrEqual(high.receivedBytes);
  expect(low?.sentPackets).toBeLessThanOrEqual(high.sentPackets);
  expect(low?.sentBytes).toBeLessThanOrEqual(high.sentBytes);
}

describe('saved sessions, after an orderly stop', () => {
  it.each([
    ['nothing is lost', [false]],
    ['reports and refreshes are lost', [false, false, true]],
  ])(
    'give the records and the counters of a process that never stopped, when %s',
    (_what, losses) => {
      fc.assert(
        fc.property(plans(losses), (plan) => {
          const steps = stepsOf(plan);
          const whole = firstLife(plan);
          live(whole, steps, plan.records);
          whole.tracked.pass(A_DAY_MS);
          takeRecords(whole);

          const endsAt = Math.floor(plan.end * steps.length);
          const first = firstLife(plan);
          live(first, steps.slice(0, endsAt), plan.records);
          first.tracked.tracker.parked.releaseAll();
          const saved = save(first);
          if (plan.names.hide !== undefined) {
            expect(JSON.stringify(saved)).not.toMatch(/bob|eve|xxx|203\.0\.113/);
          }
          const second = nextLife(first, saved, { ...plan, pastCounted: true });
          live(second, steps.slice(endsAt), plan.records);
          second.tracked.pass(A_DAY_MS);
          takeRecords(second);

          expect(sorted([...first.records, ...second.records])).toEqual(sorted(whole.records));
          expect(counted(first, second)).toEqual(counted(whole));
          expect(tallied(first, second)).toEqual(tallied(whole));
          const ids = second.records.map((record) => record.session_id);
          for (const { id } of saved) expect(ids).toContain(id);
          expectNothingLeft(second);
        }),
        { numRuns: 100 },
      );
    },
  );

  it('are the same when saved again at once, but for what a restart takes from certainty', () => {
    fc.assert(
      fc.property(plans([false]), (plan) => {
        const steps = stepsOf(plan);
        const first = firstLife(plan);
        live(first, steps.slice(0, Math.floor(plan.end * steps.length)), false);
        const saved = save(first);
        const again = save(nextLife(first, saved, { ...plan, pastCounted: true }));
        const byId = (one: SavedSession, other: SavedSession) => one.id.localeCompare(other.id);
        expect(again.sort(byId).map(sortedOpen)).toEqual(saved.sort(byId).map(sortedOpen));
      }),
      { numRuns: 100 },
    );
  });
});

function sortedOpen(session: SavedSession): SavedSession {
  const open = [...session.open].sort((one, other) => one.key.localeCompare(other.key));
  return { ...session, open };
}

describe('saved sessions, after a kill', () => {
  it('never make counters say more than was relayed, whatever was not saved', () => {
    fc.assert(
      fc.property(plans([false, false, true]), (plan) => {
        const steps = stepsOf(plan);
        const endsAt = Math.floor(plan.end * steps.length);
        const first = firstLife(plan);
        live(first, steps.slice(0, endsAt), plan.records);
        const saved = save(first);
        live(first, steps.slice(endsAt, endsAt + plan.unsaved), plan.records);
        const recorded = new Set(first.records.map((record) => record.session_id));
        const second = nextLife(
          first,
          saved.filter(({ id }) => !recorded.has(id)),
          { ...plan, pastCounted: false },
        );
        live(second, steps.slice(endsAt + plan.unsaved), plan.records);
        second.tracked.pass(A_DAY_MS);
        const both = counted(first, second);
        const client = sumOf([
          both['client'] ?? createTraffic(),
          both['unallocated'] ?? createTraffic(),
        ]);
        expectAtMost(client, sumOf(plan.scripts.map((script) => script.client)));
        expectAtMost(both['peer'], sumOf(plan.scripts.map((script) => script.peer)));
      }),
      { numRuns: 100 },
    );
  });

  it('give exact records of every allocation whose totals came after it', () => {
    fc.assert(
      fc.property(plans([false, false, true]), (plan) => {
        const steps = stepsOf(plan);
        const endsAt = Math.floor(plan.end * steps.length);
        const back = endsAt + plan.unsaved;
        const first = firstLife({ groupBy: 'allocation' });
        live(first, steps.slice(0, endsAt), false);
        const saved = save(first);
        live(first, steps.slice(endsAt, back), false);
        const options = {
          groupBy: 'allocation',
          pastCounted: false,
          shiftMs: plan.shiftMs,
        } as const;
        const second = nextLife(first, saved, options);
        live(second, steps.slice(back), false);
        second.tracked.pass(A_DAY_MS);
        takeRecords(second);
        const rest = new Set(steps.slice(back).map(({ message }) => message.key));
        for (const { key, user, client, peer } of plan.scripts) {
          if (!(rest.has(`${key}/total_traffic`) && rest.has(`${key}/total_traffic/peer`)))
            continue;
          expect(second.records.map(sumsOf)).toContainEqual({ user, ...both(client, peer) });
        }
      }),
      { numRuns: 100 },
    );
  });

  it('go on with their start, their id and their sums when nothing was unsaved', () => {
    fc.assert(
      fc.property(plans([false]), (plan) => {
        const steps = stepsOf(plan);
        const endsAt = Math.floor(plan.end * steps.length);
        const whole = firstLife(plan);
        live(whole, steps, false);
        whole.tracked.pass(A_DAY_MS);
        takeRecords(whole);
        const first = firstLife(plan);
        live(first, steps.slice(0, endsAt), false);
        const second = nextLife(first, save(first), { ...plan, pastCounted: false });
        live(second, steps.slice(endsAt), false);
        second.tracked.pass(A_DAY_MS);
        takeRecords(second);
        expect(sorted(second.records)).toEqual(sorted(whole.records));
        expect(counted(first, second)).toEqual(counted(whole));
      }),
      { numRuns: 100 },
    );
  });
});

function both(client: Traffic, peer: Traffic): Record<string, number> {
  return {
    ...Object.fromEntries(Object.entries(client).map(([name, value]) => [name, value])),
    ...Object.fromEntries(Object.entries(peer).map(([name, value]) => [`peer ${name}`, value])),
  };
}

function sumsOf(record: SessionRecord): Record<string, unknown> {
  return {
    user: record.username,
    receivedPackets: record.received_packets,
    receivedBytes: record.received_bytes,
    sentPackets: record.sent_packets,
    sentBytes: record.sent_bytes,
    'peer receivedPackets': record.peer_received_packets,
    'peer receivedBytes': record.peer_received_bytes,
    'peer sentPackets': record.peer_sent_packets,
    'peer sentBytes': record.peer_sent_bytes,
  };
}

const KEY = allocationKey('bob', 1);
const NEW = `new lifetime=600${connection()}`;
const ORDERLY: NextLife = { groupBy: 'user', pastCounted: true, shiftMs: 5_000 };

/** The life after one in which these messages came. */
function afterRestart(
  messages: readonly (readonly [topic: string, payload: string])[],
  options: Partial<NextLife> = {},
): Life {
  const first = firstLife({ groupBy: 'user', ...options });
  for (const [topic, payload] of messages) first.tracked.send(`${KEY}/${topic}`, payload).pass(100);
  return nextLife(first, save(first), { ...ORDERLY, ...options });
}

describe('AllocationTable, restore', () => {
  it('shows what lives in the gauges, and counts nothing as created', () => {
    const { tracked } = afterRestart([
      ['status', NEW],
      ['traffic', payloadOf(traffic(1, 2, 3, 4))],
    ]);
    expect(tracked.live()).toEqual({ 'example.org 192.0.2.1 udp': 1 });
    expect(tracked.liveSessions).toBe(1);
    expect(tracked.created).toBe(0);
    expect(tracked.counted()).toMatchObject({ client: traffic(0, 0, 0, 0) });
    expect(tracked.users).toEqual(['bob']);
    const [user] = tracked.tracker.users.withSeries();
    expect(user?.sessions[0]?.clientBytes()).toEqual({ received: 2, sent: 4 });
  });

  it('tops up counters by totals after an orderly stop, and not after a kill', () => {
    const messages = [
      ['status', NEW],
      ['traffic', payloadOf(traffic(1, 100, 1, 100))],
    ] as const;
    const counts = [true, false].map((pastCounted) => {
      const life = afterRestart(messages, { pastCounted });
      life.tracked.send(`${KEY}/status`, 'deleted');
      life.tracked.send(`${KEY}/total_traffic`, payloadOf(traffic(3, 300, 3, 300)));
      life.tracked.send(`${KEY}/total_traffic/peer`, payloadOf(traffic(0, 0, 0, 0))).linger();
      takeRecords(life);
      expect(life.records).toMatchObject([{ received_bytes: 300, complete: true }]);
      return life.tracked.counted().client;
    });
    expect(counts).toEqual([traffic(2, 200, 2, 200), traffic(0, 0, 0, 0)]);
  });

  it('lets an allocation that lingered finish, and hear its totals first', () => {
    const life = afterRestart([
      ['status', NEW],
      ['status', 'deleted'],
    ]);
    expect(life.tracked.liveAllocations).toBe(0);
    expect(life.tracked.liveSessions).toBe(1);
    life.tracked.pass(1000).send(`${KEY}/total_traffic`, payloadOf(traffic(1, 7, 1, 7)));
    life.tracked.linger();
    takeRecords(life);
    expect(life.records).toMatchObject([{ reason: 'deleted', received_bytes: 7 }]);
    expect(life.tracked.closed).toEqual({});
  });

  it('gives out again what had finished and had no record', () => {
    const first = firstLife({ groupBy: 'user' });
    first.tracked.send(`${KEY}/status`, NEW).send(`${KEY}/status`, 'deleted').linger();
    const saved = save(first);
    expect(saved).toMatchObject([{ open: [], endReason: 'deleted' }]);
    const second = nextLife(first, saved, ORDERLY);
    takeRecords(first);
    takeRecords(second);
    expect(second.records.map(essence)).toEqual(first.records.map(essence));
    expect(second.records[0]?.session_id).toBe(first.records[0]?.session_id);
    expectNothingLeft(second);
  });

  it('counts a session as finished once, though two processes finish it', () => {
    const first = firstLife({ groupBy: 'user' });
    first.tracked.send(`${KEY}/status`, NEW).send(`${KEY}/status`, 'deleted').linger();
    const second = nextLife(first, save(first), ORDERLY);
    const counts = [first, second].map(({ tracked }) =>
      [...tracked.tracker.ledger.realms()].reduce(
        (sum, { finished }) => sum + finished.false.deleted + finished.unknown.deleted,
        0,
      ),
    );
    expect(counts).toEqual([1, 0]);
  });

  it.each(GROUP_BYS)(
    'takes new allocations into the session where they are grouped by %s',
    (groupBy) => {
      const life = afterRestart([['status', NEW]], { groupBy });
      life.tracked.send(`${allocationKey('bob', 2)}/status`, NEW);
      life.tracked.send(
        `${allocationKey('bob', 3)}/status`,
        `new lifetime=600${connection('203.0.113.9:1')}`,
      );
      const sessions = { user: 1, client: 2, allocation: 3 };
      expect(life.tracked.liveSessions).toBe(sessions[groupBy]);
    },
  );

  it('does not take new allocations into a session that only lingers', () => {
    const life = afterRestart([
      ['status', NEW],
      ['status', 'deleted'],
    ]);
    life.tracked.send(`${allocationKey('bob', 2)}/status`, NEW);
    expect(life.tracked.liveSessions).toBe(2);
  });

  it('expires what is never heard of again, at its last activity', () => {
    const life = afterRestart([['status', NEW]]);
    const lastHeardMs = life.tracked.nowMs - 100;
    // Counted from the restart: nobody listened before, so silence meant nothing.
    life.tracked.pass(600_000 + EXPIRY_GRACE_MS - 1);
    expect(life.tracked.closed).toEqual({});
    life.tracked.pass(SLOT_MS + 1);
    expect(life.tracked.closed).toEqual({ expired: 1 });
    takeRecords(life);
    const end = new Date(lastHeardMs + life.wallOffsetMs).toISOString();
    expect(life.records).toMatchObject([{ reason: 'expired', end, complete: false }]);
  });

  it('expires what a source that is gone had, apart from the same keys of others', () => {
    const first = firstLife({ groupBy: 'user' });
    first.tracked.send(`${KEY}/status`, NEW);
    const saved = save(first);
    const second = new Tracked();
    second.nowMs = first.tracked.nowMs;
    const gone = new SourceStats('gone', 'connection');
    for (const session of saved) {
      second.tracker.restore(session, {
        originOf: (_source, server) => second.tracker.openOrigin(gone, server),
        pastCounted: true,
        wallOffsetMs: WALL_OFFSET_MS,
        nowMs: second.nowMs,
      });
    }
    second.send(`${KEY}/status`, NEW);
    expect(second.liveAllocations).toBe(2);
    expect(second.stats.collisions).toBe(0);
    second
      .pass(500_000)
      .send(`${KEY}/status`, `refreshed lifetime=600${connection()}`)
      .pass(300_000);
    expect(second.closed).toEqual({ expired: 1 });
    expect(second.liveAllocations).toBe(1);
  });

  it('takes a key that stands in a file twice once', () => {
    const first = firstLife({ groupBy: 'user' });
    first.tracked.send(`${KEY}/status`, NEW);
    const [session] = save(first);
    if (session === undefined) throw new Error('Nothing saved');
    const life = nextLife(first, [session, { ...session, id: 'copy' }], ORDERLY);
    expect(life.tracked.tracker.allocationCount).toBe(1);
    life.tracked.pass(A_DAY_MS);
    takeRecords(life);
    expect(life.records.map((record) => record.session_id).sort()).toEqual(['1', 'copy']);
  });

  it('lets the first scan of a Redis suspect what ended meanwhile', () => {
    const life = afterRestart([['status', NEW]]);
    const { tracked } = life;
    // Another allocation of the server shows that the database is right.
    const reading = tracked.tracker.beginScan(tracked.origin, tracked.nowMs);
    reading.found(`${allocationKey('eve', 2)}/status`, NEW, tracked.nowMs);
    expect(reading.end()).toMatchObject({ suspected: 1, isWrongDatabase: false });
    tracked.pass(A_DAY_MS);
    takeRecords(life);
    expect(life.records.map(({ user, reason }) => `${user} ${reason}`).sort()).toEqual([
      'bob vanished',
      'eve expired',
    ]);
  });

  it('lets the first scan suspect what ended meanwhile, where nothing lives', () => {
    const { tracked } = afterRestart([['status', NEW]]);
    const result = tracked.tracker.beginScan(tracked.origin, tracked.nowMs).end();
    expect(result.suspected).toBe(1);
  });

  it('keeps servers apart where each allocation is a session, whoever connects first', () => {
    const first = new Tracked({ groupBy: 'allocation', serverFrom: 'connection' });
    const send = (tracked: Tracked, server: string, id: number): void => {
      const origin = tracked.tracker.openOrigin(tracked.stats, server);
      tracked.tracker.receive(origin, `${allocationKey('bob', id)}/status`, NEW, tracked.nowMs);
    };
    send(first, '192.0.2.1', 1);
    send(first, '192.0.2.2', 2);
    const life: Life = { tracked: first, wallOffsetMs: 0, records: [] };
    const second = new Tracked({ groupBy: 'allocation', serverFrom: 'connection' });
    second.tracker.openOrigin(second.stats, '192.0.2.2');
    second.tracker.openOrigin(second.stats, '192.0.2.1');
    for (const session of save(life)) {
      second.tracker.restore(session, {
        originOf: (_source, server) => second.tracker.openOrigin(second.stats, server),
        pastCounted: true,
        wallOffsetMs: 0,
        nowMs: second.nowMs,
      });
    }
    // Ids begin with 1 on every server, so with a static user this is an everyday key.
    send(second, '192.0.2.1', 2);
    send(second, '192.0.2.2', 1);
    expect(second.liveSessions).toBe(4);
  });
});

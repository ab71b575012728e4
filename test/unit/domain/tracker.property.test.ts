import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Session } from '../../../src/domain/session.ts';
import { addTraffic, createTraffic, type Traffic } from '../../../src/domain/traffic.ts';
import { allocationKey, connection, payloadOf, traffic } from '../../support/coturn-message.ts';
import { Tracked } from './tracked.ts';

const A_DAY_MS = 86_400_000;
const USERS = ['bob', '1795306257:bob', '1795309999:bob', 'a/allocation/1/status', '', 'café'];
const REALMS = ['example.org', 'other.org', ''];

interface Message {
  readonly key: string;
  readonly payload: string;
  readonly kind: 'new' | 'refreshed' | 'deleted' | 'traffic' | 'total';
}

/** The life of one allocation as coturn tells it. */
interface Script {
  readonly realm: string;
  readonly messages: readonly Message[];
  readonly client: Traffic;
  readonly peer: Traffic;
}

/** What a network and a human may do to messages, one choice for each in turn. */
type Fault = 'lose' | 'twice' | 'cut payload' | 'cut key' | 'none';

interface Plan {
  readonly scripts: readonly Script[];
  /** Which script speaks next; read in a circle. */
  readonly order: readonly number[];
  /** Read in a circle, too. */
  readonly faults: readonly Fault[];
  readonly cuts: readonly number[];
  readonly stepsMs: readonly number[];
}

function numbers(greatest: number): fc.Arbitrary<Traffic> {
  const number = fc.oneof(
    fc.constant(0),
    fc.nat(9),
    fc.maxSafeNat().map((value) => value % greatest),
  );
  return fc.tuple(number, number, number, number).map((parts) => traffic(...parts));
}

function sumOf(all: readonly Traffic[]): Traffic {
  const sum = createTraffic();
  for (const one of all) addTraffic(sum, one);
  return sum;
}

/** Peer totals are 32-bit. */
function wrapped(sum: Traffic): Traffic {
  return traffic(
    sum.receivedPackets % 2 ** 32,
    sum.receivedBytes % 2 ** 32,
    sum.sentPackets % 2 ** 32,
    sum.sentBytes % 2 ** 32,
  );
}

interface Draft {
  readonly user: string;
  readonly realm: string;
  readonly server: number;
  readonly isLong: boolean;
  readonly reports: readonly { client: Traffic; peer: Traffic; refresh: boolean }[];
}

function scriptOf(draft: Draft, id: number): Script {
  const key = allocationKey(draft.user, id, draft.realm);
  const of = draft.isLong ? connection(`203.0.113.${id}:1`, `192.0.2.${draft.server}:3478`) : '';
  const messages: Message[] = [
    { key: `${key}/status`, payload: `new lifetime=600${of}`, kind: 'new' },
  ];
  for (const { client, peer, refresh } of draft.reports) {
    messages.push(
      { key: `${key}/traffic`, payload: payloadOf(client), kind: 'traffic' },
      { key: `${key}/traffic/peer`, payload: payloadOf(peer), kind: 'traffic' },
    );
    if (!refresh) continue;
    messages.push({
      key: `${key}/status`,
      payload: `refreshed lifetime=600${of}`,
      kind: 'refreshed',
    });
  }
  const client = sumOf(draft.reports.map((report) => report.client));
  const peer = sumOf(draft.reports.map((report) => report.peer));
  messages.push(
    { key: `${key}/status`, payload: 'deleted', kind: 'deleted' },
    { key: `${key}/total_traffic`, payload: payloadOf(client), kind: 'total' },
    { key: `${key}/total_traffic/peer`, payload: payloadOf(wrapped(peer)), kind: 'total' },
  );
  return { realm: draft.realm, messages, client, peer };
}

interface PlanOptions {
  readonly greatest: number;
  readonly faults: readonly Fault[];
  readonly greatestStepMs: number;
}

function plans({ greatest, faults, greatestStepMs }: PlanOptions): fc.Arbitrary<Plan> {
  const draft = fc.record({
    user: fc.constantFrom(...USERS),
    realm: fc.constantFrom(...REALMS),
    server: fc.integer({ min: 1, max: 3 }),
    isLong: fc.boolean(),
    reports: fc.array(
      fc.record({ client: numbers(greatest), peer: numbers(greatest), refresh: fc.boolean() }),
      { minLength: 1, maxLength: 5 },
    ),
  });
  return fc.record({
    scripts: fc
      .array(draft, { minLength: 1, maxLength: 6 })
      .map((drafts) => drafts.map((one, at) => scriptOf(one, at + 1))),
    order: fc.array(fc.nat(5), { minLength: 20, maxLength: 60 }),
    faults: fc.array(fc.constantFrom(...faults), { minLength: 1, maxLength: 40 }),
    cuts: fc.array(fc.nat(140), { minLength: 1, maxLength: 20 }),
    stepsMs: fc.array(fc.nat(greatestStepMs), { minLength: 1, maxLength: 10 }),
  });
}

function inCircle<T>(list: readonly T[], at: number): T {
  return list[at % list.length] as T;
}

/** All messages in one order; that inside an allocation is kept. */
function interleave({ scripts, order }: Plan): Message[] {
  const waiting = scripts.map(({ messages }) => [...messages]);
  const result: Message[] = [];
  for (let turn = 0; waiting.some((queue) => queue.length > 0); turn += 1) {
    const left = waiting.filter((queue) => queue.length > 0);
    const next = inCircle(left, inCircle(order, turn)).shift();
    if (next !== undefined) result.push(next);
  }
  return result;
}

function damage(message: Message, fault: Fault, cut: number): Message[] {
  switch (fault) {
    case 'lose':
      return [];
    case 'twice':
      return message.kind === 'new' || message.kind === 'deleted' ? [message, message] : [message];
    case 'cut payload':
      return [{ ...message, payload: message.payload.slice(0, cut) }];
    case 'cut key': {
      const key = message.key.slice(0, cut);
      // Cut there, a report of the peer side is a proper one of the client side.
      return [message.key === `${key}/peer` ? message : { ...message, key }];
    }
    case 'none':
      return [message];
  }
}

/** Plays a plan; `look` sees the tracker after every message, which it gets, and every pause. */
function play(plan: Plan, look?: (tracked: Tracked, sent?: Message) => void): Tracked {
  const tracked = new Tracked();
  interleave(plan).forEach((message, at) => {
    for (const one of damage(message, inCircle(plan.faults, at), inCircle(plan.cuts, at))) {
      tracked.send(one.key, one.payload);
      look?.(tracked, one);
    }
    tracked.pass(inCircle(plan.stepsMs, at));
    look?.(tracked);
  });
  return tracked;
}

function fields(one: Traffic): number[] {
  return [one.receivedPackets, one.receivedBytes, one.sentPackets, one.sentBytes];
}

/** Every number that is a counter, in an order that only grows at its end. */
function counters({ tracker, stats }: Tracked): Map<string, number> {
  const all = new Map<string, number>([
    ['missed', stats.missedBytes],
    ['collisions', stats.collisions],
  ]);
  for (const [kind, count] of Object.entries(stats.events)) all.set(`event ${kind}`, count);
  for (const [reason, count] of Object.entries(stats.rejected)) all.set(`not ${reason}`, count);
  for (const realm of tracker.ledger.realms()) {
    for (const server of realm.servers.values()) {
      const name = `${realm.realm} ${server.server}`;
      for (const side of ['client', 'peer', 'unallocated'] as const) {
        fields(server[side]).forEach((value, at) => {
          all.set(`${name} ${side} ${at}`, value);
        });
      }
      for (const { transport, tls, ipFamily, count } of server.created) {
        all.set(`${name} created ${transport} ${tls} ${ipFamily}`, count);
      }
      for (const [reason, count] of Object.entries(server.closed)) {
        all.set(`${name} ${reason}`, count);
      }
      all.set(`${name} refreshes`, server.refreshes);
    }
    for (const [relayed, byReason] of Object.entries(realm.finished)) {
      for (const [reason, count] of Object.entries(byReason)) {
        all.set(`${realm.realm} relayed ${relayed} ${reason}`, count);
      }
    }
  }
  return all;
}

function expectNothingLeft(tracked: Tracked): void {
  expect(tracked.tracker.allocationCount).toBe(0);
  expect(tracked.tracker.parked.size).toBe(0);
  expect(tracked.tracker.users.count).toBe(0);
  expect(tracked.live()).toEqual({});
  expect(tracked.liveSessions).toBe(0);
  expect([...tracked.tracker.statusKeys(tracked.origin)]).toEqual([]);
}

/** The live gauges by counting what lives. */
/** Rule 13: every live gauge says the same of what lives, whatever it is summed over. */
function expectGaugesAgree(now: Tracked): void {
  const live: Record<string, number> = {};
  const ofServers = new Map<string, number>();
  for (const { account, transport, endReason, suspect } of now.origin.allocations.values()) {
    if (endReason !== undefined || suspect) continue;
    const labels = `${account.realm} ${account.server} ${transport}`;
    live[labels] = (live[labels] ?? 0) + 1;
    ofServers.set(account.server, (ofServers.get(account.server) ?? 0) + 1);
  }
  expect(now.live()).toEqual(live);
  const { users, ledger } = now.tracker;
  for (const { server, liveAllocations } of ledger.servers.values()) {
    expect(liveAllocations).toBe(ofServers.get(server) ?? 0);
  }
  expect(ledger.countLive()).toBe(now.liveAllocations);
  let ofUsers = 0;
  let sessions = 0;
  for (const session of users.sessions()) {
    const { open, isShown, trustedAllocations } = session;
    const living = open.filter(({ endReason }) => endReason === undefined);
    expect(trustedAllocations).toBe(living.filter(({ suspect }) => !suspect).length);
    if (living.length > 0) expect(isShown).toBe(trustedAllocations > 0);
    if (isShown) sessions += 1;
    ofUsers += trustedAllocations;
  }
  const all = [...users.withSeries(), ...users.beyondCap()];
  expect(now.liveAllocations).toBe(ofUsers);
  expect(now.liveSessions).toBe(sessions);
  expect(now.sessionsOfServers).toBe(sessions);
  expect(all.reduce((sum, { liveSessions }) => sum + liveSessions, 0)).toBe(sessions);
  expect(users.count).toBe(all.filter(({ liveSessions }) => liveSessions > 0).length);
}

function expectExact(tracked: Tracked, scripts: readonly Script[]): void {
  for (const realm of REALMS) {
    const own = scripts.filter((script) => script.realm === realm);
    expect(tracked.counted(realm)).toEqual({
      client: sumOf(own.map(({ client }) => client)),
      peer: sumOf(own.map(({ peer }) => peer)),
      unallocated: createTraffic(),
    });
  }
}

function expectRecordsEqualCounters(tracked: Tracked): Session[] {
  const sessions = tracked.finished();
  const { client, peer } = tracked.counted();
  expect(sumOf(sessions.map((session) => session.client))).toEqual(client);
  expect(sumOf(sessions.map((session) => session.peer))).toEqual(peer);
  const missed = sessions.reduce((sum, { missedBytes }) => sum + missedBytes, 0);
  expect(missed).toBe(tracked.stats.missedBytes);
  const created = sessions.reduce((sum, { allocationCount }) => sum + allocationCount, 0);
  expect(created).toBe(tracked.created);
  return sessions;
}

const EVERY_FAULT: readonly Fault[] = ['none', 'none', 'lose', 'twice', 'cut payload', 'cut key'];
/** Bursts at the end of allocations stay within the linger, as they do on the wire (1 ms). */
const QUICK = { greatest: 2 ** 28, greatestStepMs: 20 };
/** Some pauses are longer than the linger and than traffic is parked. */
const SLOW = { greatest: 2 ** 28, greatestStepMs: 30_000 };

describe('Tracker', () => {
  it('counts the sum of the deltas when nothing is lost, and records the same', () => {
    fc.assert(
      fc.property(plans({ ...QUICK, greatest: 2 ** 40, faults: ['none'] }), (plan) => {
        const tracked = play(plan);
        expectExact(tracked, plan.scripts);
        tracked.pass(A_DAY_MS);
        expectExact(tracked, plan.scripts);
        expect(tracked.stats.missedBytes).toBe(0);
        expect(tracked.closed).toEqual({ deleted: plan.scripts.length });
        const sessions = expectRecordsEqualCounters(tracked);
        expect(sessions.every(({ complete }) => complete)).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it('counts the totals when deltas are lost but new and totals arrive', () => {
    const delta = new Set<Message['kind']>(['traffic', 'refreshed', 'deleted']);
    fc.assert(
      fc.property(plans({ ...QUICK, faults: ['none', 'lose'] }), (plan) => {
        const tracked = new Tracked();
        interleave(plan).forEach((message, at) => {
          if (inCircle(plan.faults, at) === 'lose' && delta.has(message.kind)) return;
          tracked.send(message.key, message.payload).pass(inCircle(plan.stepsMs, at));
        });
        tracked.pass(A_DAY_MS);
        expectExact(tracked, plan.scripts);
        expectRecordsEqualCounters(tracked);
      }),
      { numRuns: 150 },
    );
  });

  it('never lets a counter fall, whatever happens to messages', () => {
    fc.assert(
      fc.property(plans({ ...SLOW, faults: EVERY_FAULT }), (plan) => {
        let before = new Map<string, number>();
        const look = (tracked: Tracked) => {
          const now = counters(tracked);
          for (const [name, value] of before) {
            if ((now.get(name) ?? -1) < value) throw new RangeError(`${name} fell from ${value}`);
          }
          before = now;
        };
        look(play(plan, look).pass(A_DAY_MS));
      }),
      { numRuns: 100 },
    );
  });

  it.each([
    ['quick', QUICK],
    ['slow', SLOW],
  ])('never counts more than was sent, whatever happens to %s messages', (_what, pace) => {
    fc.assert(
      fc.property(plans({ ...pace, faults: EVERY_FAULT }), (plan) => {
        const tracked = play(plan).pass(A_DAY_MS);
        for (const realm of REALMS) {
          const own = plan.scripts.filter((script) => script.realm === realm);
          const counted = tracked.counted(realm);
          const client = fields(sumOf([counted.client, counted.unallocated]));
          const peer = fields(counted.peer);
          fields(sumOf(own.map((script) => script.client))).forEach((sent, at) => {
            expect(client[at]).toBeLessThanOrEqual(sent);
          });
          fields(sumOf(own.map((script) => script.peer))).forEach((sent, at) => {
            expect(peer[at]).toBeLessThanOrEqual(sent);
          });
        }
      }),
      { numRuns: 150 },
    );
  });

  it('counts every delta of colliding ids once, and repairs nothing', () => {
    const twins = plans({ ...QUICK, faults: ['none'] }).map((plan) => ({
      ...plan,
      scripts: plan.scripts.map((script, at) => ({
        ...script,
        realm: 'example.org',
        messages: script.messages.map(({ key, payload, kind }) => ({
          key: key.replace(/^.*\/allocation\/\d{18}/, allocationKey('bob', at % 2)),
          payload,
          kind,
        })),
      })),
    }));
    fc.assert(
      fc.property(twins, (plan) => {
        const tracked = new Tracked();
        // The end of an allocation is one write of one connection: nothing comes between.
        const ends = new Set<Message['kind']>(['deleted', 'total']);
        const late: Message[] = [];
        for (const message of interleave(plan)) {
          if (ends.has(message.kind)) late.push(message);
          else tracked.send(message.key, message.payload);
        }
        const sent = sumOf(plan.scripts.map(({ client }) => client));
        const peer = sumOf(plan.scripts.map((script) => script.peer));
        expect(tracked.counted()).toEqual({ client: sent, peer, unallocated: createTraffic() });
        const perKey = new Map<string, number>();
        for (const { messages } of plan.scripts) {
          const key = messages[0]?.key ?? '';
          perKey.set(key, (perKey.get(key) ?? 0) + 1);
        }
        for (const { key, payload } of late) tracked.send(key, payload);
        tracked.pass(A_DAY_MS);
        expect(tracked.counted()).toEqual({ client: sent, peer, unallocated: createTraffic() });
        expect(tracked.stats.missedBytes).toBe(0);
        const superseded = plan.scripts.length - perKey.size;
        expect(tracked.closed.superseded ?? 0).toBe(superseded);
        tracked.finished();
        expectNothingLeft(tracked);
      }),
      { numRuns: 100 },
    );
  });

  it('keeps all live gauges equal to a recount of what lives, also with suspects and scans', () => {
    fc.assert(
      fc.property(plans({ ...SLOW, faults: EVERY_FAULT }), (plan) => {
        let turn = 0;
        const tracked = play(plan, (now) => {
          const { tracker, origin, nowMs } = now;
          const choice = inCircle(plan.order, turn);
          if (choice === 0) tracker.suspectAll(origin);
          if (choice === 1) tracker.noteGap(origin);
          if (choice === 3) tracker.endSuspects(origin, { lostMs: nowMs, nowMs });
          if (choice === 2) {
            const { key, payload } = inCircle(interleave(plan), inCircle(plan.cuts, turn));
            tracker.beginScan(origin, nowMs).found(key, payload, nowMs);
          }
          turn += 1;
          expectGaugesAgree(now);
        });
        const unwritten = tracked.tracker.sessions.takeFinished();
        const open = [...tracked.origin.allocations.values()].map(({ session }) => session.user);
        const users = new Set([...unwritten.map(({ user }) => user), ...open]);
        expect(new Set([...tracked.tracker.users.sessions()].map(({ user }) => user))).toEqual(
          users,
        );
        expectGaugesAgree(tracked);
        for (const session of unwritten) tracked.tracker.users.leave(session);
        tracked.tracker.suspectAll(tracked.origin);
        tracked.pass(A_DAY_MS).finished();
        expectNothingLeft(tracked);
      }),
      { numRuns: 80 },
    );
  });

  it('comes to the same state by bytes as by text', () => {
    fc.assert(
      fc.property(plans({ ...SLOW, faults: EVERY_FAULT }), (plan) => {
        const byBytes = new Tracked();
        const stateOf = ({ tracker, stats }: Tracked) => ({
          sessions: [...tracker.savedSessions(0)],
          events: stats.events,
          lastEventMs: stats.lastEventMs,
        });
        let turn = 0;
        play(plan, (byText, sent) => {
          if (sent === undefined) byBytes.pass(byText.nowMs - byBytes.nowMs);
          else byBytes.sendInPlace(sent.key, sent.payload);
          // Suspects take another way.
          if (inCircle(plan.order, turn) === 0) {
            for (const { tracker, origin } of [byText, byBytes]) tracker.suspectAll(origin);
          }
          turn += 1;
          expect(stateOf(byBytes)).toEqual(stateOf(byText));
          expect(counters(byBytes)).toEqual(counters(byText));
        });
      }),
      { numRuns: 40 },
    );
  });

  it.each([
    ['time passes', (tracked: Tracked) => tracked.pass(A_DAY_MS)],
    ['the process stops', ({ tracker, nowMs }: Tracked) => tracker.shutdown(nowMs)],
  ])('leaves nothing behind when %s', (_what, finish) => {
    fc.assert(
      fc.property(plans({ ...SLOW, faults: EVERY_FAULT }), (plan) => {
        const tracked = play(plan);
        finish(tracked);
        tracked.finished();
        expectNothingLeft(tracked);
      }),
      { numRuns: 100 },
    );
  });

  it('records what it counts for allocations known from their start', () => {
    const faults: readonly Fault[] = ['none', 'lose', 'twice', 'cut payload'];
    fc.assert(
      fc.property(plans({ ...QUICK, faults }), (plan) => {
        const tracked = new Tracked();
        interleave(plan).forEach((message, at) => {
          const fault = message.kind === 'new' ? 'none' : inCircle(plan.faults, at);
          for (const one of damage(message, fault, inCircle(plan.cuts, at))) {
            tracked.send(one.key, one.payload).pass(inCircle(plan.stepsMs, at));
          }
        });
        tracked.pass(A_DAY_MS);
        expectRecordsEqualCounters(tracked);
      }),
      { numRuns: 150 },
    );
  });

  it('takes any text at all', () => {
    const text = fc.string({ unit: 'binary', maxLength: 60 });
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { maxLength: 20 }), (messages) => {
        const tracked = new Tracked();
        for (const [key, payload] of messages) tracked.send(key, payload).pass(100);
        expect(tracked.created).toBe(0);
        expectNothingLeft(tracked);
      }),
      { numRuns: 200 },
    );
  });

  it('takes keys and payloads put together from hostile fragments', () => {
    const ID = '000000000000000001';
    const key = fragments([
      ...['turn', 'turn/realm/', 'turn/user/', '/user/', 'realm', '/', '//', '/allocation/', ID],
      ...[`/allocation/${ID}`, '1', '/status', '/traffic', '/traffic/peer', '/total_traffic'],
      ...['/total_traffic/peer', '__proto__', '\u0000', '\uD800', '%s', 'é', 'x'.repeat(600)],
    ]);
    const wellFormed = fc
      .tuple(key, fc.constantFrom('status', 'traffic', 'traffic/peer', 'total_traffic/peer'))
      .map(([name, topic]) => `${allocationKey(name, 1)}/${topic}`);
    const payload = fragments([
      ...['new', 'refreshed', 'deleted', ' lifetime=', '0', '600', '9007199254740992', '-1', '%lu'],
      ...[', ', ', type=', 'UDP', ', local=', '[::1]:1', ', remote=', ', ssl=', ', cipher=', '='],
      ...['rcvp=', '7, rcvb=', '7, sentp=', '7, sentb=', '7', ' ', '\n', '\u0000', '__proto__=x'],
      ...['new lifetime=600', connection(), payloadOf(traffic(1, 2, 3, 4)), 'deleted'],
    ]);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.oneof(key, wellFormed), payload), { maxLength: 30 }),
        (messages) => {
          const tracked = new Tracked();
          let events = 0;
          for (const [name, text] of messages) {
            tracked.send(name, text);
            tracked.tracker
              .beginScan(tracked.origin, tracked.nowMs)
              .found(name, text, tracked.nowMs);
            events += 1;
          }
          const { stats } = tracked;
          const counted = Object.values(stats.events).reduce((sum, count) => sum + count);
          expect(counted).toBeLessThanOrEqual(events);
          tracked.pass(A_DAY_MS);
          tracked.tracker.shutdown(tracked.nowMs);
          tracked.finished();
          expectNothingLeft(tracked);
        },
      ),
      { numRuns: 200 },
    );
  });
});

/** Text put together from fragments. */
function fragments(of: readonly string[]): fc.Arbitrary<string> {
  return fc.array(fc.constantFrom(...of), { maxLength: 10 }).map((parts) => parts.join(''));
}

import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import type { Origin } from '../../../src/domain/origin.ts';
import type { SavedSession } from '../../../src/domain/saved-session.ts';
import { createSessionRecord, type SessionRecord } from '../../../src/domain/session-record.ts';
import type { GroupBy } from '../../../src/domain/session-table.ts';
import { readState, writeStateFile } from '../../../src/state/state-file.ts';
import { allocationKey, payloadOf, statusOf, traffic } from '../../support/coturn-message.ts';
import { createTempFolder } from '../../support/temp-folder.ts';
import { LINGER_MS, Tracked } from '../domain/tracked.ts';

/** By then every lifetime of ten minutes is over. */
const EXPIRED_MS = 700_000;
const WALL_OFFSET_MS = 1_700_000_000_000;
/** Names that are odd in JSON, in keys, in labels, or to the mapping of users. */
const USERS = [
  ...['bob', '1795306257:bob', '1795309999:bob', '1795306257:', '', 'café', '__proto__', '~other'],
  ...['a/allocation/000000000000000001/status', 'line\nfeed "\\', '\u2028\uD800', 'x'.repeat(300)],
];
const REALMS = ['example.org', '', '~other', 'r'.repeat(200)];
/** Key spaces: of two servers, so the same key may be in both. */
const SERVERS = ['192.0.2.1', 'redis'];

/** One of the things that happen to a tracker. */
type Step =
  | {
      readonly kind: 'message';
      readonly server: string;
      readonly key: string;
      readonly topic: string;
      readonly payload: string;
    }
  | {
      readonly kind: 'found';
      readonly server: string;
      readonly key: string;
      readonly value: string;
    }
  | { readonly kind: 'suspect'; readonly server: string }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'gap' | 'record' };

/** A process: a tracker whose clock began when it did, and what its records told. */
class Life {
  readonly tracked: Tracked;
  readonly records: SessionRecord[] = [];
  readonly wallOffsetMs: number;

  constructor(groupBy: GroupBy, shiftMs = 0) {
    this.tracked = new Tracked({ groupBy });
    this.tracked.nowMs -= shiftMs;
    this.wallOffsetMs = WALL_OFFSET_MS + shiftMs;
  }

  origin(server: string): Origin {
    return this.tracked.tracker.openOrigin(this.tracked.stats, server);
  }

  take(step: Step): void {
    const { tracked } = this;
    const { tracker, nowMs } = tracked;
    switch (step.kind) {
      case 'message':
        tracker.receive(this.origin(step.server), `${step.key}/${step.topic}`, step.payload, nowMs);
        break;
      case 'found':
        tracker
          .beginScan(this.origin(step.server), nowMs)
          .found(`${step.key}/status`, step.value, nowMs);
        break;
      case 'suspect':
        tracker.suspectAll(this.origin(step.server));
        break;
      case 'gap':
        for (const server of SERVERS) {
          tracker.noteGap(this.origin(server), { fromMs: nowMs - 50, toMs: nowMs });
        }
        break;
      case 'pass':
        tracked.pass(step.ms);
        break;
      case 'record':
        this.record();
        break;
    }
  }

  record(): void {
    const finished = this.tracked.finished();
    this.records.push(
      ...finished.map((session) => createSessionRecord(session, this.wallOffsetMs)),
    );
  }

  get saved(): SavedSession[] {
    return [...this.tracked.tracker.savedSessions(this.wallOffsetMs)];
  }

  /** All that is held and shown, in one order; without ids, which no two processes give alike. */
  get state(): unknown {
    const { tracker } = this.tracked;
    const sessions = this.saved.map(({ id: _id, open, ...session }) =>
      JSON.stringify({ ...session, open: open.map((one) => JSON.stringify(one)).sort() }),
    );
    return {
      sessions: sessions.sort(),
      allocations: tracker.allocationCount,
      users: tracker.users.count,
      live: this.tracked.live(),
      realms: [...tracker.ledger.realms()]
        .filter(({ liveSessions }) => liveSessions > 0)
        .map(({ realm, live }) => `${realm} ${JSON.stringify(live)}`)
        .sort(),
    };
  }

  /**
   * What records and counters tell in the end; `since` is what the counters began with. Without the
   * reasons of sessions: of allocations that carried alike it is that of the one closed last, and
   * what lingers at a restart is closed in another order after it.
   */
  outcome(since: ReadonlyMap<string, number>): unknown {
    const records = this.records.map(({ session_id: _id, reason: _reason, ...record }) =>
      JSON.stringify(record),
    );
    const counted = [...this.counters]
      .map(([name, value]) => [name, value - (since.get(name) ?? 0)] as const)
      .filter(([, value]) => value !== 0);
    return { records: records.sort(), counted: new Map(counted.sort()) };
  }

  get counters(): Map<string, number> {
    const { tracker, stats } = this.tracked;
    const all = new Map([
      ['missed', stats.missedBytes],
      ['collisions', stats.collisions],
    ]);
    for (const { realm, finished, servers } of tracker.ledger.realms()) {
      for (const [relayed, byReason] of Object.entries(finished)) {
        const count = Object.values(byReason).reduce((sum, ofReason) => sum + ofReason);
        all.set(`${realm} finished ${relayed}`, count);
      }
      for (const { server, sums, created, closed, refreshes } of servers.values()) {
        const name = `${realm} ${server}`;
        for (const [at, sum] of sums.entries()) all.set(`${name} sum ${at}`, sum);
        for (const { count, ...labels } of created) {
          all.set(`${name} created ${JSON.stringify(labels)}`, count);
        }
        for (const [reason, count] of Object.entries(closed)) all.set(`${name} ${reason}`, count);
        all.set(`${name} refreshes`, refreshes);
      }
    }
    return all;
  }
}

/** @param greatest of the numbers of a report or total */
function steps(greatest: number): fc.Arbitrary<Step> {
  const server = fc.constantFrom(...SERVERS);
  const key = fc
    .tuple(fc.constantFrom(...USERS), fc.integer({ min: 1, max: 4 }), fc.constantFrom(...REALMS))
    .map(([user, id, realm]) => allocationKey(user, id, realm));
  const status = fc
    .tuple(
      fc.constantFrom('new', 'refreshed'),
      fc.constantFrom(600, 4_294_967_295),
      fc.constantFrom('192.0.2.1:3478', '192.0.2.2:3478'),
      fc.constantFrom('203.0.113.7:1', '[2001:db8::1]:2', ''),
    )
    .map(([word, lifetime, local, remote]) =>
      remote === ''
        ? `${word} lifetime=${lifetime}`
        : statusOf(word as 'new', { lifetime, local, remote, type: 'TLS/TCP', ssl: 'TLSv1.3' }),
    );
  const number = fc.oneof(fc.constant(0), fc.nat(20_000), fc.integer({ min: 0, max: greatest }));
  const numbers = fc
    .tuple(number, number, number, number)
    .map((parts) => payloadOf(traffic(...parts)));
  const report = fc.constantFrom('traffic', 'traffic/peer', 'total_traffic', 'total_traffic/peer');
  const said = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(fc.constant('status'), status) },
    { weight: 1, arbitrary: fc.constant(['status', 'deleted'] as const) },
    { weight: 5, arbitrary: fc.tuple(report, numbers) },
  );
  const message = fc.tuple(server, key, said).map(
    ([of, about, [topic, payload]]): Step => ({
      kind: 'message',
      server: of,
      key: about,
      topic,
      payload,
    }),
  );
  return fc.oneof(
    { weight: 12, arbitrary: message },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('found'), server, key, value: status }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('suspect'), server }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('pass'), ms: fc.constantFrom(0, 20, 900, 6_000) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('gap', 'record') }) },
  ) as fc.Arbitrary<Step>;
}

interface Plan {
  readonly groupBy: GroupBy;
  readonly history: readonly Step[];
  /** What comes at the moment of the restart, of what is known. */
  readonly atOnce: readonly Step[];
  readonly after: readonly Step[];
  readonly shiftMs: number;
}

/** @param greatest of the numbers of a report or total */
function plans(greatest: number): fc.Arbitrary<Plan> {
  return fc.record({
    groupBy: fc.constantFrom<GroupBy>('user', 'client', 'allocation'),
    history: fc.array(steps(greatest), { minLength: 5, maxLength: 40 }),
    atOnce: fc.array(steps(greatest), { maxLength: 5 }),
    after: fc.array(steps(greatest), { maxLength: 20 }),
    shiftMs: fc.integer({ min: -1_000_000_000, max: 900_000 }),
  });
}

/** Lives through the history, then stops as the exporter does in order. */
function lifeBefore({ groupBy, history }: Plan): Life {
  const life = new Life(groupBy);
  for (const step of history) {
    life.take(step);
    life.tracked.pass(1);
  }
  life.tracked.tracker.parked.releaseAll();
  life.record();
  life.records.length = 0;
  return life;
}

/** Another process, at the same moment, after an orderly stop. */
async function lifeAfter(before: Life, { groupBy, shiftMs }: Plan, path: string): Promise<Life> {
  const { tracked, wallOffsetMs } = before;
  const header = { savedAt: new Date(tracked.nowMs + wallOffsetMs).toISOString(), isFinal: true };
  await writeStateFile(path, before.saved, header);
  const life = new Life(groupBy, shiftMs);
  life.tracked.nowMs = tracked.nowMs - shiftMs;
  const options = {
    originOf: (_source: string, server: string) => life.origin(server),
    pastCounted: true,
    wallOffsetMs: life.wallOffsetMs,
    nowMs: life.tracked.nowMs,
  };
  const found = await readState(path, {
    onHeader: () => undefined,
    onSession: (session) => life.tracked.tracker.restore(session, options),
  });
  expect(found).toEqual({ badLines: 0, isCut: false });
  return life;
}

/** It may come late for what is held: whatever else begins something begins after the linger. */
function isLate(step: Step, life: Life): boolean {
  if (step.kind !== 'message') return false;
  return (
    !/^(?:new|refreshed)/.test(step.payload) && life.origin(step.server).allocations.has(step.key)
  );
}

/** That a scan has found it, and nothing was heard, is not saved: its `new` came long ago. */
function isNewOfFound(step: Step, life: Life): boolean {
  if (step.kind !== 'message' || !step.payload.startsWith('new')) return false;
  return life.origin(step.server).allocations.get(step.key)?.isOnlyFound === true;
}

function pathOfState(): string {
  return join(createTempFolder(onTestFinished), 'state');
}

it('whatever state the tracker can reach is written and read back equal', async () => {
  const path = pathOfState();
  await fc.assert(
    fc.asyncProperty(plans(Number.MAX_SAFE_INTEGER), async (plan) => {
      const before = lifeBefore(plan);
      const after = await lifeAfter(before, plan, path);
      expect(after.state).toEqual(before.state);
      expect(after.saved.map(({ id }) => id).sort()).toEqual(
        before.saved.map(({ id }) => id).sort(),
      );
    }),
    { numRuns: 150 },
  );
});

it('a process that goes on from a state file tells what one tells that never stopped', async () => {
  const path = pathOfState();
  await fc.assert(
    fc.asyncProperty(plans(2 ** 40), async (plan) => {
      const before = lifeBefore(plan);
      const after = await lifeAfter(before, plan, path);
      const since = before.counters;
      // Messages may be lost in any restart.
      for (const server of SERVERS) before.tracked.tracker.noteGap(before.origin(server));
      const lives = [before, after];
      const take = (step: Step): void => {
        for (const life of lives) life.take(step);
      };
      for (const step of plan.atOnce) if (isLate(step, before)) take(step);
      take({ kind: 'pass', ms: LINGER_MS + 100 });
      for (const step of plan.after) if (!isNewOfFound(step, before)) take(step);
      expect(after.state).toEqual(before.state);
      take({ kind: 'pass', ms: EXPIRED_MS });
      for (const { tracked } of lives) tracked.tracker.shutdown(tracked.nowMs);
      take({ kind: 'record' });
      expect(after.outcome(new Map())).toEqual(before.outcome(since));
    }),
    { numRuns: 150 },
  );
});

import { describe, expect, it } from 'vitest';
import type { SourceStats } from '../../src/domain/source-stats.ts';
import { Tracker } from '../../src/domain/tracker.ts';
import type { Traffic } from '../../src/domain/traffic.ts';
import { Player } from '../../src/recording/player.ts';
import type { RecordedLine } from '../../src/recording/recording.ts';
import {
  captureNames,
  type ExpectedState,
  type ExpectedTraffic,
  readCapture,
  readExpected,
  readRelayed,
} from '../support/captures.ts';

const LINGER_MS = 5_000;
const A_DAY_MS = 86_400_000;

describe('replay of recorded servers', () => {
  it('finds recordings of all versions and of the field', () => {
    const versions = new Set(captureNames().map((name) => name.split('/')[0]));
    expect([...versions].sort()).toEqual([
      ...['4.10.0', '4.13.1', '4.17.1', '4.5.0.8', '4.5.2', '4.6.1', 'field-2018'],
    ]);
    expect(captureNames().length).toBe(97);
  });

  it.each(captureNames())('%s gives the exact counters', (name) => {
    const expected = readExpected(name);
    const { tracker, stats } = replay(readCapture(name));
    const open = openAllocations(tracker);
    tracker.expire(A_DAY_MS);
    expect(realmsOf(tracker)).toEqual(expectedRealms(expected));
    expect(stats.missedBytes).toBe(missedBytes(expected));
    expect(Object.values(stats.rejected).reduce((sum, count) => sum + count, 0)).toBe(
      expected.rejected,
    );
    const { other, ...events } = stats.events;
    expect(other).toBe(expected.other);
    expect(nonZero(events)).toEqual(nonZero(expected.events));
    if (expected.allocations_exact) {
      const begun = stats.events.new;
      expect(allocationsOf(tracker, { open, begun })).toEqual(expected.allocations);
    }
  });

  it.each(captureNames())('%s leaves nothing behind, and a record of every session', (name) => {
    const expected = readExpected(name);
    const { tracker } = replay(readCapture(name));
    tracker.expire(A_DAY_MS);
    const sessions = tracker.sessions.takeFinished();
    for (const session of sessions) tracker.users.leave(session);
    expect(tracker.allocationCount).toBe(0);
    expect(tracker.parked.size).toBe(0);
    expect(tracker.users.count).toBe(0);
    expect([...new Set(sessions.map((session) => session.username))].sort()).toEqual(
      [...expected.users].sort(),
    );
    const created = sessions.reduce((sum, session) => sum + session.allocationCount, 0);
    if (expected.allocations_exact) expect(created).toBe(expected.allocations.created);
    for (const account of tracker.ledger.realms()) {
      expect(account.liveSessions).toBe(0);
      for (const { live } of account.servers.values()) {
        for (const [, count] of live) expect(count).toBe(0);
      }
    }
  });
});

describe('calls of a real browser', () => {
  const calls = captureNames().filter((name) => name.includes('/browser-'));

  it.each(calls)('%s needed the relay where the browser says so', (name) => {
    const { tracker } = replay(readCapture(name));
    tracker.expire(A_DAY_MS);
    const told = new Map<string, string>();
    for (const session of tracker.sessions.takeFinished()) {
      const known = told.get(session.username) === 'true';
      told.set(session.username, known ? 'true' : session.relayed);
    }
    const relayed = Object.entries(readRelayed(name)).map(([user, is]) => [user, String(is)]);
    const ours = [...told].map(([username, is]) => [username.slice(11), is]);
    expect(Object.fromEntries(ours)).toMatchObject(Object.fromEntries(relayed));
  });
});

function replay(lines: readonly RecordedLine[]): { tracker: Tracker; stats: SourceStats } {
  let sessions = 0;
  const tracker = new Tracker({
    groupBy: 'user',
    lingerMs: LINGER_MS,
    userName: (username) => username,
    newSessionId: () => {
      sessions += 1;
      return String(sessions);
    },
    maxUsers: 1000,
    maxRealms: 1000,
  });
  const player = new Player(tracker);
  for (const line of lines) {
    tracker.expire(line.t);
    player.play(line);
  }
  const [stats] = player.sources;
  if (stats === undefined) throw new Error('An empty recording');
  return { tracker, stats };
}

function wire(traffic: Traffic): ExpectedTraffic {
  return {
    received_packets: traffic.receivedPackets,
    received_bytes: traffic.receivedBytes,
    sent_packets: traffic.sentPackets,
    sent_bytes: traffic.sentBytes,
  };
}

function add(left: ExpectedTraffic, right: ExpectedTraffic): ExpectedTraffic {
  return {
    received_packets: left.received_packets + right.received_packets,
    received_bytes: left.received_bytes + right.received_bytes,
    sent_packets: left.sent_packets + right.sent_packets,
    sent_bytes: left.sent_bytes + right.sent_bytes,
  };
}

const ZERO: ExpectedTraffic = {
  received_packets: 0,
  received_bytes: 0,
  sent_packets: 0,
  sent_bytes: 0,
};

function isSilent(sides: Record<string, ExpectedTraffic>): boolean {
  return Object.values(sides).every((side) => Object.values(side).every((value) => value === 0));
}

function realmsOf(tracker: Tracker): Record<string, Record<string, ExpectedTraffic>> {
  const realms: Record<string, Record<string, ExpectedTraffic>> = {};
  for (const account of tracker.ledger.realms()) {
    const sides = { client: ZERO, peer: ZERO, unallocated: ZERO };
    for (const server of account.servers.values()) {
      sides.client = add(sides.client, wire(server.client));
      sides.peer = add(sides.peer, wire(server.peer));
      sides.unallocated = add(sides.unallocated, wire(server.unallocated));
    }
    if (!isSilent(sides)) realms[account.realm] = sides;
  }
  return realms;
}

function expectedRealms(expected: ExpectedState): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(expected.realms)
      .filter(([, sides]) => !isSilent(sides))
      .map(([realm, { client, peer, unallocated }]) => [realm, { client, peer, unallocated }]),
  );
}

function missedBytes(expected: ExpectedState): number {
  return Object.values(expected.realms).reduce(
    (sum, { missed }) => sum + missed.received_bytes + missed.sent_bytes,
    0,
  );
}

function nonZero(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

function openAllocations(tracker: Tracker): number {
  let open = 0;
  for (const account of tracker.ledger.realms()) {
    for (const { live } of account.servers.values()) {
      for (const [, count] of live) open += count;
    }
  }
  return open;
}

/** Each `new` creates an allocation; every other that was created was adopted. */
function allocationsOf(
  tracker: Tracker,
  { open, begun }: { open: number; begun: number },
): Record<string, number> {
  let created = 0;
  let superseded = 0;
  let deleted = 0;
  for (const account of tracker.ledger.realms()) {
    for (const server of account.servers.values()) {
      for (const entry of server.created) created += entry.count;
      superseded += server.closed.superseded;
      deleted += server.closed.deleted;
    }
  }
  return { created, adopted: created - begun, deleted, superseded, still_open: open };
}

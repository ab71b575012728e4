import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Ledger } from '../../../../src/domain/ledger.ts';
import { Servers } from '../../../../src/domain/servers.ts';
import { SourceStats } from '../../../../src/domain/source-stats.ts';
import { Fleet, LEAVE_DELAY_MS, type Member } from '../../../../src/sources/statsdb/fleet.ts';
import { FakeSink } from '../fake-sink.ts';

const STATS = new SourceStats('statsdb', 'connection');

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function createFleet() {
  const clock = { nowMs: 1_000_000 };
  const sink = new FakeSink();
  const servers = new Servers({ ledger: new Ledger(1), forgetAfterMs: 60_000 });
  const lines: string[] = [];
  const log = pino(
    { base: null, timestamp: false },
    { write: (line: string) => void lines.push(line.trim()) },
  );
  const fleet = new Fleet({ servers, sink, nowMs: () => clock.nowMs, log });
  const member = (server: string, given: Partial<Member> = {}): Member => {
    const made = { server, isNamed: true, address: '192.0.2.1', hasPublished: false, ...given };
    fleet.join(made);
    return made;
  };
  const start = (one: Member): void => {
    fleet.started(one, sink.openOrigin(STATS, one.server), clock.nowMs);
  };
  return { clock, sink, servers, lines, fleet, member, start };
}

describe('Fleet', () => {
  it('counts connections by server, and writes a line when one comes and when it leaves', () => {
    const { clock, servers, lines, fleet, member } = createFleet();
    const [first, second] = [member('a'), member('a')];
    member('b', { address: '192.0.2.2' });
    expect(fleet.size).toBe(2);
    fleet.leave(first);
    fleet.leave(second);
    fleet.leave(second);
    expect(fleet.size).toBe(1);
    expect(servers.list(clock.nowMs)).toMatchObject([
      { server: 'a', isUp: false, connections: 0 },
      { server: 'b', isUp: true, connections: 1 },
    ]);
    vi.advanceTimersByTime(LEAVE_DELAY_MS);
    expect(lines).toEqual([
      '{"level":30,"server":"a","address":"192.0.2.1","msg":"coturn connected"}',
      '{"level":30,"server":"b","address":"192.0.2.2","msg":"coturn connected"}',
      '{"level":30,"server":"a","address":"192.0.2.1","msg":"coturn left"}',
    ]);
  });

  it('does not call it leaving when a coturn that starts changes its connections', () => {
    const { lines, fleet, member } = createFleet();
    fleet.leave(member('a'));
    vi.advanceTimersByTime(LEAVE_DELAY_MS - 1);
    member('a');
    vi.advanceTimersByTime(LEAVE_DELAY_MS);
    fleet.stop();
    expect(lines).toHaveLength(1);
  });

  it('ends what a named server held when it starts anew', () => {
    const { clock, sink, fleet, member, start } = createFleet();
    const ended = vi.spyOn(sink, 'endSuspects');
    fleet.leave(member('a', { hasPublished: true }));
    const lostMs = clock.nowMs;
    clock.nowMs += 30_000;
    start(member('a'));
    expect(sink.calls).toEqual(['a suspect', 'a restarted']);
    expect(ended).toHaveBeenCalledWith(expect.anything(), { lostMs, nowMs: clock.nowMs });
    // The next one may crash at once.
    start(member('a'));
    expect(sink.calls).toHaveLength(4);
  });

  it('waits for the connections of the process before', () => {
    const { sink, lines, fleet, member, start } = createFleet();
    const mute = member('a');
    const earlier = [member('a', { hasPublished: true }), member('a', { hasPublished: true })];
    start(member('a'));
    expect(sink.calls).toEqual(['a suspect']);
    expect(lines.at(-1)).toContain('still publishes');
    fleet.leave(mute);
    for (const one of earlier) {
      expect(sink.calls).toEqual(['a suspect']);
      fleet.leave(one);
    }
    expect(sink.calls).toEqual(['a suspect', 'a restarted']);
  });

  it('only suspects what an address held, which may be that of several', () => {
    const { clock, sink, member, start } = createFleet();
    const nameless = { isNamed: false };
    start(member('192.0.2.1', nameless));
    start(member('192.0.2.1', nameless));
    expect(sink.calls).toEqual(['192.0.2.1 suspect']);
    clock.nowMs += 1_000;
    start(member('192.0.2.1', nameless));
    expect(sink.calls).toEqual(['192.0.2.1 suspect', '192.0.2.1 suspect']);
  });
});

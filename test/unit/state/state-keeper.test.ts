import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSessionRecord, type SessionRecord } from '../../../src/domain/session-record.ts';
import { SourceStats } from '../../../src/domain/source-stats.ts';
import { Tracker } from '../../../src/domain/tracker.ts';
import { StateKeeper, StateStats } from '../../../src/state/state-keeper.ts';
import { allocationKey, connection, payloadOf, traffic } from '../../support/coturn-message.ts';
import { createTempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';
import { parseState, type SavedState } from './saved.ts';

const NEW = `new lifetime=600${connection()}`;
const FIRST_MS = 1_700_000_000_000;
const LINGER_MS = 5_000;

interface ProcessOptions {
  readonly sources?: readonly string[];
  readonly intervalMs?: number;
  readonly recent?: readonly string[];
  /** Unix time at which it begins, in ms. */
  readonly wallMs?: number;
  /** Stands in each name that is hidden. */
  readonly key?: string;
}

function stateIn(path: string): SavedState | undefined {
  return existsSync(path) ? parseState(readFileSync(path, 'utf8')) : undefined;
}

/** One process with a tracker and its keeper; its clock moves when told. */
class Process {
  readonly tracker: Tracker;
  readonly sources: readonly SourceStats[];
  readonly stats = new StateStats();
  readonly told: string[] = [];
  readonly records: SessionRecord[] = [];
  readonly keeper: StateKeeper;
  readonly #wallOffsetMs: number;
  nowMs = 1000;

  constructor(path: string, options: ProcessOptions = {}) {
    const { sources = ['redis'], intervalMs = 3_600_000, recent = [], wallMs = FIRST_MS } = options;
    const { key } = options;
    const hide = key === undefined ? undefined : (text: string) => `${key}${text.length}`;
    this.#wallOffsetMs = wallMs - this.nowMs;
    // The process before has been killed, in this one process of the test.
    rmSync(`${path}.lock`, { force: true });
    this.tracker = new Tracker({
      groupBy: 'user',
      lingerMs: LINGER_MS,
      userName: (name) => name,
      hide,
      newSessionId: (startedAtMs) => `${startedAtMs + this.#wallOffsetMs}-${Math.random()}`,
      maxUsers: 100,
      maxRealms: 100,
    });
    this.sources = sources.map((name) => new SourceStats(name, 'status'));
    this.keeper = new StateKeeper({
      path,
      intervalMs,
      tracker: this.tracker,
      sources: this.sources,
      hide,
      serverName: (name) => name,
      nowMs: () => this.nowMs,
      wallOffsetMs: () => this.#wallOffsetMs,
      stats: this.stats,
      recentRecords: () => new Set(recent),
      log: {
        error: () => this.told.push('failed'),
        warn: () => this.told.push('begun anew'),
        info: ({ sessions, savedAt }: { sessions?: number; savedAt?: string }) =>
          this.told.push(
            sessions === undefined ? 'recovered' : `restored ${sessions} of ${savedAt}`,
          ),
      },
    });
    onTestFinished(() => this.keeper.stop());
  }

  send(user: string, topic: string, payload: string): this {
    const [stats] = this.sources;
    if (stats === undefined) throw new Error('No source');
    const origin = this.tracker.openOrigin(stats, 'redis');
    this.tracker.receive(origin, `${allocationKey(user, 1)}/${topic}`, payload, this.nowMs);
    return this;
  }

  begin(user: string): this {
    return this.send(user, 'status', NEW);
  }

  end(user: string): this {
    return this.send(user, 'status', 'deleted');
  }

  pass(ms: number): this {
    this.nowMs += ms;
    this.tracker.expire(this.nowMs);
    return this;
  }

  /** Writes records of what has finished, as the exporter does. */
  record(): this {
    for (const session of this.tracker.sessions.takeFinished()) {
      this.records.push(createSessionRecord(session, this.#wallOffsetMs));
      this.tracker.users.leave(session);
      this.keeper.noteRecorded(session.id);
    }
    return this;
  }

  /** Everything there is, by user. */
  get users(): string[] {
    return [...this.tracker.users.withSeries()].map(({ label }) => label).sort();
  }
}

function statePath(): string {
  return join(createTempFolder(onTestFinished), 'state.jsonl');
}

function journal(path: string): string {
  return readFileSync(`${path}.recorded`, 'utf8');
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A killed process: it never hears of its stop. What it had saved is copied from where it is. */
async function killed(
  path: string,
  live: (process: Process) => Promise<void> | void,
): Promise<Process> {
  const process = new Process(path, { intervalMs: 5 });
  await live(process);
  await nextTurn();
  const files = [path, `${path}.recorded`].map((file) => [file, readOrNothing(file)] as const);
  await process.keeper.stop();
  for (const [file, text] of files) if (text !== undefined) writeFileSync(file, text);
  return process;
}

function readOrNothing(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

describe('StateKeeper', () => {
  it('begins with nothing where there is no file', async () => {
    const process = new Process(statePath());
    await process.keeper.restore();
    expect(process.told).toEqual([]);
    expect(process.users).toEqual([]);
  });

  it('carries sessions over an orderly stop, with start, id and sums', async () => {
    const path = statePath();
    const first = new Process(path).begin('bob').pass(60_000);
    first.send('bob', 'traffic', payloadOf(traffic(1, 100, 2, 200)));
    await first.keeper.stop();
    expect(first.stats).toMatchObject({ saved: 1, failed: 0, lastSavedAtMs: FIRST_MS + 60_000 });

    const second = new Process(path, { wallMs: FIRST_MS + 90_000 });
    await second.keeper.restore();
    expect(second.told).toEqual([`restored 1 of ${new Date(FIRST_MS + 60_000).toISOString()}`]);
    second.send('bob', 'traffic', payloadOf(traffic(1, 1, 1, 1)));
    second.end('bob').send('bob', 'total_traffic', payloadOf(traffic(5, 500, 5, 500)));
    second.send('bob', 'total_traffic/peer', payloadOf(traffic(0, 0, 0, 0)));
    second.pass(LINGER_MS + 100).record();
    expect(second.records).toMatchObject([
      {
        session_id: stateIn(path)?.sessions[0]?.id,
        start: new Date(FIRST_MS).toISOString(),
        duration_seconds: 90,
        received_bytes: 500,
        complete: true,
        start_known: true,
      },
    ]);
    // Topped up: the 400 that nobody counted while the exporter was away are in the counters.
    expect(second.sources[0]?.missedBytes).toBe(399 + 299);
  });

  it('goes on with names that the same key has hidden', async () => {
    const path = statePath();
    const first = new Process(path, { key: 'k' }).begin('robert').pass(60_000);
    await first.keeper.stop();
    expect(readFileSync(path, 'utf8')).not.toMatch(/robert|203\.0/);

    const second = new Process(path, { key: 'k', wallMs: FIRST_MS + 60_000 });
    await second.keeper.restore();
    second
      .end('robert')
      .pass(LINGER_MS + 100)
      .record();
    expect(second.records).toMatchObject([
      { session_id: stateIn(path)?.sessions[0]?.id, user: 'k6', start_known: true },
    ]);
  });

  it.each([
    [undefined, 'k', 'k6', 'k11'],
    ['k', undefined, 'k6', 'k11'],
    ['k', 'l', 'k6', 'k11'],
  ])(
    'records sessions whose names were hidden otherwise, by %s and then by %s',
    async (before, now, user, client) => {
      const path = statePath();
      const keyed = (key: string | undefined) => (key === undefined ? {} : { key });
      const first = new Process(path, keyed(before)).begin('robert').pass(60_000);
      await first.keeper.stop();

      const second = new Process(path, { ...keyed(now), wallMs: FIRST_MS + 60_500 });
      await second.keeper.restore();
      expect(second.told).toEqual(['begun anew']);
      second.begin('robert').record();
      expect(second.records).toMatchObject([
        { reason: 'shutdown', user, username: user, client, duration_seconds: 60 },
      ]);
      expect(second.users).toHaveLength(1);
    },
  );

  it('does not trust sums after a kill, and still records by the totals', async () => {
    const path = statePath();
    await killed(path, async (first) => {
      first.begin('bob').send('bob', 'traffic', payloadOf(traffic(1, 100, 2, 200)));
      first.keeper.start();
      await until(() => first.stats.saved, { what: 'a snapshot', isDone: (saved) => saved > 0 });
    });
    expect(stateIn(path)?.header.isFinal).toBe(false);
    const second = new Process(path);
    await second.keeper.restore();
    second.end('bob').send('bob', 'total_traffic', payloadOf(traffic(5, 500, 5, 500)));
    second.pass(LINGER_MS + 100).record();
    expect(second.records).toMatchObject([{ received_bytes: 500 }]);
    expect(second.sources[0]?.missedBytes).toBe(0);
  });

  it('saves at the interval, not final, and final at the stop', async () => {
    const path = statePath();
    const process = new Process(path, { intervalMs: 10 }).begin('bob');
    process.keeper.start();
    process.keeper.start();
    await until(() => process.stats.saved, { what: 'two snapshots', isDone: (saved) => saved > 1 });
    expect(stateIn(path)?.header.isFinal).toBe(false);
    await process.keeper.stop();
    expect(stateIn(path)?.header.isFinal).toBe(true);
    const { saved } = process.stats;
    await process.keeper.stop();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(process.stats.saved).toBe(saved);
  });

  it('does not restore what has its record in the journal', async () => {
    const path = statePath();
    await killed(path, async (first) => {
      first.begin('bob').begin('eve');
      first.keeper.start();
      await until(() => first.stats.saved, { what: 'a snapshot', isDone: (saved) => saved > 0 });
      await first.keeper.stop();
      first
        .end('bob')
        .pass(LINGER_MS + 100)
        .record();
    });
    expect(journal(path).trim()).toMatch(/^\d+-0\.\d+$/);
    const second = new Process(path);
    await second.keeper.restore();
    expect(second.users).toEqual(['eve']);
  });

  it('does not restore what has its record in the file of records', async () => {
    const path = statePath();
    const first = new Process(path).begin('bob').begin('eve');
    await first.keeper.stop();
    const { sessions = [] } = stateIn(path) ?? {};
    const bob = sessions.filter(({ userName }) => userName === 'bob').map(({ id }) => id);
    const second = new Process(path, { recent: bob });
    await second.keeper.restore();
    expect(second.users).toEqual(['eve']);
  });

  it('does not trust a final state that another process has gone on from', async () => {
    const path = statePath();
    const first = new Process(path).begin('bob');
    first.send('bob', 'traffic', payloadOf(traffic(1, 100, 1, 100)));
    await first.keeper.stop();
    // The second is killed before it could save.
    const before = readFileSync(path);
    const second = new Process(path);
    await second.keeper.restore();
    expect(journal(path)).toBe('opened\n');
    second.send('bob', 'traffic', payloadOf(traffic(1, 50, 1, 50)));
    expect(readFileSync(path)).toEqual(before);
    const third = new Process(path);
    await third.keeper.restore();
    third.end('bob').send('bob', 'total_traffic', payloadOf(traffic(2, 150, 2, 150)));
    third.pass(LINGER_MS + 100).record();
    expect(third.records).toMatchObject([{ received_bytes: 150 }]);
    expect(third.sources[0]?.missedBytes).toBe(0);
  });

  it('writes the journal anew with every snapshot', async () => {
    const path = statePath();
    const first = new Process(path).begin('bob').begin('eve');
    await first.keeper.stop();
    const second = new Process(path);
    await second.keeper.restore();
    second
      .end('bob')
      .pass(LINGER_MS + 100)
      .record();
    await nextTurn();
    expect(journal(path)).toMatch(/^opened\n\S+\n$/);
    await second.keeper.stop();
    expect(journal(path)).toBe('');
    expect(stateIn(path)?.sessions.map(({ userName }) => userName)).toEqual(['eve']);
  });

  it('loses no note that was made at the very stop', async () => {
    const path = statePath();
    const process = new Process(path)
      .begin('bob')
      .end('bob')
      .pass(LINGER_MS + 100);
    const stopping = process.record().keeper.stop();
    await stopping;
    const next = new Process(path);
    await next.keeper.restore();
    expect(next.users).toEqual([]);
  });

  it('saves and restores 1,000 sessions while events come, each whole', async () => {
    const path = statePath();
    const first = new Process(path, { intervalMs: 1 });
    for (let user = 0; user < 1000; user += 1) first.begin(`user${user}`);
    first.keeper.start();
    for (let round = 0; round < 10; round += 1) {
      for (let user = 0; user < 1000; user += 7) {
        first.send(`user${user}`, 'traffic', payloadOf(traffic(1, 10, 1, 10)));
      }
      first
        .end(`user${round}`)
        .pass(LINGER_MS + 100)
        .record();
      await nextTurn();
      const state = stateIn(path);
      if (state === undefined) continue;
      expect(state.sessions.length).toBeGreaterThanOrEqual(990);
    }
    await first.keeper.stop();
    const second = new Process(path);
    await second.keeper.restore();
    expect(second.tracker.users.count).toBe(990);
    expect(second.tracker.allocationCount).toBe(990);
  });

  it.each([
    ['a foreign file', 'hello\n'],
    ['a file without a line feed', 'hello'],
  ])('stops at %s and leaves it as it is', async (_what, text) => {
    const path = statePath();
    writeFileSync(path, text);
    await expect(new Process(path).keeper.restore()).rejects.toThrow(
      `Cannot use --state.file "${path}"`,
    );
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('tells once that saving fails, counts each failure, and tells when it works again', async () => {
    const path = statePath();
    const process = new Process(path, { intervalMs: 5 }).begin('bob');
    // Nothing can be renamed onto a folder.
    mkdirSync(path);
    process.keeper.start();
    await until(() => process.stats.failed, { what: 'failures', isDone: (failed) => failed > 2 });
    expect(process.told).toEqual(['failed']);
    rmdirSync(path);
    await until(() => process.stats.saved, { what: 'a snapshot', isDone: (saved) => saved > 0 });
    expect(process.told).toEqual(['failed', 'recovered']);
  });

  it('lets sessions of sources that are gone wait for their end, and then records them', async () => {
    const path = statePath();
    await new Process(path, { sources: ['old'] }).begin('bob').keeper.stop();
    const second = new Process(path, { sources: ['redis'] });
    await second.keeper.restore();
    expect(second.users).toEqual(['bob']);
    // The same key from a source that is there is another allocation.
    second.begin('bob');
    expect(second.tracker.allocationCount).toBe(2);
    second.end('bob').pass(86_400_000).record();
    expect(second.records).toMatchObject([{ user: 'bob', allocations: 2 }]);
    expect(second.tracker.allocationCount).toBe(0);
  });
});

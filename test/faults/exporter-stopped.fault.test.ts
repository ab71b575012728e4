import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { billOf } from '../support/bill.ts';
import {
  type ExporterProcess,
  launchExporter,
  startExporter,
} from '../support/exporter-process.ts';
import type { Exposition } from '../support/exposition.ts';
import { readJsonLines } from '../support/json-lines.ts';
import { startRedisServer } from '../support/redis-server.ts';
import {
  BYTES_IN_ALL,
  countersOf,
  type ScriptedAllocation,
  ScriptedCoturn,
  sumsOf,
} from '../support/scripted-coturn.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';

interface Outcome {
  /** The last scrape of the process that was ended, and one of the other at the end. */
  readonly scrapes: readonly [Exposition, Exposition];
  readonly records: ReadonlyArray<Record<string, unknown>>;
  /** Live through it all; 1000 bytes before the snapshot, 500 after, 200 unheard, 30 after. */
  readonly lasting: readonly ScriptedAllocation[];
  /** Unix time in ms between which the allocations began. */
  readonly began: { readonly fromMs: number; readonly toMs: number };
}

const USERS = ['alice', 'bob', 'carol'];

/** The life of some sessions during which an exporter is ended by `signal` and another one begins. */
async function surviveSignal(
  signal: 'SIGTERM' | 'SIGKILL',
  { withState }: { readonly withState: boolean },
): Promise<Outcome> {
  const redis = await startRedisServer(onTestFinished);
  const folder = createTempFolder(onTestFinished);
  const recordsFile = join(folder, 'records.jsonl');
  const state = ['--state.file', join(folder, 'state'), '--state.interval', '1s'];
  const start = (): Promise<ExporterProcess> =>
    startExporter(onTestFinished, {
      args: [
        ...['--redis.url', `redis://127.0.0.1:${redis.port}/0#redis`],
        ...['--records.file', recordsFile],
        ...(withState ? state : []),
      ],
    });
  const coturn = new ScriptedCoturn(onTestFinished, { port: redis.port });
  await coturn.connected();
  const first = await start();
  const fromMs = Date.now();
  const lasting = USERS.map((user) => coturn.begin(user));
  for (const allocation of lasting) coturn.relay(allocation, 1000);
  await untilHeard(first, lasting);
  const toMs = Date.now();
  if (withState) await untilSaved(first);
  for (const allocation of lasting) coturn.relay(allocation, 500);
  await untilHeard(first, lasting);
  const before = await first.metrics();
  first.process.kill(signal);
  await first.process.exited;

  for (const allocation of lasting) coturn.relay(allocation, 200);
  await coturn.said();
  const second = await start();
  await second.untilMetrics((metrics) => metrics.value('coturn_exporter_users') === USERS.length, {
    what: 'the sessions to be known again',
  });
  for (const allocation of lasting) {
    coturn.relay(allocation, 30);
    coturn.end(allocation);
  }
  const after = await second.untilMetrics(
    (metrics) =>
      metrics.sum('coturn_sessions_finished_total') === USERS.length &&
      metrics.sum('coturn_exporter_records_queued') === 0,
    { what: 'the sessions to finish' },
  );
  expect(await second.stop()).toEqual({ code: 0, signal: null });
  const records = readJsonLines(recordsFile);
  return { scrapes: [before, after], records, lasting, began: { fromMs, toMs } };
}

function untilHeard(
  exporter: ExporterProcess,
  allocations: readonly ScriptedAllocation[],
): Promise<unknown> {
  const { sent_bytes } = sumsOf(allocations);
  return exporter.untilMetrics((metrics) => countersOf([metrics]).sent_bytes === sent_bytes, {
    what: 'everything to be heard',
  });
}

/** A snapshot that began after everything was heard: the one after the next. */
async function untilSaved(exporter: ExporterProcess): Promise<void> {
  const saves = (metrics: Exposition) =>
    metrics.sum('coturn_exporter_state_saves_total', { result: 'saved' }) +
    metrics.sum('coturn_exporter_state_saves_total', { result: 'written' });
  const before = saves(await exporter.metrics());
  await exporter.untilMetrics((metrics) => saves(metrics) >= before + 2, {
    what: 'the state to be saved',
  });
}

function recordsOf(records: Outcome['records'], reason: string): Outcome['records'] {
  return records.filter((record) => record['reason'] === reason);
}

/** What was relayed and heard by one of both processes, told by a counter. */
function heardSums(lasting: readonly ScriptedAllocation[]): ReturnType<typeof sumsOf> {
  return sumsOf(
    lasting.map((allocation) => ({
      ...allocation,
      bytes: allocation.bytes - 200,
      packets: allocation.packets - 1,
    })),
  );
}

function expectOneExactRecordEach({ records, lasting, began }: Outcome): void {
  expect(records).toHaveLength(USERS.length);
  for (const allocation of lasting) {
    const own = records.filter(({ username }) => username === allocation.username);
    expect(own).toEqual([
      expect.objectContaining({
        ...sumsOf([allocation]),
        reason: 'deleted',
        complete: true,
        start_known: true,
        allocations: 1,
      }),
    ]);
    const startMs = Date.parse(String(own[0]?.['start']));
    expect(startMs).toBeGreaterThanOrEqual(began.fromMs - 5);
    expect(startMs).toBeLessThanOrEqual(began.toMs + 5);
  }
}

describe('SIGTERM amid traffic', () => {
  it('ends sessions by a record, without a state file; what lives on is adopted', async () => {
    const { scrapes, records, lasting } = await surviveSignal('SIGTERM', { withState: false });
    const cut = recordsOf(records, 'shutdown');
    const adopted = recordsOf(records, 'deleted');
    expect(records).toHaveLength(2 * USERS.length);
    expect(new Set(records.map((record) => record['session_id'])).size).toBe(records.length);
    for (const allocation of lasting) {
      const { username } = allocation;
      const heard = { ...allocation, bytes: 1500, packets: 2 };
      expect(cut.filter((record) => record['username'] === username)).toEqual([
        expect.objectContaining({ ...sumsOf([heard]), complete: false, start_known: true }),
      ]);
      expect(adopted.filter((record) => record['username'] === username)).toEqual([
        expect.objectContaining({ ...sumsOf([allocation]), complete: true, start_known: false }),
      ]);
    }
    expect(countersOf(scrapes)).toEqual(heardSums(lasting));
    const { peer_sent_bytes, peer_received_bytes, received_bytes, sent_bytes } = sumsOf(lasting);
    expect(billOf(records).total).toMatchObject({
      sessions: USERS.length,
      ...{ peer_sent_bytes, peer_received_bytes, received_bytes, sent_bytes },
      incomplete_sessions: 0,
      uncertain_bytes: 0,
    });
  }, 60_000);

  it('interrupts no session with a state file, and both processes count the truth', async () => {
    const outcome = await surviveSignal('SIGTERM', { withState: true });
    expectOneExactRecordEach(outcome);
    const [before, after] = outcome.scrapes;
    expect(countersOf([before, after])).toEqual(sumsOf(outcome.lasting));
    expect(after.sum('coturn_exporter_missed_bytes_total')).toBe(USERS.length * 200 * BYTES_IN_ALL);
    expect(before.sum('coturn_allocations_created_total')).toBe(USERS.length);
    expect(after.sum('coturn_allocations_created_total')).toBe(0);
  }, 60_000);
});

describe('SIGKILL amid traffic', () => {
  it('costs the start of sessions without a state file; totals keep their records exact', async () => {
    const { scrapes, records, lasting } = await surviveSignal('SIGKILL', { withState: false });
    expect(records).toHaveLength(USERS.length);
    for (const allocation of lasting) {
      const { username } = allocation;
      expect(records.filter((record) => record['username'] === username)).toEqual([
        expect.objectContaining({
          ...sumsOf([allocation]),
          reason: 'deleted',
          complete: true,
          start_known: false,
        }),
      ]);
    }
    expect(countersOf(scrapes)).toEqual(heardSums(lasting));
  }, 60_000);

  it('interrupts no session with a state file, and counts nothing twice', async () => {
    const outcome = await surviveSignal('SIGKILL', { withState: true });
    expectOneExactRecordEach(outcome);
    expect(countersOf(outcome.scrapes)).toEqual(heardSums(outcome.lasting));
    expect(outcome.scrapes[1].sum('coturn_exporter_missed_bytes_total')).toBe(0);
  }, 60_000);
});

describe('a state file that cannot be read', () => {
  it('stops the start with its name, and stays as it is', async () => {
    const path = join(createTempFolder(onTestFinished), 'state');
    writeFileSync(path, '{"format":"somebody else"}\n');
    const exporter = launchExporter(onTestFinished, {
      args: ['--redis.url', 'redis://127.0.0.1:1/0', '--state.file', path],
    });
    expect(await exporter.process.exited).toEqual({ code: 1, signal: null });
    await until(() => exporter.process.stderr.join('\n'), {
      what: 'its complaint',
      isDone: (text) => text.includes(path),
    });
    expect(readFileSync(path, 'utf8')).toBe('{"format":"somebody else"}\n');
  });
});

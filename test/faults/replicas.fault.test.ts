import { describe, expect, it, onTestFinished } from 'vitest';
import { billOf } from '../support/bill.ts';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import type { Exposition } from '../support/exposition.ts';
import type { RecordLine } from '../support/json-lines.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { countersOf, recordSums, ScriptedCoturn, sumsOf } from '../support/scripted-coturn.ts';
import { until } from '../support/until.ts';

const USERS = Array.from({ length: 60 }, (_, index) => `${1_795_306_257 + index}:user${index}`);
const SHARDS = 3;

interface Outcome {
  readonly scrapes: readonly Exposition[];
  readonly records: ReadonlyArray<readonly RecordLine[]>;
  readonly truth: ReturnType<typeof sumsOf>;
}

/** The same calls, heard by an exporter for each list of flags. */
async function hearCalls(flags: ReadonlyArray<readonly string[]>): Promise<Outcome> {
  const redis = await startRedisServer(onTestFinished);
  const url = `redis://127.0.0.1:${redis.port}/0`;
  const exporters = await Promise.all(
    flags.map((own) => startExporter(onTestFinished, { args: ['--redis.url', url, ...own] })),
  );
  const coturn = new ScriptedCoturn(onTestFinished, { port: redis.port });
  await coturn.connected();
  const allocations = [...USERS, ...USERS].map((user) => coturn.begin(user));
  for (const [index, allocation] of allocations.entries()) coturn.relay(allocation, 1 + index);
  for (const allocation of allocations) coturn.end(allocation);
  for (const together of wholes(exporters)) await untilFinished(together);
  const scrapes = await Promise.all(exporters.map((exporter) => exporter.metrics()));
  await Promise.all(exporters.map((exporter) => exporter.stop()));
  return {
    scrapes,
    records: exporters.map((exporter) => exporter.records),
    truth: sumsOf(allocations),
  };
}

/** Exporters that together account for every user: each by itself, or the shards together. */
function wholes(exporters: readonly ExporterProcess[]): ExporterProcess[][] {
  const [first, ...others] = exporters;
  if (first === undefined) return [];
  return others.length === SHARDS ? [[first], others] : exporters.map((one) => [one]);
}

async function untilFinished(exporters: readonly ExporterProcess[]): Promise<void> {
  const countFinished = async () => {
    const scrapes = await Promise.all(exporters.map((exporter) => exporter.metrics()));
    return scrapes.reduce((sum, seen) => sum + seen.sum('coturn_sessions_finished_total'), 0);
  };
  await until(countFinished, {
    what: 'all sessions to finish',
    isDone: (count) => count === USERS.length,
  });
}

function withoutIdentity(records: readonly RecordLine[]): unknown[] {
  return records
    .map(
      ({
        session_id: _id,
        replica: _replica,
        time: _time,
        start: _start,
        end: _end,
        duration_seconds: _s,
        ...rest
      }) => rest,
    )
    .toSorted((left, right) => String(left.username).localeCompare(String(right.username)));
}

describe('two exporters on one Redis', () => {
  it('count the same and record the same, under ids of their own', async () => {
    const { scrapes, records, truth } = await hearCalls([
      ['--records.replica', 'a'],
      ['--records.replica', 'b'],
    ]);
    expect(scrapes.map((scrape) => countersOf([scrape]))).toEqual([truth, truth]);
    const [one = [], other = []] = records;
    expect(withoutIdentity(one)).toEqual(withoutIdentity(other));
    expect(one).toHaveLength(USERS.length);
    const ids = [...one, ...other].map(({ session_id }) => session_id);
    expect(new Set(ids).size).toBe(2 * USERS.length);
    const { total, notes } = billOf([...one, ...other]);
    const { peer_sent_bytes, received_bytes } = truth;
    expect(total).toMatchObject({ sessions: USERS.length, peer_sent_bytes, received_bytes });
    expect(notes).toEqual([
      `Pair: ${USERS.length} sessions recorded alike by both exporters, 0 not alike; of those the larger sums are counted.`,
    ]);
  }, 60_000);
});

describe('--shard.index and --shard.total', () => {
  it('split users, and the sum of the shards is the whole', async () => {
    const shard = (index: number) => [
      ...['--shard.index', String(index)],
      ...['--shard.total', String(SHARDS)],
    ];
    const { scrapes, records, truth } = await hearCalls([[], shard(0), shard(1), shard(2)]);
    const [wholeScrape, ...shardScrapes] = scrapes;
    const [wholeRecords = [], ...shardRecords] = records;
    expect(wholeScrape && countersOf([wholeScrape])).toEqual(truth);
    expect(countersOf(shardScrapes)).toEqual(truth);
    expect(recordSums(shardRecords.flat())).toEqual(truth);
    expect(withoutIdentity(shardRecords.flat())).toEqual(withoutIdentity(wholeRecords));
    for (const own of shardRecords) expect(own.length).toBeGreaterThan(USERS.length / 10);
    const metrics = ['coturn_allocations_created_total', 'coturn_exporter_events_total'];
    for (const metric of metrics) {
      const sum = shardScrapes.reduce((total, scrape) => total + scrape.sum(metric), 0);
      expect(sum).toBe(wholeScrape?.sum(metric));
    }
  }, 60_000);
});

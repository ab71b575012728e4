import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startFleet } from '../../src/simulator/run-simulation.ts';
import type { Traffic } from '../../src/simulator/traffic.ts';
import type { SessionTruth, Tally, Truth } from '../../src/simulator/truth.ts';
import { TARGET, type Target } from '../../src/simulator/wire.ts';
import { createCleanup } from '../support/cleanup.ts';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import type { Exposition, Labels } from '../support/exposition.ts';
import type { RecordLine } from '../support/json-lines.ts';
import { claimPorts } from '../support/port-block.ts';
import { startRedisServer } from '../support/redis-server.ts';

/** The goal of the project is 30; a shorter run keeps the suite quick. */
const { SIMULATE_SECONDS = '5' } = process.env;
const SECONDS = Number(SIMULATE_SECONDS);
const EVENTS_PER_SECOND = 20_000;
const SET_UP_MS = 60_000;
const TIMEOUT_MS = SECONDS * 1000 + 90_000;
/** Traffic without an allocation waits 10 s for proof of one. */
const UNTIL_SETTLED = { what: 'the counters to be the truth', timeoutMs: 40_000 };

const FLEET = {
  seed: 5,
  servers: 4,
  flavours: ['4.6.1', '4.17.1', '4.5.0.8'],
  realms: ['example.org', 'example.net', 'bücher.example'],
  users: 4000,
  arrivalRate: 20,
  callLengthSeconds: 40,
  noiseRate: 5,
  crashRate: 10,
  abandonedShare: 0.1,
} as const;

const FIELDS = [
  ['received_bytes', 'receivedBytes'],
  ['sent_bytes', 'sentBytes'],
  ['received_packets', 'receivedPackets'],
  ['sent_packets', 'sentPackets'],
] as const;
const SIDES = ['client', 'peer', 'unallocated'] as const;

interface Scene {
  readonly exporter: ExporterProcess;
  readonly target: Target;
}

const cleanup = createCleanup();

async function besideRedis(): Promise<Scene> {
  const { port } = await startRedisServer(cleanup.defer);
  const url = `redis://127.0.0.1:${port}/2`;
  const exporter = await startExporter(cleanup.defer, { args: ['--redis.url', url] });
  return { exporter, target: parseTarget(url) };
}

async function asStatsdb(): Promise<Scene> {
  const { first: port } = await claimPorts(cleanup.defer);
  const address = `127.0.0.1:${port}`;
  const args = ['--statsdb.listen-address', address];
  const exporter = await startExporter(cleanup.defer, { args });
  return { exporter, target: parseTarget(address) };
}

function parseTarget(text: string): Target {
  const parsed = TARGET.parse(text);
  if (!parsed.ok) throw new Error(`Not a target: ${text}`);
  return parsed.value;
}

/** `client received_bytes`: 17, for all sums of a tally. */
function sumsOf(tally: Tally): Record<string, number> {
  const traffic = SIDES.flatMap((side) =>
    FIELDS.map(([name, field]) => [`${side} ${name}`, tally[side][field]] as const),
  );
  const { allocations, refreshes } = tally;
  return { ...Object.fromEntries(traffic), allocations, refreshes };
}

/** The same of a scrape. */
function countersOf(metrics: Exposition, labels: Labels): Record<string, number> {
  const traffic = SIDES.flatMap((side) =>
    FIELDS.map(
      ([name]) => [`${side} ${name}`, metrics.sum(`coturn_${side}_${name}_total`, labels)] as const,
    ),
  );
  return {
    ...Object.fromEntries(traffic),
    allocations: metrics.sum('coturn_allocations_created_total', labels),
    refreshes: metrics.sum('coturn_allocation_refreshes_total', labels),
  };
}

function addSums(sums: Map<string, number>, user: string, traffic: (name: string) => number): void {
  for (const [name] of FIELDS) {
    const key = `${user} ${name}`;
    sums.set(key, (sums.get(key) ?? 0) + traffic(name));
  }
}

/** All records of a user together: calls that follow each other closely may share one. */
function sumRecords(records: readonly RecordLine[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const record of records) {
    const { realm, user } = record;
    addSums(sums, `${realm} ${user} client`, (name) => Number(record[name]));
    addSums(sums, `${realm} ${user} peer`, (name) => Number(record[`peer_${name}`]));
  }
  return sums;
}

function sumSessions(sessions: readonly SessionTruth[]): Map<string, number> {
  const sums = new Map<string, number>();
  const fields = new Map<string, keyof Traffic>(FIELDS);
  const of = (traffic: Traffic) => (name: string) => {
    const field = fields.get(name);
    return field === undefined ? Number.NaN : traffic[field];
  };
  for (const { realm, user, client, peer } of sessions) {
    addSums(sums, `${realm} ${user} client`, of(client));
    addSums(sums, `${realm} ${user} peer`, of(peer));
  }
  return sums;
}

async function simulate(target: Target): Promise<{ truth: Truth; sessions: SessionTruth[] }> {
  const pace = {
    speed: 1,
    eventsPerSecond: EVENTS_PER_SECOND,
    durationMs: SECONDS * 1000,
  };
  const running = await startFleet({ target, options: FLEET, pace });
  const sessions: SessionTruth[] = [];
  running.fleet.onSession = (session) => sessions.push(session);
  const truth = await running.done;
  expect(running.losses()).toEqual({ lostEvents: 0, breaks: 0 });
  return { truth, sessions };
}

describe.each([
  { source: 'a Redis', open: besideRedis, isStatsdb: false },
  { source: 'its own statsdb', open: asStatsdb, isStatsdb: true },
])('an exporter with $source', ({ open, isStatsdb }) => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await open();
  }, SET_UP_MS);
  afterEach(() => cleanup.run());

  it(
    'counts what a simulated fleet has published, to the byte',
    async () => {
      const { exporter, target } = scene;
      const { truth, sessions } = await simulate(target);
      const expected = truth.realms.map((realm) => ({ realm: realm.realm, ...sumsOf(realm) }));
      const countRealms = (metrics: Exposition) =>
        truth.realms.map(({ realm }) => ({ realm, ...countersOf(metrics, { realm }) }));
      const metrics = await exporter
        .untilMetrics(
          (seen) => JSON.stringify(countRealms(seen)) === JSON.stringify(expected),
          UNTIL_SETTLED,
        )
        .catch(() => exporter.metrics());
      expect(countRealms(metrics)).toEqual(expected);
      expect(metrics.sum('coturn_exporter_missed_bytes_total')).toBe(0);
      expect(metrics.sum('coturn_exporter_events_rejected_total')).toBe(0);
      for (const [event, count] of Object.entries(truth.events)) {
        // Beside a Redis the exporter subscribes to `turn/…` only, so it hears no keepalives.
        const heard = event === 'other' && !isStatsdb ? 0 : count;
        expect(metrics.sum('coturn_exporter_events_total', { event })).toBe(heard);
      }
      if (isStatsdb) {
        for (const server of truth.servers) {
          expect(countersOf(metrics, { server: server.server })).toEqual(sumsOf(server));
        }
      }
      expect(sessions.length).toBeGreaterThan(100);
      await exporter.stop();
      expect(sumRecords(exporter.records)).toEqual(sumSessions(sessions));
    },
    TIMEOUT_MS,
  );
});

import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runReportCommand } from '../../src/cli/report.ts';
import { datedPath } from '../../src/config/values.ts';
import { SourceStats } from '../../src/domain/source-stats.ts';
import { Tracker } from '../../src/domain/tracker.ts';
import { createUserName } from '../../src/domain/user.ts';
import { createRecordFile } from '../../src/records/record-file.ts';
import { RecordQueue, RecordStats } from '../../src/records/record-queue.ts';
import { createRecordLog } from '../../src/records/session-writer.ts';
import { createFleet, type Fleet } from '../../src/simulator/fleet.ts';
import type { SessionTruth } from '../../src/simulator/truth.ts';
import { StateKeeper, StateStats } from '../../src/state/state-keeper.ts';
import { createCleanup } from '../support/cleanup.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';
import { Collected } from '../unit/report/collected.ts';

const EPOCH_MS = Date.UTC(2026, 9, 1);
const DAY_MS = 86_400_000;
const DAYS = 31;
const MINUTE_MS = 60_000;
const SILENT = { error: vi.fn(), warn: vi.fn(), info: vi.fn() };
/** Nobody waits for a disk here. */
const CLOSE_MS = 60_000;

const MONTH = {
  seed: 7,
  servers: 2,
  flavours: ['4.17.1'],
  users: 30,
  arrivalRate: 0.0015,
  callLengthSeconds: 300,
  bitrate: 400_000,
  peerToPeerShare: 0.5,
  abandonedShare: 0.1,
  noiseRate: 0.005,
  epochSeconds: EPOCH_MS / 1000,
} as const;

interface ExporterSettings {
  readonly name: string;
  readonly replica?: string;
  readonly hasState: boolean;
  /** A file a day, or one that is renamed at midnight. */
  readonly files: 'daily' | 'rotated';
  /** Days, with fractions, at which it is stopped. */
  readonly stops: readonly number[];
  /** How long it is away then. */
  readonly awayMs: number;
}

/**
 * An exporter without its sockets, in simulated time: what is published goes to its tracker, and
 * what finishes goes by its queue to its files, of which every other one is packed at midnight.
 */
class LapsedExporter {
  readonly settings: ExporterSettings;
  readonly #fleet: Fleet;
  readonly #folder: string;
  readonly #path: string;
  #running: Awaited<ReturnType<LapsedExporter['run']>> | undefined;

  constructor(settings: ExporterSettings, fleet: Fleet, folder: string) {
    this.settings = settings;
    this.#fleet = fleet;
    this.#folder = folder;
    const date = settings.files === 'daily' ? '-%Y-%m-%d' : '';
    this.#path = join(folder, `${settings.name}${date}.jsonl`);
  }

  async run() {
    const tracker = new Tracker({
      groupBy: 'user',
      lingerMs: 5_000,
      userName: createUserName({ label: 'userid', restSeparator: ':' }),
      newSessionId: () => uuidv7(),
      maxUsers: 1000,
      maxRealms: 1000,
    });
    const stats = new SourceStats('statsdb', 'connection');
    const records = new RecordStats();
    const queue = new RecordQueue({
      file: createRecordFile({
        path: this.#path,
        unixMs: () => EPOCH_MS + this.#fleet.nowMs,
        stats: records,
        log: SILENT,
      }),
      stats: records,
      log: SILENT,
      spill: (line) => {
        throw new Error(`Not written: ${line}`);
      },
    });
    const { replica } = this.settings;
    const log = createRecordLog(queue, () => EPOCH_MS, replica === undefined ? {} : { replica });
    const keeper = this.settings.hasState ? this.#keeper(tracker, stats) : undefined;
    await keeper?.restore();
    return { tracker, stats, records, queue, log, keeper };
  }

  #keeper(tracker: Tracker, stats: SourceStats): StateKeeper {
    return new StateKeeper({
      path: join(this.#folder, `${this.settings.name}.state`),
      intervalMs: 10_000,
      tracker,
      sources: [stats],
      serverName: (name) => name,
      nowMs: () => this.#fleet.nowMs,
      wallOffsetMs: () => EPOCH_MS,
      stats: new StateStats(),
      recentRecords: () => new Set(),
      log: SILENT,
    });
  }

  async start(): Promise<void> {
    this.#running = await this.run();
  }

  receive(server: string, channel: string, text: string): void {
    if (this.#running === undefined) return;
    const { tracker, stats } = this.#running;
    this.pass();
    tracker.receive(tracker.openOrigin(stats, server), channel, text, this.#fleet.nowMs);
  }

  /** Lets it notice what time it is. */
  pass(): void {
    if (this.#running === undefined) return;
    this.#running.tracker.expire(this.#fleet.nowMs);
    this.#record();
  }

  #record(): void {
    if (this.#running === undefined) return;
    const { tracker, log, keeper } = this.#running;
    const finished = tracker.sessions.takeFinished();
    if (finished.length > 0) vi.setSystemTime(EPOCH_MS + this.#fleet.nowMs);
    for (const session of finished) {
      log.write(session, () => {
        tracker.users.leave(session);
        keeper?.noteRecorded(session.id);
      });
    }
  }

  async stop(): Promise<void> {
    if (this.#running === undefined) return;
    const { tracker, keeper, queue } = this.#running;
    this.pass();
    if (keeper === undefined) tracker.shutdown(this.#fleet.nowMs);
    else tracker.parked.releaseAll();
    this.#record();
    await queue.close(CLOSE_MS);
    await keeper?.stop();
    this.#running = undefined;
  }

  /** What is done at midnight: packing now and then, and first, by logrotate, a name and a signal. */
  async endDay(day: number): Promise<void> {
    await until(() => this.#running?.records.queued ?? 0, {
      what: 'all records to be written',
      isDone: (queued) => queued === 0,
    });
    const file = this.settings.files === 'daily' ? this.#fileOf(day) : this.#rotate(day);
    if (day % 2 === 0 || !existsSync(file)) return;
    writeFileSync(`${file}.gz`, gzipSync(readFileSync(file)));
    rmSync(file);
  }

  #fileOf(day: number): string {
    return datedPath(this.#path, EPOCH_MS + (day - 1) * DAY_MS);
  }

  #rotate(day: number): string {
    const rotated = this.#path.replace(/(?=\.jsonl$)/, `-${String(day).padStart(2, '0')}`);
    if (!existsSync(this.#path)) return rotated;
    renameSync(this.#path, rotated);
    this.#running?.queue.reopen();
    return rotated;
  }
}

interface Sums {
  received_bytes: number;
  sent_bytes: number;
  peer_received_bytes: number;
  peer_sent_bytes: number;
}

const truth = new Map<string, Sums>();
let sessions = 0;

/** Adds a call to the truth of its user and of the day on which it ended. */
function addTruth({ realm, user, endMs, client, peer }: SessionTruth): void {
  const day = new Date(EPOCH_MS + endMs).toISOString().slice(0, 10);
  const key = `${realm} ${user} ${day}`;
  const sums = truth.get(key);
  sessions += 1;
  truth.set(key, {
    received_bytes: (sums?.received_bytes ?? 0) + client.receivedBytes,
    sent_bytes: (sums?.sent_bytes ?? 0) + client.sentBytes,
    peer_received_bytes: (sums?.peer_received_bytes ?? 0) + peer.receivedBytes,
    peer_sent_bytes: (sums?.peer_sent_bytes ?? 0) + peer.sentBytes,
  });
}

const SETTINGS: readonly ExporterSettings[] = [
  {
    name: 'a',
    replica: 'a',
    hasState: true,
    files: 'daily',
    stops: [3.4, 9.61, 17.2],
    awayMs: 5 * MINUTE_MS,
  },
  {
    name: 'b',
    replica: 'b',
    hasState: false,
    files: 'rotated',
    stops: [5.5, 12.3, 25.7],
    awayMs: 7 * MINUTE_MS,
  },
  { name: 'state', hasState: true, files: 'daily', stops: stopsEach(2.3), awayMs: 0 },
  { name: 'no-state', hasState: false, files: 'rotated', stops: stopsEach(1.1), awayMs: 0 },
];

function stopsEach(days: number): number[] {
  return Array.from({ length: Math.floor(DAYS / days) }, (_, index) => (index + 0.37) * days);
}

/** A moment at which something is done to an exporter. */
interface Step {
  readonly atMs: number;
  readonly run: () => Promise<void>;
}

function planMonth(exporters: readonly LapsedExporter[]): Step[] {
  const steps = exporters.flatMap((exporter) => [
    ...exporter.settings.stops.flatMap((day): Step[] => [
      { atMs: day * DAY_MS, run: () => exporter.stop() },
      { atMs: day * DAY_MS + exporter.settings.awayMs, run: () => exporter.start() },
    ]),
    ...Array.from({ length: DAYS }, (_, day): Step => {
      return { atMs: (day + 1) * DAY_MS, run: () => exporter.endDay(day + 1) };
    }),
  ]);
  return steps.sort((left, right) => left.atMs - right.atMs);
}

async function liveThroughMonth(folder: string): Promise<void> {
  const fleet = createFleet(MONTH);
  fleet.onSession = addTruth;
  const exporters = SETTINGS.map((settings) => new LapsedExporter(settings, fleet, folder));
  for (const server of fleet.servers) {
    server.attach({
      set: () => undefined,
      delete: () => undefined,
      publish: (_thread, channel, text) => {
        for (const exporter of exporters) exporter.receive(server.address, channel, text);
      },
      stopped: () => undefined,
      started: () => undefined,
    });
  }
  for (const exporter of exporters) await exporter.start();
  const advance = (untilMs: number) => fleet.advance({ untilMs, maxEvents: Infinity });
  for (const { atMs, run } of planMonth(exporters)) {
    advance(atMs);
    await run();
  }
  fleet.finish();
  advance(DAYS * DAY_MS + 60 * MINUTE_MS);
  expect(fleet.isOver).toBe(true);
  for (const exporter of exporters) await exporter.stop();
}

interface Row extends Sums {
  readonly realm: string;
  readonly user: string;
  readonly day: string;
}

async function billOf(...patterns: string[]) {
  const [stdout, stderr] = [new Collected(), new Collected()];
  const code = await runReportCommand(['--by', 'user,day', '--format=json', ...patterns], {
    stdin: Readable.from([]),
    stdout,
    stderr,
    signal: new AbortController().signal,
  });
  expect([code, stderr.text]).toEqual([0, '']);
  const { rows, total, notes } = JSON.parse(stdout.text);
  const sums = new Map(
    (rows as Row[]).map((row) => [
      `${row.realm} ${row.user} ${row.day}`,
      {
        received_bytes: row.received_bytes,
        sent_bytes: row.sent_bytes,
        peer_received_bytes: row.peer_received_bytes,
        peer_sent_bytes: row.peer_sent_bytes,
      },
    ]),
  );
  return { sums, total, notes };
}

const cleanup = createCleanup();
let folder: string;

describe('the bill of a month of simulated calls', () => {
  beforeAll(async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: EPOCH_MS });
    folder = createTempFolder(cleanup.defer);
    await liveThroughMonth(folder);
  }, 240_000);
  afterAll(() => {
    vi.useRealTimers();
    return cleanup.run();
  });

  it('has many calls, users and days in it', () => {
    expect(sessions).toBeGreaterThan(3_500);
    expect(truth.size).toBeGreaterThan(800);
    expect(
      readdirSync(folder).filter((name) => name.endsWith('.gz')).length,
    ).toBeGreaterThanOrEqual(4 * 15);
  });

  it.each(['a', 'state'])('has a file of every day, and a link to the newest, of %s', (name) => {
    const files = readdirSync(folder).filter((file) =>
      new RegExp(`^${name}-2026-10-\\d\\d\\.jsonl(\\.gz)?$`).test(file),
    );
    expect(files).toHaveLength(DAYS);
    expect(readlinkSync(join(folder, `${name}.jsonl`))).toBe(`${name}-2026-11-01.jsonl`);
  });

  it.each([
    [
      'a pair, each deaf at times, one of them without a state file',
      ['b*.jsonl*', 'a*.jsonl*'],
      [/^Pair: [1-9]\d{3} sessions recorded alike.*, [1-9]\d* not/],
    ],
    ['an exporter that is restarted with a state file', ['state*.jsonl*'], []],
    [
      'an exporter that is restarted without one',
      ['no-state*.jsonl*'],
      [/^Restarts: [1-9]\d+ sessions made one/],
    ],
  ])('is to the byte what was published, per user and day: %s', async (_, patterns, expected) => {
    const { sums, total, notes } = await billOf(...patterns.map((name) => join(folder, name)));
    expect(difference(sums)).toEqual([]);
    expect(notes).toEqual(expected.map((note) => expect.stringMatching(note)));
    expect(total).toMatchObject({ incomplete_sessions: 0, uncertain_bytes: 0 });
  });
});

/** Where a bill is not the truth. */
function difference(sums: ReadonlyMap<string, Sums>) {
  const keys = new Set([...sums.keys(), ...truth.keys()]);
  const wrong = [...keys].filter(
    (key) => JSON.stringify(sums.get(key)) !== JSON.stringify(truth.get(key)),
  );
  return wrong.map((key) => [key, sums.get(key), truth.get(key)]);
}

import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import type { BuildInfo } from './build-info.ts';
import { type Clock, createClock } from './clock.ts';
import type { Config } from './config/config.ts';
import { Tracker } from './domain/tracker.ts';
import { createUserName } from './domain/user-name.ts';
import { createServer } from './http/server.ts';
import { registerMetrics } from './metrics/register-metrics.ts';
import { createRegistry } from './metrics/registry.ts';
import { recentRecordIds } from './records/recent-records.ts';
import { createRecordFile, createStdout, type RecordFile } from './records/record-file.ts';
import { createRecordLog } from './records/record-log.ts';
import { RecordQueue } from './records/record-queue.ts';
import { RecordStats } from './records/record-stats.ts';
import { SessionFinisher } from './session-finisher.ts';
import { createSources, type Sources } from './sources/create-sources.ts';
import { StateKeeper } from './state/state-keeper.ts';
import { StateStats } from './state/state-stats.ts';
import { createRecordTelemetry } from './telemetry/record-telemetry.ts';
import { createStateTelemetry } from './telemetry/state-telemetry.ts';

/** What an exporter needs besides its configuration. */
export interface ExporterContext {
  readonly log: Logger;
  readonly build: BuildInfo;
  /** Takes a record that its destination does not get: the last resort. */
  readonly spill: (line: Buffer) => void;
}

/** Every part of an exporter, wired together; nothing runs yet. */
export interface ExporterParts {
  readonly clock: Clock;
  readonly tracker: Tracker;
  readonly sources: Sources;
  readonly records: RecordParts;
  /** Absent without `--state.file`. */
  readonly keeper: StateKeeper | undefined;
  readonly finisher: SessionFinisher;
  readonly server: FastifyInstance;
}

interface RecordParts {
  readonly file: RecordFile;
  readonly stats: RecordStats;
  readonly queue: RecordQueue;
}

/** Makes every part from the configuration. */
export async function createParts(
  config: Config,
  context: ExporterContext,
): Promise<ExporterParts> {
  const { log, build } = context;
  const clock = createClock();
  const { nowMs, wallOffsetMs } = clock;
  const tracker = createTracker(config, clock);
  const sources = await createSources(config, { sink: tracker, nowMs, log });
  const records = createRecords(config, context);
  const state = new StateStats();
  const keeper = createKeeper(config, { log, clock, tracker, sources, state });
  const registry = createRegistry();
  const maxUsers = config.users.maxSeries;
  const observer = registerMetrics(registry, {
    tracker,
    sources,
    records: records.stats,
    state,
    build,
    maxUsers,
    wallOffsetMs,
  });
  const finisher = new SessionFinisher({
    tracker,
    records: createRecordLog(records.queue, wallOffsetMs),
    observer,
    nowMs,
    onRecorded: (session) => keeper?.noteRecorded(session.id),
  });
  const { ledger, users } = tracker;
  const hasUserSeries = config.users.label !== 'none';
  const path = config.web.telemetryPath;
  const server = await createServer({
    metrics: { path, registry, users, hasUserSeries, wallOffsetMs },
    health: { sources: sources.all, ledger },
    landingPage: { config, build, sources: sources.all, ledger, nowMs },
    log,
  });
  return { clock, tracker, sources, records, keeper, finisher, server };
}

function createTracker(config: Config, { wallOffsetMs }: Clock): Tracker {
  return new Tracker({
    groupBy: config.session.groupBy,
    lingerMs: config.session.lingerMs,
    userName: createUserName(config.users),
    newSessionId: (nowMs) => uuidv7({ msecs: Math.floor(nowMs + wallOffsetMs()) }),
    maxUsers: config.users.maxSeries,
    maxRealms: config.realms.maxSeries,
    shard: config.shard,
  });
}

function createRecords(config: Config, { log, spill }: ExporterContext): RecordParts {
  const path = config.records.file;
  const file = path === undefined ? createStdout() : createRecordFile(path);
  const stats = new RecordStats();
  const telemetry = createRecordTelemetry(log, file.name);
  return { file, stats, queue: new RecordQueue({ file, stats, telemetry, spill }) };
}

interface KeeperParts {
  readonly log: Logger;
  readonly clock: Clock;
  readonly tracker: Tracker;
  readonly sources: Sources;
  readonly state: StateStats;
}

function createKeeper(config: Config, parts: KeeperParts): StateKeeper | undefined {
  const { log, clock, tracker, sources, state } = parts;
  const path = config.state.file;
  if (path === undefined) return undefined;
  const recordFile = config.records.file;
  return new StateKeeper({
    path,
    intervalMs: config.state.intervalMs,
    tracker,
    sources: sources.all.map((source) => source.stats),
    ...clock,
    stats: state,
    recentRecords: () => (recordFile === undefined ? new Set() : recentRecordIds(recordFile)),
    telemetry: createStateTelemetry(log, path),
  });
}

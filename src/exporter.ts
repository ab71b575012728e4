import { performance } from 'node:perf_hooks';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import type { BuildInfo } from './build-info.ts';
import type { Config } from './config/config.ts';
import { formatHostPort, type HostPort } from './config/values.ts';
import { Tracker } from './domain/tracker.ts';
import { createUserName } from './domain/user.ts';
import { createServer } from './http/server.ts';
import { errorCode } from './log.ts';
import { createRegistry, registerMetrics } from './metrics/registry.ts';
import { recentRecordIds } from './records/recent-records.ts';
import { createRecordFile, createStdout, type RecordFile } from './records/record-file.ts';
import { createRecordTelemetry, RecordQueue, RecordStats } from './records/record-queue.ts';
import { createRecordLog, SessionFinisher } from './records/session-writer.ts';
import { createSources, type Sources } from './sources/create-sources.ts';
import type { Source } from './sources/source.ts';
import { createStateTelemetry, StateKeeper, StateStats } from './state/state-keeper.ts';

/** A coturn-exporter in this process. */
export interface Exporter {
  /**
   * Serves HTTP and begins to receive. Resolves while Redis may still be away.
   *
   * @throws {StartError} when a port is taken or the record file cannot be opened
   */
  start(): Promise<ExporterAddresses>;
  /** Stops receiving, writes every record, closes everything; takes 10 s at most. */
  stop(): Promise<void>;
  /** Opens the record file anew, since it was renamed. */
  reopenRecords(): void;
}

/** Where a running exporter listens. */
export interface ExporterAddresses {
  /** `http://host:port` of the HTTP server. */
  readonly web: string;
  /** Of each embedded statsdb. */
  readonly statsdb: readonly HostPort[];
}

/** What stops a start that a person has to mend; its message is one line that names the flag. */
export class StartError extends Error {}

/** How long the destination of records may take to get the last of them, in ms. */
const LAST_RECORDS_MS = 8_000;

/** An exporter of this configuration; nothing runs before `start`. */
export async function createExporter(config: Config, context: ExporterContext): Promise<Exporter> {
  const { clock, tracker, sources, records, keeper, finisher, server } = await createParts(
    config,
    context,
  );
  let isStarted = false;
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    await Promise.all(sources.all.map((source) => source.stop()));
    finisher.stop();
    if (keeper === undefined) tracker.shutdown(clock.nowMs());
    else tracker.suspend();
    finisher.drain();
    await records.queue.close(LAST_RECORDS_MS);
    // A state file that could not be read, or was not needed yet, stays as it is.
    if (isStarted) await keeper?.stop();
    await server.close();
  };
  return {
    async start() {
      await openRecordFile(records.file);
      restoreState(keeper);
      const web = await listen(server, config.web.listen);
      isStarted = true;
      finisher.start();
      keeper?.start();
      for (const source of sources.all) await startSource(source);
      return { web, statsdb: sources.statsdb.flatMap(({ address }) => address ?? []) };
    },
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
    reopenRecords: () => records.queue.reopen(),
  };
}

function restoreState(keeper: StateKeeper | undefined): void {
  try {
    keeper?.restore();
  } catch (cause) {
    throw new StartError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

async function openRecordFile(file: RecordFile): Promise<void> {
  try {
    await file.openNow();
  } catch (cause) {
    const expected = `expected a file that can be written (${errorCode(cause) ?? String(cause)})`;
    throw new StartError(`Cannot open --records.file "${file.name}": ${expected}`, { cause });
  }
}

async function listen(server: FastifyInstance, address: HostPort): Promise<string> {
  try {
    return await server.listen({ host: address.host, port: address.port });
  } catch (cause) {
    const expected = `expected an address and a port that are free (${errorCode(cause) ?? String(cause)})`;
    throw new StartError(
      `Cannot listen on --web.listen-address "${formatHostPort(address)}": ${expected}`,
      { cause },
    );
  }
}

async function startSource(source: Source): Promise<void> {
  try {
    await source.start();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    // Only listening can fail for good; a Redis that is away is waited for.
    throw new StartError(`Cannot use --statsdb.listen-address: ${why}`, { cause });
  }
}

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

/** The time, on two scales. Everything but this file gets its time from here. */
export interface Clock {
  /**
   * Milliseconds that never run back and never leap, whatever is done to the system's clock. Looks
   * like Unix time at the start of the process; {@link wallOffsetMs} makes it so later.
   */
  nowMs(): number;
  /** What to add to {@link nowMs} to get Unix time in ms, as the system's clock shows it now. */
  wallOffsetMs(): number;
}

/** The clock of this machine. */
export function createClock(): Clock {
  const nowMs = (): number => performance.timeOrigin + performance.now();
  return { nowMs, wallOffsetMs: () => Date.now() - nowMs() };
}

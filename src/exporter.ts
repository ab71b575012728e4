import { randomFillSync, randomInt } from 'node:crypto';
import { hostname } from 'node:os';
import { performance } from 'node:perf_hooks';
import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import type { BuildInfo } from './build-info.ts';
import type { Config } from './config/config.ts';
import { openUserNames } from './config/user-names.ts';
import { formatHostPort, type HostPort } from './config/values.ts';
import { addressOf, isLoopback } from './coturn/connection.ts';
import { Servers } from './domain/servers.ts';
import { Tracker } from './domain/tracker.ts';
import type { Hide, UserNames } from './domain/user.ts';
import { createDrainRoute } from './http/drain-route.ts';
import { healthRoutes } from './http/health-routes.ts';
import { createLandingPage } from './http/landing/page.ts';
import { isHeard, type PublishTarget, setupLine } from './http/landing/setup.ts';
import { createMetricsRoute } from './http/metrics-route.ts';
import type { Route } from './http/route.ts';
import { createWebServer } from './http/server.ts';
import type { WebLock, WebLockOptions } from './http/web-lock.ts';
import { errorCode } from './log.ts';
import { createRegistry, registerMetrics } from './metrics/registry.ts';
import { WebStats } from './metrics/web-metrics.ts';
import {
  createRecordFile,
  createStdout,
  type RecordFile,
  recentRecordIds,
} from './records/record-file.ts';
import { RecordQueue, RecordStats } from './records/record-queue.ts';
import { createRecordLog, SessionFinisher } from './records/session-writer.ts';
import { createSources, type Sources } from './sources/create-sources.ts';
import { StateKeeper, StateStats } from './state/state-keeper.ts';

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
  /** Whether a coturn has connected, or anything was heard of one. */
  hasHeardCoturn(): boolean;
}

/** Where a running exporter listens. */
export interface ExporterAddresses {
  /** `http://host:port` of the HTTP server. */
  readonly web: string;
  /** Of each embedded statsdb. */
  readonly statsdb: readonly HostPort[];
  /** Lines of `turnserver.conf`, each of which connects a coturn. Passwords are left out. */
  readonly setup: readonly string[];
}

/** What stops a start that a person has to mend; its message is one line that names the flag. */
export class StartError extends Error {}

/** How long the destination of records may take to get the last of them, in ms. */
const LAST_RECORDS_MS = 8_000;

/** What an exporter needs besides its configuration. */
export interface ExporterContext {
  readonly log: Logger;
  readonly build: BuildInfo;
  /** Takes a record that its destination does not get: the last resort. */
  readonly spill: (line: Buffer) => void;
}

/** An exporter of this configuration; nothing runs before `start`. */
export async function createExporter(config: Config, context: ExporterContext): Promise<Exporter> {
  const { clock, tracker, sources, records, keeper, finisher, page, server } = await wire(
    config,
    context,
  );
  const { file, queue } = records;
  let isStarted = false;
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    await Promise.all(sources.all.map((source) => source.stop()));
    finisher.stop();
    if (keeper === undefined) tracker.shutdown(clock.nowMs());
    else tracker.parked.releaseAll();
    const deadlineMs = clock.nowMs() + LAST_RECORDS_MS;
    const leftMs = (): number => Math.max(0, deadlineMs - clock.nowMs());
    await finisher.drain(leftMs);
    await queue.close(leftMs());
    // A state file that could not be read, or was not needed yet, stays as it is.
    if (isStarted) await keeper?.stop();
    else keeper?.abandon();
    page.stop();
    await server.close();
  };
  return {
    async start() {
      await attempt(() => openRecords(file), cannotOpen(file.name));
      await attempt(() => keeper?.restore(), messageOf);
      const web = await attempt(() => server.listen(config.web.listen), cannotListen(config));
      isStarted = true;
      page.start();
      finisher.start();
      keeper?.start();
      // Only listening can fail for good; a Redis that is away is waited for.
      for (const source of sources.all) await attempt(() => source.start(), cannotReceive);
      return {
        web,
        statsdb: sources.statsdb.flatMap(({ address }) => address ?? []),
        setup: publishTargets(config, sources).map(setupLine),
      };
    },
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
    reopenRecords: () => queue.reopen(),
    hasHeardCoturn: () => sources.all.some(isHeard),
  };
}

/** Does a step of the start; one that fails stops it, with words for a person. */
async function attempt<T>(
  step: () => T | Promise<T>,
  describe: (cause: unknown) => string,
): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    throw new StartError(describe(cause), { cause });
  }
}

/** A pipe that nobody reads yet is waited for, like a Redis that is away. */
async function openRecords(file: RecordFile): Promise<void> {
  await file.open().catch((error: unknown) => {
    if (errorCode(error) !== 'ENXIO') throw error;
  });
}

function cannotOpen(path: string): (cause: unknown) => string {
  return (cause) =>
    `Cannot open --records.file "${path}": expected a file that can be written (${reasonOf(cause)})`;
}

function cannotListen({ web }: Config): (cause: unknown) => string {
  return (cause) =>
    `Cannot listen on --web.listen-address "${formatHostPort(web.listen)}": expected an address and a port that are free (${reasonOf(cause)})`;
}

function cannotReceive(cause: unknown): string {
  return `Cannot use --statsdb.listen-address: ${messageOf(cause)}`;
}

function reasonOf(cause: unknown): string {
  return errorCode(cause) ?? String(cause);
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** Every part, made and connected; nothing runs yet. */
async function wire(config: Config, context: ExporterContext) {
  const { log, build } = context;
  const clock = createClock();
  const { nowMs, wallOffsetMs } = clock;
  const userNames = await openUserNames(config.users);
  const serverName = createServerName(config);
  const tracker = createTracker(config, clock, userNames);
  const { ledger, users } = tracker;
  const servers = new Servers({ ledger, forgetAfterMs: config.servers.forgetAfterMs });
  const sources = await createSources(config, { sink: tracker, servers, serverName, nowMs, log });
  const records = createRecords(config, clock, context);
  const state = new StateStats();
  const web = new WebStats();
  const { hide } = userNames;
  const parts = { log, clock, tracker, hide, sources, serverName, state };
  const keeper = createKeeper(config, parts);
  const registry = createRegistry();
  const observer = registerMetrics(registry, {
    ...{ tracker, servers, sources, records: records.stats, state, web, build },
    maxUsers: config.users.maxSeries,
    ...{ nowMs, wallOffsetMs },
  });
  const hasUserSeries = config.users.label !== 'none';
  const metrics = createMetricsRoute({ registry, users, hasUserSeries, nowMs, wallOffsetMs });
  const finisher = new SessionFinisher({
    tracker,
    records: createRecordLog(records.queue, wallOffsetMs, config.records),
    observer,
    nowMs,
    isPressed: () => metrics.isRendering,
    onRecorded: (session) => keeper?.noteRecorded(session.id),
  });
  const metricsPath = config.web.telemetryPath;
  const targets = (): PublishTarget[] => publishTargets(config, sources);
  const shown = { sources: sources.all, ledger, servers, nowMs };
  const page = createLandingPage({ ...shown, build, metricsPath, targets });
  const routes: [string, Route][] = [
    ...healthRoutes(shown),
    [metricsPath, metrics],
    ['/', page],
    ['/drain', createDrainRoute({ ...config.web, ...shown })],
  ];
  const server = createWebServer({
    ...config.web,
    routes: new Map(routes),
    lock: await openLock(config, { stats: web, log, nowMs }),
    stats: web,
    log,
    nowMs,
  });
  return { clock, tracker, sources, records, keeper, finisher, page, server };
}

/** Names a coturn by the address that it connects from: over loopback by this machine. */
function createServerName({ servers }: Config): (address: string) => string {
  const { names, name = hostname() } = servers;
  return (address) => names.get(address) ?? (isLoopback(address) ? name : address);
}

/** @throws {ConfigError} when the file cannot be used */
async function openLock(
  { web }: Config,
  context: Omit<WebLockOptions, 'path'>,
): Promise<WebLock | undefined> {
  if (web.configFile === undefined) return undefined;
  // Loaded here: most have none, and its YAML takes longer to load than the rest of the server.
  const { openWebLock } = await import('./http/web-lock.ts');
  return openWebLock({ ...context, path: web.configFile });
}

/** Where a coturn can publish to, without the passwords. */
function publishTargets({ redis, statsdb }: Config, sources: Sources): PublishTarget[] {
  const hasPassword = statsdb.password !== undefined || statsdb.servers !== undefined;
  const direct = sources.statsdb.flatMap(({ address }) =>
    address === undefined ? [] : { ...address, hasPassword },
  );
  const byRedis = redis.sources.map(({ endpoint, dbs: [db = 0], password }) => ({
    ...(endpoint.kind === 'server' ? endpoint.address : {}),
    db,
    hasPassword: (password ?? redis.access.passwordFile) !== undefined,
  }));
  return [...byRedis, ...direct];
}

/** The accounting as a configuration wants it. */
export function createTracker(
  config: Config,
  { wallOffsetMs }: Pick<Clock, 'wallOffsetMs'>,
  userNames: UserNames,
): Tracker {
  const { names } = config.servers;
  return new Tracker({
    groupBy: config.session.groupBy,
    lingerMs: config.session.lingerMs,
    ...userNames,
    newSessionId: createSessionIds(wallOffsetMs),
    maxUsers: config.users.maxSeries,
    maxRealms: config.realms.maxSeries,
    shard: config.shard,
    hashSeed: randomInt(2 ** 31),
    relayedMinBytes: config.session.relayedMinBytes,
    serverName(endpoint) {
      const address = addressOf(endpoint);
      return names.get(endpoint) ?? names.get(address) ?? address;
    },
  });
}

function createRecords(config: Config, clock: Clock, { log, spill }: ExporterContext) {
  const path = config.records.file;
  const stats = new RecordStats();
  const unixMs = (): number => clock.nowMs() + clock.wallOffsetMs();
  const file = path === undefined ? createStdout() : createRecordFile({ path, unixMs, stats, log });
  return { file, stats, queue: new RecordQueue({ file, stats, log, spill }) };
}

interface KeeperParts {
  readonly log: Logger;
  readonly clock: Clock;
  readonly tracker: Tracker;
  readonly hide: Hide | undefined;
  readonly sources: Sources;
  readonly serverName: (name: string) => string;
  readonly state: StateStats;
}

function createKeeper(config: Config, parts: KeeperParts): StateKeeper | undefined {
  const { log, clock, tracker, hide, sources, serverName, state } = parts;
  const path = config.state.file;
  if (path === undefined) return undefined;
  const recordFile = config.records.file;
  return new StateKeeper({
    path,
    intervalMs: config.state.intervalMs,
    tracker,
    sources: sources.all.map((source) => source.stats),
    hide,
    serverName,
    ...clock,
    stats: state,
    recentRecords: () =>
      recordFile === undefined
        ? new Set()
        : recentRecordIds(recordFile, clock.nowMs() + clock.wallOffsetMs()),
    log,
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

/** How far the two scales may come apart before the system's clock counts as changed, in ms. */
const CLOCK_TOLERANCE_MS = 10;

/** The clock of this machine. */
export function createClock(): Clock {
  const nowMs = (): number => performance.timeOrigin + performance.now();
  let offsetMs = Date.now() - nowMs();
  return {
    nowMs,
    // Unix time comes in whole ms: what began at one moment would otherwise be shown to have begun a
    // millisecond sooner or later each time.
    wallOffsetMs() {
      const measuredMs = Date.now() - nowMs();
      if (Math.abs(measuredMs - offsetMs) > CLOCK_TOLERANCE_MS) offsetMs = measuredMs;
      return offsetMs;
    },
  };
}

/** Random bytes of one session id. */
const ID_BYTES = 16;

/** Makes session ids; random bytes are fetched for a thousand at once, which is much cheaper. */
function createSessionIds(wallOffsetMs: () => number): (nowMs: number) => string {
  const pool = new Uint8Array(1_000 * ID_BYTES);
  let at = pool.length;
  return (nowMs) => {
    if (at === pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    const random = pool.subarray(at, at + ID_BYTES);
    at += ID_BYTES;
    return uuidv7({ msecs: Math.floor(nowMs + wallOffsetMs()), random });
  };
}

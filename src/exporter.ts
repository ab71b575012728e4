import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import type { BuildInfo } from './build-info.ts';
import { type Clock, createClock } from './clock.ts';
import type { Config } from './config/config.ts';
import { formatHostPort, type HostPort } from './config/values.ts';
import { Tracker } from './domain/tracker.ts';
import { createUserName } from './domain/user-name.ts';
import { createServer } from './http/server.ts';
import { registerMetrics } from './metrics/register-metrics.ts';
import { createRegistry } from './metrics/registry.ts';
import { createRecordFile, createStdout, type RecordFile } from './records/record-file.ts';
import { createRecordLog } from './records/record-log.ts';
import { RecordQueue } from './records/record-queue.ts';
import { RecordStats } from './records/record-stats.ts';
import { SessionFinisher } from './session-finisher.ts';
import { createSources } from './sources/create-sources.ts';
import type { Source } from './sources/source.ts';
import { createRecordTelemetry } from './telemetry/record-telemetry.ts';

/** What an exporter needs besides its configuration. */
export interface ExporterContext {
  readonly log: Logger;
  readonly build: BuildInfo;
  /** Takes a record that its destination does not get: the last resort. */
  readonly spill: (line: Buffer) => void;
}

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

/** Wires every part together; nothing runs before `start`. */
export async function createExporter(config: Config, context: ExporterContext): Promise<Exporter> {
  const { log, build } = context;
  const clock = createClock();
  const { nowMs, wallOffsetMs } = clock;
  const tracker = createTracker(config, clock);
  const sources = createSources(config, { sink: tracker, nowMs, log });
  const { file, stats, queue } = createRecords(config, context);
  const registry = createRegistry();
  const observer = registerMetrics(registry, {
    tracker,
    sources,
    records: stats,
    build,
    maxUsers: config.users.maxSeries,
    wallOffsetMs,
  });
  const records = createRecordLog(queue, wallOffsetMs);
  const finisher = new SessionFinisher({ tracker, records, observer, nowMs });
  const server = await createServer({
    metrics: {
      path: config.web.telemetryPath,
      registry,
      users: tracker.users,
      hasUserSeries: config.users.label !== 'none',
      wallOffsetMs,
    },
    health: { sources: sources.all, ledger: tracker.ledger },
    landingPage: { config, build, sources: sources.all, ledger: tracker.ledger, nowMs },
    log,
  });

  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    await Promise.all(sources.all.map((source) => source.stop()));
    finisher.stop();
    tracker.shutdown(nowMs());
    finisher.drain();
    await queue.close(LAST_RECORDS_MS);
    await server.close();
  };
  return {
    async start() {
      await openRecordFile(file);
      const web = await listen(server, config.web.listen);
      finisher.start();
      for (const source of sources.all) await startSource(source);
      return { web, statsdb: sources.statsdb.flatMap(({ address }) => address ?? []) };
    },
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
    reopenRecords: () => queue.reopen(),
  };
}

function createTracker(config: Config, { wallOffsetMs }: Clock): Tracker {
  return new Tracker({
    groupBy: config.session.groupBy,
    lingerMs: config.session.lingerMs,
    userName: createUserName(config.users),
    newSessionId: (nowMs) => uuidv7({ msecs: Math.floor(nowMs + wallOffsetMs()) }),
    maxUsers: config.users.maxSeries,
    maxRealms: config.realms.maxSeries,
  });
}

function createRecords(
  config: Config,
  { log, spill }: ExporterContext,
): { file: RecordFile; stats: RecordStats; queue: RecordQueue } {
  const path = config.records.file;
  const file = path === undefined ? createStdout() : createRecordFile(path);
  const stats = new RecordStats();
  const telemetry = createRecordTelemetry(log, file.name);
  return { file, stats, queue: new RecordQueue({ file, stats, telemetry, spill }) };
}

async function openRecordFile(file: RecordFile): Promise<void> {
  try {
    await file.openNow();
  } catch (cause) {
    const expected = `expected a file that can be written (${codeOf(cause)})`;
    throw new StartError(`Cannot open --records.file "${file.name}": ${expected}`, { cause });
  }
}

async function listen(server: FastifyInstance, address: HostPort): Promise<string> {
  try {
    return await server.listen({ host: address.host, port: address.port });
  } catch (cause) {
    const expected = `expected an address and a port that are free (${codeOf(cause)})`;
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
    throw new StartError(`Cannot start source ${source.stats.name}: ${why}`, { cause });
  }
}

/** The system's code for an error, such as `EADDRINUSE`. */
function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
}

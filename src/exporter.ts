import type { FastifyInstance } from 'fastify';
import type { Config } from './config/config.ts';
import { formatHostPort, type HostPort } from './config/values.ts';
import { errorCode } from './error-code.ts';
import { createParts, type ExporterContext } from './exporter-parts.ts';
import type { RecordFile } from './records/record-file.ts';
import type { Source } from './sources/source.ts';
import type { StateKeeper } from './state/state-keeper.ts';

export type { ExporterContext } from './exporter-parts.ts';

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

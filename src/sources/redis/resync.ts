import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Origin } from '../../domain/origin.ts';
import type { ScanResult } from '../../domain/reconcile.ts';
import type { ScanSink } from '../source.ts';
import type { Cause } from './causes.ts';
import { type ConnectionContext, explain, type Place, retryDelayMs } from './connection.ts';
import { readAllStatusKeys } from './status-scan.ts';

/** How soon after a scan ids may ask for another, in ms: reading many keys is work for Redis. */
const EARLY_SCAN_MS = 5_000;

/** Keys that are taken, and allocations that are compared, before the event loop gets its turn. */
const KEYS_SLICE = 200;
const COMPARED_SLICE = 5_000;

/** What a {@link Resync} works with. */
export interface ResyncOptions {
  readonly sink: ScanSink;
  readonly origin: Origin;
  readonly place: Place;
  /** Its signal ends everything. */
  readonly context: ConnectionContext;
  readonly nowMs: () => number;
  /** How long after a scan the next one begins, in ms. */
  readonly intervalMs: number;
  readonly onScan: (result: ScanResult, milliseconds: number) => void;
  readonly onFailure: (cause: Cause) => void;
}

/** Compares what is known with the status keys, at once and at an interval, until it is stopped. */
export class Resync {
  readonly #options: ResyncOptions;
  /** Of the next scan; undefined while one is under way. */
  #timer: NodeJS.Timeout | undefined;
  /** When the last scan began, in ms. */
  #begunMs = 0;
  /** Scans in a row that came to nothing. */
  #failures = 0;

  constructor(options: ResyncOptions) {
    this.#options = options;
    options.context.signal.addEventListener('abort', () => clearTimeout(this.#timer), {
      once: true,
    });
    void this.#scan();
  }

  /** To be called now and then: does not wait where a coturn seems to have started anew. */
  hurry(): void {
    const { origin, nowMs } = this.#options;
    if (this.#timer === undefined || !origin.keys.isScanDue) return;
    if (nowMs() - this.#begunMs < EARLY_SCAN_MS) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    void this.#scan();
  }

  async #scan(): Promise<void> {
    const { place, context, intervalMs, onFailure } = this.#options;
    const { signal } = context;
    try {
      await this.#read();
      this.#failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      const { explained } = await explain(error, place, context);
      if (signal.aborted) return;
      onFailure(explained);
      this.#failures += 1;
    }
    if (signal.aborted) return;
    const delayMs =
      this.#failures === 0
        ? intervalMs
        : Math.min(intervalMs, retryDelayMs(this.#failures + 3, Math.random()));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#scan();
    }, delayMs);
  }

  async #read(): Promise<void> {
    const { sink, origin, place, context, nowMs, onScan } = this.#options;
    const { signal, config } = context;
    const begunMs = nowMs();
    this.#begunMs = begunMs;
    const scan = sink.beginScan(origin, begunMs);
    for await (const entries of readAllStatusKeys(place, context)) {
      for (let from = 0; from < entries.length; from += KEYS_SLICE) {
        if (signal.aborted) return;
        const slice = entries.slice(from, from + KEYS_SLICE);
        for (const { key, value } of slice) scan.found(key, value, nowMs());
        await nextTurn();
      }
    }
    while (!signal.aborted && scan.compare(COMPARED_SLICE)) await nextTurn();
    if (signal.aborted) return;
    // coturn sets keys on the node it talks to; those of the slots of others are refused to it.
    onScan(scan.end(config.endpoint.kind === 'cluster'), nowMs() - begunMs);
  }
}

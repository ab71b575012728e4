import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Random } from '../../src/simulator/random.ts';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import { readJsonLines } from '../support/json-lines.ts';
import { startRedisServer } from '../support/redis-server.ts';
import {
  isWithin,
  recordSums,
  type ScriptedAllocation,
  ScriptedCoturn,
  sumsOf,
} from '../support/scripted-coturn.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';
import { parseState } from '../unit/state/saved.ts';

const ROUNDS = 4;
/** Sessions that must have a record, at least, for each time that the exporter ends. */
const MUST_A_ROUND = 30;
const STATE_INTERVAL_MS = 1000;
const LINGER_MS = 500;
/** Ticks of 100 ms, writes, and a busy machine. */
const SLACK_MS = 600;

/** A session of its own user, as it was. Times are of `performance.now()`. */
interface Told {
  readonly allocation: ScriptedAllocation;
  readonly beganMs: number;
  endedMs: number;
}

/** When nobody listened: from the signal to the next exporter's first answer. */
interface Deafness {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Sessions of about a second, one after the other, some hundred at a time, until told to stop. */
class Callers {
  readonly told: Told[] = [];
  readonly #coturn: ScriptedCoturn;
  readonly #random: Random;
  readonly #live = new Set<Told>();
  readonly #timer: NodeJS.Timeout;

  constructor(coturn: ScriptedCoturn, random: Random) {
    this.#coturn = coturn;
    this.#random = random;
    this.#timer = setInterval(() => this.#step(), 20);
  }

  /** How many sessions came to their end between these moments. */
  endedWithin(fromMs: number, toMs: number): number {
    return this.told.filter(({ endedMs }) => endedMs >= fromMs && endedMs <= toMs).length;
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const told of this.#live) this.#end(told);
  }

  #step(): void {
    for (const told of [...this.#live]) {
      if (this.#random.chance(0.3))
        this.#coturn.relay(told.allocation, 1 + this.#random.below(1000));
      if (this.#random.chance(0.02)) this.#end(told);
    }
    for (let count = this.#random.below(4); count > 0; count -= 1) {
      const allocation = this.#coturn.begin(`user${this.told.length + 1}`);
      const told = { allocation, beganMs: performance.now(), endedMs: Number.NaN };
      this.told.push(told);
      this.#live.add(told);
    }
  }

  #end(told: Told): void {
    this.#live.delete(told);
    this.#coturn.end(told.allocation);
    told.endedMs = performance.now();
  }
}

/** Whether a record must be there: its end was heard, by a process that lived to write it. */
function mustHaveRecord({ endedMs }: Told, deaf: readonly Deafness[], beforeMs: number): boolean {
  return deaf.every(({ fromMs, toMs }) => endedMs < fromMs - beforeMs || endedMs > toMs);
}

/** Whether nobody can know of it: it came after the last snapshot and was over before anyone heard. */
function mayBeUnknown({ beganMs, endedMs }: Told, deaf: readonly Deafness[]): boolean {
  const sinceSnapshotMs = STATE_INTERVAL_MS + SLACK_MS;
  return deaf.some(({ fromMs, toMs }) => beganMs > fromMs - sinceSnapshotMs && endedMs < toMs);
}

describe.each(['SIGTERM', 'SIGKILL'] as const)(
  '%s at random moments, with a state file',
  (signal) => {
    it('loses no session that was heard to its end, and records none twice', async () => {
      const random = new Random(signal.length);
      const redis = await startRedisServer(onTestFinished);
      const folder = createTempFolder(onTestFinished);
      const recordsFile = join(folder, 'records.jsonl');
      const stateFile = join(folder, 'state');
      const start = (): Promise<ExporterProcess> =>
        startExporter(onTestFinished, {
          args: [
            ...['--redis.url', `redis://127.0.0.1:${redis.port}/0#redis`],
            ...['--records.file', recordsFile, '--state.file', stateFile],
            ...['--state.interval', `${STATE_INTERVAL_MS / 1000}s`],
          ],
        });
      const coturn = new ScriptedCoturn(onTestFinished, { port: redis.port });
      await coturn.connected();
      let exporter = await start();
      const callers = new Callers(coturn, random);
      onTestFinished(() => callers.stop());
      const deaf: Deafness[] = [];
      // A stopped exporter keeps what lingers in its state file; a killed one loses it until a resync.
      const beforeMs = signal === 'SIGTERM' ? SLACK_MS : LINGER_MS + SLACK_MS;
      for (let round = 0; round < ROUNDS; round += 1) {
        // The moment is as random as the calls are. Enough are over by then that must be told, however
        // slow the machine: those that end just before the signal need not be.
        const enough = random.between(MUST_A_ROUND, 2 * MUST_A_ROUND);
        const sinceMs = performance.now();
        await until(() => callers.endedWithin(sinceMs, performance.now() - beforeMs), {
          what: 'enough sessions to finish',
          timeoutMs: 60_000,
          isDone: (count) => count >= enough,
        });
        const fromMs = performance.now();
        exporter.process.kill(signal);
        await exporter.process.exited;
        exporter = await start();
        await coturn.said();
        deaf.push({ fromMs, toMs: performance.now() });
      }
      callers.stop();
      await coturn.said();
      const { told } = callers;
      const must = told.filter((one) => mustHaveRecord(one, deaf, beforeMs));
      const usersOf = (records: ReadonlyArray<Record<string, unknown>>) =>
        new Set(records.map((record) => String(record['username'])));
      await until(() => usersOf(readJsonLines(recordsFile)), {
        what: 'the last records',
        isDone: (users) => must.every(({ allocation }) => users.has(allocation.username)),
        show: (users) =>
          must
            .filter(({ allocation }) => !users.has(allocation.username))
            .map((one) => JSON.stringify({ ...one, deaf }))
            .join('\n'),
      });
      await exporter.stop();

      const records = readJsonLines(recordsFile);
      const ids = records.map((record) => record['session_id']);
      expect(new Set(ids).size).toBe(ids.length);
      expect(must.length).toBeGreaterThanOrEqual(ROUNDS * MUST_A_ROUND);
      const byUser = new Map<string, Array<Record<string, unknown>>>();
      for (const record of records) {
        const user = String(record['username']);
        byUser.set(user, [...(byUser.get(user) ?? []), record]);
      }
      for (const { allocation } of must) {
        expect(byUser.get(allocation.username)).toEqual([
          expect.objectContaining({ ...sumsOf([allocation]), complete: true, reason: 'deleted' }),
        ]);
      }
      const waiting = new Set(
        parseState(readFileSync(stateFile, 'utf8')).sessions.map(({ username }) => username),
      );
      for (const one of told) {
        const own = byUser.get(one.allocation.username) ?? [];
        expect(own.length).toBeLessThanOrEqual(1);
        expect(isWithin(recordSums(own), sumsOf([one.allocation]))).toBe(true);
        const isKnown = own.length === 1 || waiting.has(one.allocation.username);
        if (!isKnown) expect(mayBeUnknown(one, deaf), JSON.stringify({ one, deaf })).toBe(true);
      }
    }, 90_000);
  },
);

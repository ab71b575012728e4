import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import type { Exposition } from '../support/exposition.ts';
import { mountSmallDisk, type SmallDisk, whyNoSmallDisk } from '../support/full-disk.ts';
import { parseJsonObject, readJsonLines } from '../support/json-lines.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { countersOf, ScriptedCoturn, sumsOf } from '../support/scripted-coturn.ts';
import { until } from '../support/until.ts';

const skipReason = whyNoSmallDisk();
if (skipReason !== undefined) console.warn(`SKIPPED: full disks: ${skipReason}`);

interface Scene {
  readonly coturn: ScriptedCoturn;
  readonly redisPort: number;
  readonly disk: SmallDisk;
  readonly recordsFile: string;
  readonly stateFile: string;
}

async function openScene(): Promise<Scene> {
  const disk = await mountSmallDisk(onTestFinished);
  const redis = await startRedisServer(onTestFinished);
  const coturn = new ScriptedCoturn(onTestFinished, { port: redis.port });
  await coturn.connected();
  return {
    coturn,
    redisPort: redis.port,
    disk,
    recordsFile: join(disk.folder, 'records.jsonl'),
    stateFile: join(disk.folder, 'state'),
  };
}

function start(scene: Scene, args: readonly string[]): Promise<ExporterProcess> {
  return startExporter(onTestFinished, {
    args: ['--redis.url', `redis://127.0.0.1:${scene.redisPort}/0#redis`, ...args],
  });
}

/** A call of each of these users, from its begin to its end. */
function call(coturn: ScriptedCoturn, users: readonly string[]): void {
  for (const user of users) {
    const allocation = coturn.begin(user);
    coturn.relay(allocation, 10);
    coturn.end(allocation);
  }
}

function usersOf(records: ReadonlyArray<Record<string, unknown>>): unknown[] {
  return records.map((record) => record['username']);
}

function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

describe.skipIf(skipReason !== undefined)('a full disk under the records', () => {
  it('keeps them in memory, and has each once and in order when there is space', async () => {
    const scene = await openScene();
    const { coturn, disk, recordsFile } = scene;
    const exporter = await start(scene, ['--records.file', recordsFile]);
    const before = names('before', 5);
    const during = names('during', 30);
    const after = names('after', 5);
    call(coturn, before);
    await until(() => readJsonLines(recordsFile), {
      what: 'the first records',
      isDone: (records) => records.length === before.length,
    });
    disk.fill();
    call(coturn, during);
    const full = await exporter.untilMetrics(
      (metrics) => metrics.sum('coturn_exporter_records_total', { result: 'failed' }) > 0,
      { what: 'a record to fail' },
    );
    await exporter.untilMetrics(
      (metrics) => metrics.sum('coturn_sessions_finished_total') === before.length + during.length,
      { what: 'the sessions to finish' },
    );
    const waiting = await exporter.metrics();
    expect(full.sum('coturn_exporter_records_spilled_total')).toBe(0);
    const written = waiting.sum('coturn_exporter_records_total', { result: 'written' });
    // What was left of the last page takes a few.
    expect(waiting.sum('coturn_exporter_records_queued')).toBe(
      before.length + during.length - written,
    );
    expect(written).toBeLessThan(before.length + during.length);
    // The series of a user stay until its record is safe.
    expect(waiting.sum('coturn_exporter_users')).toBe(before.length + during.length - written);

    disk.free();
    call(coturn, after);
    const all = [...before, ...during, ...after];
    const safe = await exporter.untilMetrics(
      (metrics) =>
        metrics.sum('coturn_exporter_records_total', { result: 'written' }) === all.length,
      { what: 'all records to be written', timeoutMs: 15_000 },
    );
    expect(safe.sum('coturn_exporter_records_queued')).toBe(0);
    expect(safe.sum('coturn_exporter_users')).toBe(0);
    // Of those that failed each is counted once, however often it was tried.
    expect(safe.sum('coturn_exporter_records_total', { result: 'failed' })).toBeLessThanOrEqual(
      all.length - written,
    );
    await exporter.stop();
    expect(usersOf(readJsonLines(recordsFile))).toEqual(all);
    expect(exporter.process.stdout).toEqual([]);
  }, 60_000);

  it('sends to stderr at the exit what could not be written, and a later start mends the file', async () => {
    const scene = await openScene();
    const { coturn, disk, recordsFile } = scene;
    const exporter = await start(scene, ['--records.file', recordsFile]);
    disk.fill();
    const users = names('user', 30);
    call(coturn, users);
    await exporter.untilMetrics(
      (metrics) => metrics.sum('coturn_sessions_finished_total') === users.length,
      { what: 'the sessions to finish' },
    );
    expect(await exporter.stop()).toEqual({ code: 0, signal: null });
    const spilled = exporter.log.filter(({ event }) => event === 'session_finished');
    const whole = readFileSync(recordsFile, 'utf8')
      .split('\n')
      .map(parseJsonObject)
      .filter((record) => record !== undefined);
    expect(usersOf([...whole, ...spilled])).toEqual(users);
    expect(exporter.log).toContainEqual(
      expect.objectContaining({
        level: 'error',
        count: spilled.length,
        msg: 'records went to stderr, their destination took none',
      }),
    );

    disk.free();
    const next = await start(scene, ['--records.file', recordsFile]);
    call(coturn, ['later']);
    await next.untilMetrics(
      (metrics) => metrics.sum('coturn_exporter_records_total', { result: 'written' }) === 1,
      { what: 'a record' },
    );
    const lines = readFileSync(recordsFile, 'utf8').trimEnd().split('\n');
    expect(parseJsonObject(lines.at(-1) ?? '')).toMatchObject({ username: 'later' });
  }, 60_000);

  it('does not keep an exporter from starting', async () => {
    const scene = await openScene();
    const { coturn, disk, recordsFile, stateFile } = scene;
    const args = ['--records.file', recordsFile, '--state.file', stateFile];
    const first = await start(scene, args);
    const lasting = coturn.begin('lasting');
    coturn.relay(lasting, 1000);
    call(coturn, ['early']);
    await first.untilMetrics(
      (metrics) => metrics.sum('coturn_exporter_records_total', { result: 'written' }) === 1,
      { what: 'a record' },
    );
    await first.stop();
    // A line that a killed process had begun is on the disk too.
    appendFileSync(recordsFile, '{"level":"info","ti');
    disk.fill();
    const second = await start(scene, args);
    coturn.end(lasting);
    await second.untilMetrics((metrics) => metrics.sum('coturn_sessions_finished_total') === 1, {
      what: 'the session to finish',
    });
    disk.free();
    const records = await until(
      () =>
        readFileSync(recordsFile, 'utf8')
          .split('\n')
          .map(parseJsonObject)
          .filter((record) => record !== undefined),
      { what: 'its record', isDone: (found) => found.length === 2, timeoutMs: 15_000 },
    );
    expect(records[1]).toMatchObject({ username: 'lasting', start_known: true, complete: true });
  }, 60_000);
});

describe.skipIf(skipReason !== undefined)('a full disk under the state', () => {
  it('leaves the last whole state there, says so, and saves again when there is space', async () => {
    const scene = await openScene();
    const { coturn, disk, recordsFile, stateFile } = scene;
    const args = ['--state.file', stateFile, '--state.interval', '1s'];
    const first = await start(scene, args);
    const allocation = coturn.begin('alice');
    coturn.relay(allocation, 1000);
    const saves = (result: string) => (metrics: Exposition) =>
      metrics.sum('coturn_exporter_state_saves_total', { result });
    await until(() => (existsSync(stateFile) ? readFileSync(stateFile, 'utf8') : ''), {
      what: 'alice to be saved',
      isDone: (text) => text.includes('"alice"'),
    });
    disk.fill();
    // More than a page of state, so that none of it fits any more.
    const crowd = names('crowd', 20).map((user) => coturn.begin(user));
    const failed = await first.untilMetrics((metrics) => saves('failed')(metrics) >= 2, {
      what: 'saving to fail',
    });
    expect(readFileSync(stateFile, 'utf8')).toContain('"alice"');
    expect(readFileSync(stateFile, 'utf8')).toMatch(/\n\{"end":\d+\}\n$/);
    expect(first.log.filter(({ msg }) => /^state cannot be saved/.test(String(msg)))).toHaveLength(
      1,
    );
    disk.free();
    await first.untilMetrics((metrics) => saves('saved')(metrics) > saves('saved')(failed), {
      what: 'saving to work again',
    });
    const before = await first.metrics();
    first.process.kill('SIGKILL');
    await first.process.exited;
    const second = await start(scene, [...args, '--records.file', recordsFile]);
    await second.untilMetrics((metrics) => metrics.sum('coturn_exporter_users') === 21, {
      what: 'the sessions to go on',
    });
    for (const one of [allocation, ...crowd]) {
      coturn.relay(one, 5);
      coturn.end(one);
    }
    const records = await until(() => readJsonLines(recordsFile), {
      what: 'their records',
      isDone: (found) => found.length === 21,
    });
    expect(records.every((record) => record['start_known'] === true)).toBe(true);
    expect(countersOf([before, await second.metrics()])).toEqual(sumsOf([allocation, ...crowd]));
  }, 60_000);
});

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createCleanup, type Defer } from '../support/cleanup.ts';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import { type Exposition, parseExposition } from '../support/exposition.ts';
import { parseJsonObject, type RecordLine } from '../support/json-lines.ts';
import { claimPorts } from '../support/port-block.ts';
import { PROGRAM } from '../support/program.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { countersOf, recordSums } from '../support/scripted-coturn.ts';
import { startStatsTee } from '../support/stats-tee.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { TestProcess } from '../support/test-process.ts';
import { runTurnClient } from '../support/turn-client.ts';
import { restCredentials } from '../support/turn-rest.ts';
import { startTurnServer } from '../support/turn-server.ts';
import { until } from '../support/until.ts';

const REALM = 'example.org';
/** Traffic without an allocation waits ten seconds for proof of one. */
const SETTLED_MS = 11_000;
const SECRET = 'north-west-passage';
const USER = 'wonderland-alice';

const cleanup = createCleanup();
/** What was recorded of the same calls, by how. */
const recordings = new Map<string, string>();
let exporter: ExporterProcess;
let metrics: Exposition;
let redisUrl: string;

function run(defer: Defer, args: readonly string[]): TestProcess {
  return new TestProcess(defer, { command: PROGRAM.command, args: [...PROGRAM.args, ...args] });
}

/** A recorder of the built program that hears already. */
async function startRecorder(defer: Defer, args: readonly string[]): Promise<TestProcess> {
  const recorder = run(defer, ['record', ...args]);
  await until(() => recorder.stderr, {
    what: 'a recorder to hear',
    isDone: (lines) => lines.some((line) => /subscribed|listens/.test(line)),
    show: () => recorder.describe(),
  });
  return recorder;
}

beforeAll(async () => {
  const { defer } = cleanup;
  const folder = createTempFolder(defer);
  const redis = await startRedisServer(defer);
  redisUrl = `redis://127.0.0.1:${redis.port}/0`;
  const { first: statsdb } = await claimPorts(defer);
  const hears = {
    redis: ['--redis.url', redisUrl],
    statsdb: ['--statsdb.listen-address', `127.0.0.1:${statsdb}`],
    hidden: ['--redis.url', redisUrl, '--hide-names'],
  };
  const started = Object.entries(hears).map(
    async ([name, args]) => [name, await startRecorder(defer, args)] as const,
  );
  exporter = await startExporter(defer, { args: ['--redis.url', redisUrl] });
  const recorders = await Promise.all(started);
  const server = await startTurnServer(defer, {
    realm: REALM,
    authSecret: SECRET,
    maxAllocateLifetime: 12,
    statsdb: { port: await startStatsTee(defer, { redis: redis.port, statsdb }), database: 0 },
  });
  const { username, credential: password } = restCredentials(USER, { secret: SECRET });
  const client = { server, username, password };
  await runTurnClient(defer, { ...client, messages: 300, transport: 'tcp' });
  await runTurnClient(defer, { ...client, password: 'wrong', transport: 'tcp' });
  await exporter.untilMetrics(
    (scrape) =>
      scrape.sum('coturn_sessions_finished_total') > 0 &&
      scrape.sum('coturn_sessions') === 0 &&
      scrape.sum('coturn_unallocated_received_bytes_total') > 0,
    { what: 'the calls to be over', timeoutMs: 30_000 },
  );
  for (const [, recorder] of recorders) {
    await until(() => silenceMs(recorder), {
      what: 'what was recorded last to be settled',
      isDone: (ms) => ms > SETTLED_MS,
      show: (ms) => `${ms} ${recorder.describe()}`,
    });
  }
  metrics = await exporter.metrics();
  for (const [name, recorder] of recorders) {
    recorder.kill('SIGINT');
    expect(await recorder.exited, recorder.describe()).toEqual({ code: 0, signal: null });
    const file = join(folder, `${name}.jsonl`);
    writeFileSync(file, `${recorder.stdout.join('\n')}\n`);
    recordings.set(name, file);
  }
}, 90_000);

afterAll(() => cleanup.run());

/** For how long nothing has come but keepalives. */
function silenceMs({ stdout }: TestProcess): number {
  const [first = ''] = stdout;
  const last = stdout.findLast((line) => line.includes('"channel":"turn/')) ?? '';
  const startMs = Date.parse(String(parseJsonObject(first)?.['start']));
  return Date.now() - startMs - Number(parseJsonObject(last)?.['t']);
}

function fileOf(name: string): string {
  return recordings.get(name) ?? name;
}

async function replay(defer: Defer, args: readonly string[]): Promise<string[]> {
  const process = run(defer, ['replay', ...args]);
  expect(await process.exited, process.describe()).toEqual({ code: 0, signal: null });
  return process.stdout;
}

function recordsIn(lines: readonly string[]): RecordLine[] {
  return lines.map(parseJsonObject).filter((record) => record !== undefined);
}

describe('what was recorded of a real coturn', () => {
  it.each(['redis', 'statsdb', 'hidden'])(
    'by %s replays to the records of an exporter',
    async (name) => {
      const lines = await replay(onTestFinished, [fileOf(name)]);
      expect(recordSums(recordsIn(lines))).toEqual(recordSums(exporter.records));
      expect(recordsIn(lines).map(({ reason }) => reason)).toEqual(
        exporter.records.map(({ reason }) => reason),
      );
    },
  );

  it.each(['redis', 'statsdb'])('by %s replays to the metrics of an exporter', async (name) => {
    const lines = await replay(onTestFinished, [
      '--metrics',
      '--session.linger=500ms',
      fileOf(name),
    ]);
    const replayed = parseExposition(`${lines.join('\n')}\n`);
    expect(countersOf([replayed], { realm: REALM })).toEqual(
      countersOf([metrics], { realm: REALM }),
    );
    for (const family of [
      'coturn_unallocated_received_bytes_total',
      'coturn_sessions_finished_total',
    ]) {
      expect(replayed.sum(family)).toBe(metrics.sum(family));
    }
  });

  it('tells when it began and who recorded it, and packs like any file', async () => {
    const file = `${fileOf('redis')}.gz`;
    writeFileSync(file, gzipSync(readFileSync(fileOf('redis'))));
    const process = run(onTestFinished, ['replay', '--session.group-by', 'allocation', file]);
    await process.exited;
    expect(process.stdout.length).toBeGreaterThan(exporter.records.length);
    const [first = '', second = ''] = process.stderr;
    expect(first).toMatch(/^Recorded by coturn-exporter \S+ from 20\S+Z$/);
    expect(second).toMatch(
      /^Source 127\.0\.0\.1:\d+\/0: new \d+, refreshed \d+, deleted \d+, traffic \d+/,
    );
  });

  it('has no name and no address in it when they are hidden', () => {
    const text = readFileSync(fileOf('hidden'), 'utf8');
    expect(text).toMatch(/\/user\/\d{10}:user-/);
    expect(text).not.toMatch(/wonderland|example\.org/);
    expect(text).not.toContain(new URL(redisUrl).host);
  });
});

describe('record', () => {
  it('ends after so many messages, and with whoever reads it', async () => {
    const messages = readFileSync(fileOf('redis'), 'utf8').split('\n').length;
    expect(messages).toBeGreaterThan(10);
    const recorder = await startRecorder(onTestFinished, ['--redis.url', redisUrl, '--messages=2']);
    const simulator = run(onTestFinished, ['simulate', '--target', redisUrl, '--duration=30s']);
    expect(await recorder.exited).toEqual({ code: 0, signal: null });
    await simulator.stop();
    const heard = recorder.stdout.filter((line) => line.includes('"message"'));
    expect(heard.filter((line) => !line.includes('scan_key'))).toHaveLength(2);
    expect(recorder.stderr.at(-1)).toBe('Recorded 2 messages');
  });

  it('says where to look when nothing came', async () => {
    const recorder = run(onTestFinished, [
      'record',
      '--redis.url',
      'redis://127.0.0.1:1/',
      '--for=1s',
    ]);
    expect(await recorder.exited).toEqual({ code: 1, signal: null });
    expect(recorder.stderr.slice(-2)).toEqual([
      'Recorded 0 messages',
      'Why none came: coturn-exporter doctor',
    ]);
  });

  it('says what to do where an exporter listens already', async () => {
    const { first } = await claimPorts(onTestFinished);
    const address = ['--statsdb.listen-address', `127.0.0.1:${first}`];
    await startExporter(onTestFinished, { args: address });
    const recorder = run(onTestFinished, ['record', ...address]);
    expect(await recorder.exited).toEqual({ code: 1, signal: null });
    expect(recorder.stderr.at(-1)).toMatch(
      /the address is in use.*Where an exporter listens, stop it/,
    );
  });
});

describe('replay', () => {
  it.each([
    [['replay'], 2, 'Missing FILE'],
    [['replay', '/nowhere/x'], 1, 'Cannot replay /nowhere/x: ENOENT'],
    [['replay', 'package.json'], 1, 'Cannot replay package.json: line 1: expected a line of JSON'],
    [['replay', '--redis.url=redis://h', 'x'], 2, 'Unknown flag'],
  ])('%j ends with %i', async (args, code, message) => {
    expect(existsSync('package.json')).toBe(true);
    const process = run(onTestFinished, args);
    expect(await process.exited).toEqual({ code, signal: null });
    expect(process.stderr.join('\n')).toContain(message);
  });
});

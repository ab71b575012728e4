import { once } from 'node:events';
import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseCommandLine } from '../../../src/config/command-line.ts';
import type { HostPort } from '../../../src/config/values.ts';
import { createExporter, type Exporter, StartError } from '../../../src/exporter.ts';
import { type Exposition, parseExposition } from '../../support/exposition.ts';
import { readJsonLines } from '../../support/json-lines.ts';
import { connectStatsPublisher } from '../../support/stats-publisher.ts';
import { createTempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';
import { BUILD } from '../metrics/scrape.ts';

const STATSDB = ['--statsdb.listen-address', '127.0.0.1:0'];
const ALLOCATION = { realm: 'example.org', username: 'alice', id: '001000000000000001' };

interface Scene {
  readonly exporter: Exporter;
  readonly log: string[];
  readonly spilled: string[];
  readonly recordFile: string;
}

interface SceneOptions {
  readonly web?: string;
  readonly recordFile?: string;
}

async function createScene(argv: readonly string[], options: SceneOptions = {}): Promise<Scene> {
  const recordFile = options.recordFile ?? join(createTempFolder(onTestFinished), 'records.jsonl');
  const web = options.web ?? '127.0.0.1:0';
  const args = ['--web.listen-address', web, '--records.file', recordFile, ...argv];
  const command = parseCommandLine(args, {});
  if (command.kind !== 'run') throw new Error('Not a command line that runs');
  const log: string[] = [];
  const spilled: string[] = [];
  const exporter = await createExporter(command.config, {
    log: pino({ level: 'trace' }, { write: (line: string) => void log.push(line) }),
    build: BUILD,
    spill: (line) => void spilled.push(line.toString()),
  });
  onTestFinished(() => exporter.stop());
  return { exporter, log, spilled, recordFile };
}

/** A port of 127.0.0.1 that somebody listens on. */
async function takenPort(): Promise<number> {
  const server = createServer();
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port');
  return address.port;
}

/** A port of 127.0.0.1 that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No port');
  return address.port;
}

async function get(web: string, path: string): Promise<{ status: number; text: string }> {
  const reply = await fetch(`${web}${path}`, { headers: { connection: 'close' } });
  return { status: reply.status, text: await reply.text() };
}

async function metricsOf(web: string): Promise<Exposition> {
  return parseExposition((await get(web, '/metrics')).text);
}

function portOf([address]: readonly HostPort[]): number {
  if (address === undefined) throw new Error('No statsdb');
  return address.port;
}

async function failureOf(exporter: Exporter): Promise<Error> {
  const failure: unknown = await exporter.start().then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(StartError);
  if (!(failure instanceof StartError)) throw new Error('Started');
  expect(failure.message).not.toContain('\n');
  expect(failure.cause).toBeInstanceOf(Error);
  return failure;
}

describe('createExporter', () => {
  it('starts while Redis is away: metrics are there, readiness is not', async () => {
    const port = await freePort();
    const { exporter } = await createScene(['--redis.url', `redis://127.0.0.1:${port}#main`]);
    const { web, statsdb } = await exporter.start();
    expect(web).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
    expect(statsdb).toEqual([]);
    expect((await metricsOf(web)).value('coturn_up', { source: 'main' })).toBe(0);
    const ready = await until(() => get(web, '/readyz'), {
      what: 'the reason',
      isDone: ({ text }) => text.includes('connection refused'),
    });
    expect(ready.status).toBe(503);
    expect(ready.text).toContain('not ready: main: ');
    expect((await get(web, '/livez')).status).toBe(200);
  });

  it('takes messages over the embedded statsdb and writes a record at the end', async () => {
    const { exporter, recordFile, spilled } = await createScene([
      '--session.linger',
      '0s',
      ...STATSDB,
    ]);
    const { web, statsdb } = await exporter.start();
    const publisher = connectStatsPublisher(onTestFinished, { port: portOf(statsdb), database: 0 });
    await publisher.begin(ALLOCATION);
    await publisher.relay(ALLOCATION, 1_234);
    const metrics = await metricsOf(web);
    expect(metrics.sum('coturn_client_received_bytes_total')).toBe(1_234);
    expect(metrics.value('coturn_user_sessions', { user: 'alice' })).toBe(1);
    expect((await get(web, '/drain')).text).toBe('1\n');
    expect((await get(web, '/readyz')).status).toBe(200);
    await publisher.end(ALLOCATION);
    const [record] = await until(() => readJsonLines(recordFile), {
      what: 'the record',
      isDone: (records) => records.length > 0,
    });
    expect(record).toMatchObject({ reason: 'deleted', user: 'alice', received_bytes: 1_234 });
    expect(spilled).toEqual([]);
  });

  it('writes what lives with reason shutdown when it stops', async () => {
    const { exporter, recordFile } = await createScene(STATSDB);
    const { web, statsdb } = await exporter.start();
    const publisher = connectStatsPublisher(onTestFinished, { port: portOf(statsdb), database: 0 });
    await publisher.begin(ALLOCATION);
    await publisher.relay(ALLOCATION, 500);
    await exporter.stop();
    expect(readJsonLines(recordFile)).toMatchObject([{ reason: 'shutdown', received_bytes: 500 }]);
    await expect(get(web, '/livez')).rejects.toThrow('fetch failed');
  });

  it('writes later records to a new file once it is told to reopen', async () => {
    const { exporter, recordFile } = await createScene(['--session.linger', '0s', ...STATSDB]);
    const { statsdb } = await exporter.start();
    const publisher = connectStatsPublisher(onTestFinished, { port: portOf(statsdb), database: 0 });
    const finish = async (username: string, file: string): Promise<unknown> => {
      await publisher.begin({ ...ALLOCATION, username });
      await publisher.end({ ...ALLOCATION, username });
      const records = await until(() => readJsonLines(file), {
        what: `the record of ${username}`,
        isDone: (lines) => lines.length > 0,
      });
      return records.map((record) => record['user']);
    };
    expect(await finish('alice', recordFile)).toEqual(['alice']);
    renameSync(recordFile, `${recordFile}.1`);
    exporter.reopenRecords();
    expect(await finish('bob', recordFile)).toEqual(['bob']);
    expect(readFileSync(`${recordFile}.1`, 'utf8').split('\n')).toHaveLength(2);
  });

  it('shows no metric of users with --user.label none', async () => {
    const { exporter } = await createScene(['--user.label', 'none', ...STATSDB]);
    const { web, statsdb } = await exporter.start();
    const publisher = connectStatsPublisher(onTestFinished, { port: portOf(statsdb), database: 0 });
    await publisher.begin(ALLOCATION);
    const { text } = await get(web, '/metrics');
    expect(text).not.toContain('coturn_user_');
    expect(parseExposition(text).value('coturn_exporter_users')).toBe(1);
  });

  it('keeps the caps of its configuration', async () => {
    const { exporter } = await createScene([
      ...['--user.max-series', '1', '--realm.max-series', '1'],
      ...STATSDB,
    ]);
    const { web, statsdb } = await exporter.start();
    const publisher = connectStatsPublisher(onTestFinished, { port: portOf(statsdb), database: 0 });
    for (const name of ['a', 'b', 'c']) {
      await publisher.begin({ ...ALLOCATION, realm: name, username: name });
    }
    const metrics = await metricsOf(web);
    expect(metrics.value('coturn_exporter_user_series_limit')).toBe(1);
    expect(metrics.sum('coturn_sessions', { realm: '~other' })).toBe(2);
    expect(metrics.value('coturn_user_sessions', { realm: 'a', user: 'a' })).toBe(1);
    expect(metrics.value('coturn_user_sessions', { realm: '~other', user: '~other' })).toBe(2);
  });

  it('serves the telemetry path that it is told', async () => {
    const args = ['--web.telemetry-path', '/turn/metrics'];
    const { exporter } = await createScene([...args, ...STATSDB]);
    const { web } = await exporter.start();
    expect((await get(web, '/turn/metrics')).status).toBe(200);
    expect((await get(web, '/metrics')).status).toBe(404);
  });

  it.each(['/livez', '/drain'])(
    'does not come to be with the telemetry path %s, which is its own',
    async (path) => {
      await expect(createScene(['--web.telemetry-path', path, ...STATSDB])).rejects.toThrow(
        `Cannot parse --web.telemetry-path "${path}"`,
      );
    },
  );
});

describe('the landing page of an exporter', () => {
  it('tells each way to connect a coturn, without passwords', async () => {
    const port = await freePort();
    const { exporter } = await createScene([
      '--redis.url',
      `redis://:hush@127.0.0.1:${port}/2#main`,
      ...STATSDB,
    ]);
    const { web, statsdb } = await exporter.start();
    const { text } = await get(web, '/');
    const lines = Array.from(
      text.matchAll(/<code>redis-statsdb=&quot;(.*?)&quot;/g),
      ([, at]) => at,
    );
    expect(lines).toEqual([
      `ip=127.0.0.1 dbname=2 port=${port} password=…`,
      `ip=127.0.0.1 port=${portOf(statsdb)}`,
    ]);
    expect(text).not.toContain('hush');
  });
});

describe('Exporter.start', () => {
  it('names flag, address and reason when the HTTP port is taken', async () => {
    const port = await takenPort();
    const { exporter } = await createScene(STATSDB, { web: `127.0.0.1:${port}` });
    const { message } = await failureOf(exporter);
    expect(message).toBe(
      `Cannot listen on --web.listen-address "127.0.0.1:${port}": expected an address and a port that are free (EADDRINUSE)`,
    );
  });

  it('names the address and the reason when the port of the statsdb is taken', async () => {
    const port = await takenPort();
    const { exporter } = await createScene(['--statsdb.listen-address', `127.0.0.1:${port}`]);
    const { message } = await failureOf(exporter);
    expect(message).toContain(`127.0.0.1:${port}`);
    expect(message).toContain('in use');
  });

  it('names the flag when the port of the statsdb is taken', async () => {
    const port = await takenPort();
    const { exporter } = await createScene(['--statsdb.listen-address', `127.0.0.1:${port}`]);
    expect((await failureOf(exporter)).message).toContain('--statsdb.listen-address');
  });

  it.each([
    ['is a folder', '', 'EISDIR'],
    ['is in a folder that does not exist', 'none/records.jsonl', 'ENOENT'],
  ])('names flag, path and reason when the record file %s', async (_, name, code) => {
    const folder = createTempFolder(onTestFinished);
    const recordFile = join(folder, 'records', name);
    mkdirSync(join(folder, 'records'));
    const { exporter } = await createScene(STATSDB, { recordFile });
    const { message } = await failureOf(exporter);
    expect(message).toBe(
      `Cannot open --records.file "${recordFile}": expected a file that can be written (${code})`,
    );
  });

  it('opens no port when the record file cannot be opened', async () => {
    const port = await freePort();
    const recordFile = createTempFolder(onTestFinished);
    const { exporter } = await createScene(STATSDB, { web: `127.0.0.1:${port}`, recordFile });
    await failureOf(exporter);
    await expect(get(`http://127.0.0.1:${port}`, '/livez')).rejects.toThrow('fetch failed');
  });

  it('can be stopped after it failed', async () => {
    const port = await takenPort();
    const { exporter } = await createScene(['--statsdb.listen-address', `127.0.0.1:${port}`]);
    await failureOf(exporter);
    await exporter.stop();
    await exporter.stop();
  });
});

describe('Exporter.stop', () => {
  it('is safe before start', async () => {
    const { exporter, log, spilled } = await createScene(STATSDB);
    await exporter.stop();
    await exporter.stop();
    expect(log).toEqual([]);
    expect(spilled).toEqual([]);
  });

  it('is safe twice, also at once', async () => {
    const { exporter } = await createScene(STATSDB);
    const { web } = await exporter.start();
    await Promise.all([exporter.stop(), exporter.stop()]);
    await exporter.stop();
    await expect(get(web, '/livez')).rejects.toThrow('fetch failed');
  });

  it('does not wait for a client that keeps its connection', async () => {
    const { exporter } = await createScene(STATSDB);
    const { web } = await exporter.start();
    const reply = await fetch(`${web}/livez`);
    expect(await reply.text()).toBe('ok\n');
    await exporter.stop();
  });

  it('gives up attempts to reach a Redis, without a word about it', async () => {
    const port = await freePort();
    const { exporter, log } = await createScene(['--redis.url', `redis://127.0.0.1:${port}#main`]);
    await exporter.start();
    await until(() => log.length, { what: 'a first failure', isDone: (count) => count > 0 });
    await exporter.stop();
    const told = log.length;
    await new Promise((resolve) => setImmediate(resolve));
    expect(log.slice(told)).toEqual([]);
  });

  it('closes the embedded statsdb', async () => {
    const { exporter } = await createScene(STATSDB);
    const { statsdb } = await exporter.start();
    await exporter.stop();
    const redis = new Redis({
      port: portOf(statsdb),
      host: '127.0.0.1',
      lazyConnect: true,
      retryStrategy: () => null,
    });
    redis.on('error', () => undefined);
    await expect(redis.connect()).rejects.toThrow('Connection is closed');
    redis.disconnect();
  });
});

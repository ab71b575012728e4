import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import bcryptjs from 'bcryptjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { encodePair } from '../../src/simulator/wire.ts';
import { allocationKey, payloadOf, statusOf, traffic } from '../support/coturn-message.ts';
import { Crowd } from '../support/crowd.ts';
import { type ExporterProcess, launchExporter } from '../support/exporter-process.ts';
import { parseExposition } from '../support/exposition.ts';
import { claimPorts } from '../support/port-block.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { TestProcess } from '../support/test-process.ts';

const REALMS = 201;
const USERS = 1_000;
/** For a machine that has time; where others keep it busy, everybody waits for a turn. */
const MAX_LIVEZ_MS = 250;
const MAX_GROWTH_BYTES = 150 * 1024 * 1024;
const MAX_STOP_MS = 5_000;
/** Sessions that live, and end, at once; half a million were tried by hand. */
const CROWD = 50_000;
const SCRAPE = 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n';

interface Victim {
  readonly exporter: ExporterProcess;
  readonly port: number;
  /** Attacks, and asserts what has to hold meanwhile and afterwards. */
  survive(attack: () => Promise<void>): Promise<void>;
}

/** An exporter with many realms and users, and a coturn that goes on reporting. */
async function startVictim(args: readonly string[] = []): Promise<Victim> {
  const { first: statsdb } = await claimPorts(onTestFinished);
  const exporter = launchExporter(onTestFinished, {
    args: ['--statsdb.listen-address', `127.0.0.1:${statsdb}`, ...args],
  });
  await exporter.listening();
  const port = Number(new URL(exporter.address).port);
  const coturn = connect(statsdb, '127.0.0.1');
  onTestFinished(() => void coturn.destroy());
  coturn.resume();
  await once(coturn, 'connect');
  const keys = Array.from({ length: USERS }, (_, user) =>
    allocationKey(`user-${user}`, String(user + 1).padStart(18, '0'), `realm-${user % REALMS}`),
  );
  for (const key of keys) {
    const status = statusOf('new', { local: '192.0.2.1:3478', remote: '203.0.113.7:50000' });
    coturn.write(encodePair('publish', `${key}/status`, status));
  }
  await untilCounted(port, 'coturn_allocations', USERS);
  return {
    exporter,
    port,
    survive: (attack) => survive({ exporter, port, coturn, keys }, attack),
  };
}

interface Field {
  readonly exporter: ExporterProcess;
  readonly port: number;
  readonly coturn: Socket;
  readonly keys: readonly string[];
}

async function survive(field: Field, attack: () => Promise<void>): Promise<void> {
  const { exporter, port } = field;
  const rssBefore = exporter.residentBytes;
  let isOver = false;
  const bytes = report(field, () => isOver);
  const slowest = probe(port, () => isOver);
  await attack();
  isOver = true;
  const sent = await bytes;
  expect(await slowest).toBeLessThan(maxLivezMs());
  expect(exporter.residentBytes - rssBefore).toBeLessThan(MAX_GROWTH_BYTES);
  await untilCounted(port, 'coturn_client_received_bytes_total', sent);
  const begin = performance.now();
  const { code } = await exporter.stop();
  expect(code).toBe(0);
  expect(performance.now() - begin).toBeLessThan(MAX_STOP_MS);
}

/** Reports traffic until it is over; gives how many bytes it told of. */
async function report({ coturn, keys }: Field, isOver: () => boolean): Promise<number> {
  let sent = 0;
  while (!isOver()) {
    for (const key of keys.slice(0, 100)) {
      coturn.write(encodePair('publish', `${key}/traffic`, payloadOf(traffic(1, 1000, 1, 1000))));
      sent += 1000;
    }
    await turn(10);
  }
  return sent;
}

function maxLivezMs(): number {
  const [load = 0] = loadavg();
  return MAX_LIVEZ_MS * Math.max(1, load / availableParallelism());
}

/** Asks for health again and again, and prints the longest that an answer took, in ms. */
const PROBE = `
const { Agent, get } = require('node:http');
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
let slowest = 0;
function probe() {
  const begin = performance.now();
  let isDone = false;
  const done = () => {
    // An answer can end and its connection fail.
    if (isDone) return;
    isDone = true;
    const took = performance.now() - begin;
    if (took > slowest) console.log((slowest = took));
    setTimeout(probe, 5);
  };
  get({ host: '127.0.0.1', port: process.argv[1], path: '/livez', agent }, (answer) => {
    answer.resume();
    answer.on('end', done);
  }).on('error', done);
}
probe();
`;

/** The longest that an answer of `/livez` took until it was over, in ms. */
async function probe(port: number, isOver: () => boolean): Promise<number> {
  // A process of its own, which is not late when this one is.
  const prober = new TestProcess(onTestFinished, {
    command: process.execPath,
    args: ['-e', PROBE, String(port)],
  });
  while (!isOver() || prober.stdout.length === 0) await turn(20);
  await prober.stop();
  return Number(prober.stdout.at(-1));
}

function ask(port: number, path: string, agent?: Agent): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path, agent }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(pieces).toString() }),
      );
    });
    request.on('error', reject);
  });
}

async function untilCounted(port: number, name: string, expected: number): Promise<void> {
  for (const end = performance.now() + 30_000; ; ) {
    const { status, text } = await ask(port, '/metrics').catch(() => ({ status: 0, text: '' }));
    const sum = status === 200 ? parseExposition(text).sum(name) : Number.NaN;
    if (sum === expected) return;
    if (performance.now() > end) throw new Error(`${name} is ${sum}, not ${expected}`);
    await turn(50);
  }
}

function turn(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

function untilDrained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('drain', resolve);
    socket.once('close', () => resolve());
  });
}

describe('the HTTP server under attack', () => {
  it('survives 2,000 scrapes in one write', async () => {
    const { port, survive: survives } = await startVictim();
    await survives(async () => {
      for (let time = 0; time < 5; time += 1) {
        const socket = await open(port);
        socket.resume();
        socket.write(SCRAPE.repeat(2_000));
        await once(socket, 'close');
      }
    });
  });

  it('survives 500 scrapes that nobody reads', async () => {
    const { port, survive: survives } = await startVictim();
    await survives(async () => {
      for (let count = 0; count < 500; count += 1) {
        (await open(port)).pause().write(SCRAPE);
      }
      await turn(2_000);
    });
  });

  it('answers 100 scrapes at the same time', async () => {
    const { port, survive: survives } = await startVictim();
    await survives(async () => {
      for (let time = 0; time < 3; time += 1) {
        const asked = Array.from({ length: 100 }, () => readStatus(port, '/metrics'));
        const refused = (await Promise.all(asked)).filter((status) => status !== 200);
        expect(refused.length).toBeLessThanOrEqual(60);
        for (const status of refused) expect(status).toBe(503);
      }
    });
  });

  it('survives a body without end, and requests without end', async () => {
    const { port, survive: survives } = await startVictim();
    await survives(async () => {
      const sockets = await Promise.all(Array.from({ length: 200 }, () => open(port)));
      for (const socket of sockets) socket.write('GET /metrics HTTP/1.1\r\nX-');
      const sender = await open(port);
      const piece = Buffer.from(`10000\r\n${'x'.repeat(65_536)}\r\n`);
      sender.write('POST /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
      for (let count = 0; count < 2_000 && !sender.destroyed; count += 1) {
        if (!sender.write(piece)) await Promise.race([untilDrained(sender), turn(1_000)]);
      }
      expect(sender.bytesWritten).toBeLessThan(32 * 1024 * 1024);
    });
  });

  it('survives a flood of guesses', async () => {
    const folder = createTempFolder(onTestFinished);
    const file = join(folder, 'web.yml');
    // As slow to check as an operator would have it.
    writeFileSync(file, `basic_auth_users:\n  alice: ${bcryptjs.hashSync('secret', 10)}\n`);
    const { exporter } = await startGuarded(file);
    const port = Number(new URL(exporter.address).port);
    let isOver = false;
    const slowest = probe(port, () => isOver);
    const end = performance.now() + 5_000;
    const guesses = Array.from({ length: 50 }, async (_, who) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (let count = 0; performance.now() < end; count += 1) {
        const status = await login(port, `alice:${who}-${count}`, agent);
        expect([401, 503]).toContain(status);
      }
      agent.destroy();
    });
    await Promise.all(guesses);
    isOver = true;
    expect(await slowest).toBeLessThan(maxLivezMs());
    const begin = performance.now();
    await exporter.stop();
    expect(performance.now() - begin).toBeLessThan(MAX_STOP_MS);
  });
});

describe('a scrape', { retry: 2 }, () => {
  it('comes before a backlog of ends', async () => {
    const { first: statsdb } = await claimPorts(onTestFinished);
    const folder = createTempFolder(onTestFinished);
    const exporter = launchExporter(onTestFinished, {
      args: [
        ...['--statsdb.listen-address', `127.0.0.1:${statsdb}`],
        ...['--records.file', join(folder, 'records.jsonl'), '--user.max-series', '1000000'],
      ],
    });
    await exporter.listening();
    const port = Number(new URL(exporter.address).port);
    const crowd = await Crowd.connect(onTestFinished, statsdb);
    await crowd.begin(CROWD);
    await untilCounted(port, 'coturn_allocations', CROWD);
    const [atRest] = await timed(() => ask(port, '/metrics'));
    await crowd.end(CROWD);
    await untilCounted(port, 'coturn_allocations', 0);
    let isOver = false;
    const slowest = probe(port, () => isOver);
    // All of them wait for their record now, and a scrape has as much to show as before.
    for (let scrapes = 0; ; scrapes += 1) {
      const [tookMs, { text }] = await timed(() => ask(port, '/metrics'));
      const users = parseExposition(text).value('coturn_exporter_users');
      if (users === 0) break;
      expect(tookMs, `with ${users} users, after ${scrapes} scrapes`).toBeLessThan(
        3 * atRest + maxLivezMs(),
      );
      await turn(200);
    }
    isOver = true;
    expect(await slowest).toBeLessThan(maxLivezMs());
    await exporter.stop();
  }, 180_000);

  it('holds up nobody where few users have very many allocations', async () => {
    const { first: statsdb } = await claimPorts(onTestFinished);
    const exporter = launchExporter(onTestFinished, {
      args: ['--statsdb.listen-address', `127.0.0.1:${statsdb}`, '--user.max-series', '1000000'],
    });
    await exporter.listening();
    const port = Number(new URL(exporter.address).port);
    const crowd = await Crowd.connect(onTestFinished, statsdb);
    await crowd.begin(CROWD, { users: 5 });
    await untilCounted(port, 'coturn_allocations', CROWD);
    let isOver = false;
    const slowest = probe(port, () => isOver);
    for (let scrapes = 0; scrapes < 20; scrapes += 1) {
      expect((await ask(port, '/metrics')).status).toBe(200);
    }
    isOver = true;
    expect(await slowest).toBeLessThan(maxLivezMs());
    await exporter.stop();
  }, 180_000);
});

async function timed<T>(work: () => Promise<T>): Promise<[ms: number, result: T]> {
  const begin = performance.now();
  const result = await work();
  return [performance.now() - begin, result];
}

/** Reads an answer to its end and keeps nothing of it. */
function readStatus(port: number, path: string): Promise<number> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode ?? 0));
    });
    request.on('error', () => resolve(0));
  });
}

async function startGuarded(file: string): Promise<{ exporter: ExporterProcess }> {
  const guard = ['--web.config.file', file, '--web.probes-unauthenticated'];
  const exporter = launchExporter(onTestFinished, {
    args: ['--statsdb.listen-address', '127.0.0.1:0', ...guard],
  });
  await exporter.listening();
  return { exporter };
}

function login(port: number, auth: string, agent: Agent): Promise<number> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/', auth, agent }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode ?? 0));
    });
    request.on('error', () => resolve(503));
  });
}

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCleanup, type Defer } from '../support/cleanup.ts';
import { allocationKey, statusOf } from '../support/coturn-message.ts';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { runTurnClient } from '../support/turn-client.ts';
import { startTurnServer } from '../support/turn-server.ts';
import { until } from '../support/until.ts';

// What the built program must keep to, whatever a peer of the statsdb does.
const MAX_ANSWER_MS = 250;
const MAX_GROWTH_BYTES = 150 * 1024 * 1024;
const MAX_STOP_MS = 5_000;

/** The port that the log names. */
function statsdbPort(exporter: ExporterProcess): number {
  return Number(exporter.log.find(({ msg }) => msg === 'statsdb listens')?.['port']);
}

/** Connects as many times as told, and says nothing unless told to. */
async function crowd(
  defer: Defer,
  { port, count, says = '' }: { port: number; count: number; says?: string },
): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => {
    const socket = connect({ host: '127.0.0.1', port }).on('error', () => undefined);
    socket.resume();
    if (says !== '') socket.write(says);
    defer(() => void socket.destroy());
    return socket;
  });
  await Promise.all(sockets.map((socket) => once(socket, 'connect').catch(() => undefined)));
  return sockets;
}

/**
 * By how much `/livez` was slower than that of an exporter that nobody attacks, at the worst, while
 * `work` went on: what the rest of the machine does slows both.
 */
async function delayDuring(
  { attacked, bystander }: { attacked: ExporterProcess; bystander: ExporterProcess },
  work: Promise<unknown>,
): Promise<number> {
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  const slowest = async (exporter: ExporterProcess): Promise<number> => {
    let slowestMs = 0;
    while (!isDone) {
      const startedMs = performance.now();
      await exporter.get('/livez');
      slowestMs = Math.max(slowestMs, performance.now() - startedMs);
    }
    return slowestMs;
  };
  const [attackedMs, bystanderMs] = await Promise.all([slowest(attacked), slowest(bystander)]);
  await done;
  return attackedMs - bystanderMs;
}

/** The exporter of a test, and one that is left alone. */
async function startBoth(
  defer: Defer,
  args: readonly string[],
): Promise<{ attacked: ExporterProcess; bystander: ExporterProcess }> {
  const listen = '--statsdb.listen-address=127.0.0.1:0';
  const [attacked, bystander] = await Promise.all([
    startExporter(defer, { args: [listen, ...args] }),
    startExporter(defer, { args: [listen] }),
  ]);
  return { attacked, bystander };
}

describe.each([
  { name: 'without a password', password: undefined },
  { name: 'with a password', password: 'correct-horse' },
])('a crowd on the statsdb $name', ({ password }) => {
  const { defer, run: cleanUp } = createCleanup();
  afterAll(cleanUp);
  let both: Awaited<ReturnType<typeof startBoth>>;
  let before = 0;

  beforeAll(async () => {
    const file = join(createTempFolder(defer), 'password');
    writeFileSync(file, `${password}\n`);
    both = await startBoth(defer, password === undefined ? [] : ['--statsdb.password-file', file]);
    before = both.attacked.residentBytes;
  });

  it('does not keep a coturn out, whose events are all counted', async () => {
    const { attacked: exporter } = both;
    const port = statsdbPort(exporter);
    await crowd(defer, { port, count: 1_000 });
    await crowd(defer, { port, count: 100, says: 'AUTH guess\r\n'.repeat(2_000) });
    const server = await startTurnServer(defer, {
      realm: 'example.org',
      users: { alice: 'secret' },
      statsdb: { port, database: 0, ...(password === undefined ? {} : { password }) },
      maxAllocateLifetime: 15,
    });
    const call = runTurnClient(defer, { server, username: 'alice', password: 'secret' });
    const more = crowd(defer, { port, count: 500 });
    expect(await delayDuring(both, Promise.all([call, more]))).toBeLessThan(MAX_ANSWER_MS);
    expect(await call).toMatchObject({ exitCode: 0, receivedMessages: 200 });
    const metrics = await exporter.untilMetrics(
      (scrape) => scrape.sum('coturn_peer_received_packets_total') === 200,
      { what: 'every packet to be counted' },
    );
    expect(metrics.sum('coturn_peer_received_bytes_total')).toBe(200 * 170);
    expect(metrics.sum('coturn_exporter_missed_bytes_total')).toBe(0);
    expect(metrics.sum('coturn_exporter_statsdb_connections_refused_total')).toBeGreaterThan(0);
  });

  it('costs little memory, and does not keep it from stopping', async () => {
    const { attacked: exporter } = both;
    expect(exporter.residentBytes - before).toBeLessThan(MAX_GROWTH_BYTES);
    const startedMs = performance.now();
    expect(await exporter.stop()).toMatchObject({ code: 0 });
    expect(performance.now() - startedMs).toBeLessThan(MAX_STOP_MS);
  });
});

/** Publishes as coturn does, as fast as it is read. */
async function publish(coturn: Socket, topic: string, payload: string): Promise<void> {
  const isAccepted = coturn.write(
    `*3\r\n$7\r\npublish\r\n$${topic.length}\r\n${topic}\r\n$${payload.length}\r\n${payload}\r\n`,
  );
  if (!isAccepted) await once(coturn, 'drain');
}

describe('addresses of 30 KB', () => {
  const { defer, run: cleanUp } = createCleanup();
  afterAll(cleanUp);
  const COUNT = 5_000;

  it('are counted and not kept', async () => {
    const { attacked: exporter } = await startBoth(defer, []);
    const [coturn] = await crowd(defer, { port: statsdbPort(exporter), count: 1 });
    if (coturn === undefined) throw new Error('Nobody connected');
    const before = exporter.residentBytes;
    const long = '1'.repeat(30_000);
    for (let number = 1; number <= COUNT; number += 1) {
      const topic = `${allocationKey('alice', number)}/status`;
      await publish(coturn, topic, statusOf('new', { local: long, remote: `${long}${number}` }));
    }
    const metrics = await exporter.untilMetrics(
      (scrape) => scrape.sum('coturn_exporter_events_rejected_total') === COUNT,
      { what: 'every address to be refused' },
    );
    expect(metrics.sum('coturn_allocations')).toBe(0);
    expect(exporter.residentBytes - before).toBeLessThan(MAX_GROWTH_BYTES);
  });
});

describe('a flood of KEYS', () => {
  const { defer, run: cleanUp } = createCleanup();
  afterAll(cleanUp);
  const ALLOCATIONS = 200_000;

  it('does not stop the others', async () => {
    const both = await startBoth(defer, []);
    const { attacked: exporter } = both;
    const port = statsdbPort(exporter);
    const [coturn] = await crowd(defer, { port, count: 1 });
    if (coturn === undefined) throw new Error('Nobody connected');
    const payload = statusOf('new');
    for (let number = 1; number <= ALLOCATIONS; number += 1) {
      await publish(coturn, `${allocationKey(`user${number % 1_000}`, number)}/status`, payload);
    }
    await until(() => exporter.get('/drain'), {
      what: 'all allocations',
      isDone: ({ body }) => Number(body) === ALLOCATIONS,
    });
    // 23 KB of each: all of them in one chunk.
    const floods = ['KEYS *\r\n', 'KEYS turn/*/allocation/*/status\r\n', 'SCAN 0\r\n'];
    const flood = Promise.all(
      floods.map(async (line) => {
        const [socket] = await crowd(defer, { port, count: 1, says: line.repeat(1_500) });
        socket?.end();
        await once(socket as Socket, 'close');
      }),
    );
    expect(await delayDuring(both, flood)).toBeLessThan(MAX_ANSWER_MS);
  });
});

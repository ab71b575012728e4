import { describe, expect, it, onTestFinished } from 'vitest';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import type { Exposition } from '../support/exposition.ts';
import { claimPorts } from '../support/port-block.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { runTurnClient, startTurnClient } from '../support/turn-client.ts';
import { startTurnServer, type TurnServer } from '../support/turn-server.ts';

const SECRET = 'north';
const LINGER_MS = 500;
/** Connections that claim a name: as many as the call and its probe had ids, and more. */
const WAVES = 8;
/** What a busy machine may add to the linger of a session before its record is written. */
const SLACK_MS = 3_000;

/** How clients log in: by credentials with an expiry, or by one name for all time. */
type Login = 'rest' | 'static';

const CALLER = { username: 'alice', password: SECRET, transport: 'tcp' } as const;
const CALLERS = { rest: { ...CALLER, extraArguments: ['-W', SECRET] }, static: CALLER };

interface Scene {
  readonly exporter: ExporterProcess;
  readonly login: Login;
  /** A coturn that publishes to the exporter, on ports of its own; ids begin at 1. */
  startServer(): Promise<TurnServer>;
}

async function overRedis(login: Login, resyncInterval = '1s'): Promise<Scene> {
  const redis = await startRedisServer(onTestFinished);
  const exporter = await startExporter(onTestFinished, {
    args: [
      ...['--redis.url', `redis://127.0.0.1:${redis.port}/0`],
      ...['--redis.resync-interval', resyncInterval],
    ],
  });
  return { exporter, login, startServer: () => startServer(login, redis.port) };
}

async function overStatsdb(login: Login): Promise<Scene> {
  const { first: port } = await claimPorts(onTestFinished);
  const exporter = await startExporter(onTestFinished, {
    args: ['--statsdb.listen-address', `127.0.0.1:${port}`],
  });
  return { exporter, login, startServer: () => startServer(login, port) };
}

function startServer(login: Login, statsdbPort: number): Promise<TurnServer> {
  const rest = ['use-auth-secret', `static-auth-secret=${SECRET}`];
  return startTurnServer(onTestFinished, {
    realm: 'example.org',
    users: login === 'rest' ? {} : { alice: SECRET },
    statsdb: { port: statsdbPort, database: 0 },
    extraLines: ['relay-threads=1', ...(login === 'rest' ? rest : [])],
  });
}

/** Client-side bytes of allocations, as the counters have them. */
function clientBytes(metrics: Exposition): number {
  return (
    metrics.sum('coturn_client_received_bytes_total') +
    metrics.sum('coturn_client_sent_bytes_total')
  );
}

function bytesOf(record: Record<string, unknown> | undefined): number {
  return Number(record?.['received_bytes']) + Number(record?.['sent_bytes']);
}

/** A call that a crash of its server ends; resolves when all that lived is suspect. */
async function crashAmidCall({ exporter, login, startServer: start }: Scene): Promise<{
  readonly server: TurnServer;
  readonly heard: Exposition;
}> {
  const first = await start();
  const client = startTurnClient(onTestFinished, {
    ...CALLERS[login],
    server: first,
    messages: 100_000,
    packetIntervalMs: 1,
  });
  await exporter.untilMetrics((metrics) => metrics.sum('coturn_peer_sent_bytes_total') > 0, {
    what: 'bytes of the call',
  });
  await first.stop('SIGKILL');
  await client.stop();
  const server = await start();
  const heard = await exporter.untilMetrics((metrics) => metrics.sum('coturn_allocations') === 0, {
    what: 'the allocations of the dead server to be suspect',
  });
  return { server, heard };
}

function expectNobodyLives(metrics: Exposition): void {
  for (const name of ['coturn_allocations', 'coturn_sessions', 'coturn_exporter_users']) {
    expect(metrics.sum(name), name).toBe(0);
  }
  for (const name of ['coturn_user_allocations', 'coturn_user_sessions']) {
    expect(metrics.select(name), name).toEqual([]);
  }
}

describe.each([
  ['a Redis', (login: Login) => overRedis(login)],
  ['the embedded statsdb', overStatsdb],
])('a coturn that was killed amid a call and is back, over %s', (_source, createScene) => {
  it('gives the later call of the user a record of its own, within linger of its end', async () => {
    const scene = await createScene('rest');
    const { exporter } = scene;
    const { server, heard } = await crashAmidCall(scene);
    expectNobodyLives(heard);
    expect(exporter.records).toEqual([]);

    const report = await runTurnClient(onTestFinished, { ...CALLERS.rest, server, messages: 200 });
    expect(report.receivedMessages).toBeGreaterThan(0);
    const [later] = await exporter.untilRecords(1);
    const after = await exporter.metrics();
    expect(later).toMatchObject({
      user: 'alice',
      reason: 'deleted',
      complete: true,
      relayed: true,
    });
    expect(bytesOf(later)).toBe(clientBytes(after) - clientBytes(heard));
    const writtenMs = Date.parse(String(later?.['time']));
    expect(writtenMs - Date.parse(String(later?.['end']))).toBeLessThan(LINGER_MS + SLACK_MS);

    await exporter.stop();
    const [, dead, ...others] = exporter.records;
    expect(others).toEqual([]);
    expect(dead).toMatchObject({ user: 'alice', complete: false });
    expect(dead?.['username']).not.toBe(later?.['username']);
    expect(bytesOf(dead)).toBe(clientBytes(heard));
  }, 90_000);

  it('does not charge the dead call with what a client without its password sends', async () => {
    const scene = await createScene('static');
    const { exporter } = scene;
    const { server, heard } = await crashAmidCall(scene);
    const traffic = { event: 'traffic' };
    const told = heard.sum('coturn_exporter_events_total', traffic);
    // Enough connections to be given every id that the call has had; each claims its user's name.
    for (let wave = 0; wave < WAVES; wave += 1) {
      const attack = { server, username: 'alice', password: 'wrong' } as const;
      await runTurnClient(onTestFinished, { ...attack, transport: 'tcp', messages: 10 });
    }
    const attacked = await exporter.untilMetrics(
      (metrics) => metrics.sum('coturn_exporter_events_total', traffic) >= told + WAVES,
      { what: 'coturn to publish the failed logins' },
    );
    expectNobodyLives(attacked);
    expect(clientBytes(attacked)).toBe(clientBytes(heard));
    await exporter.stop();
    expect(exporter.records).toHaveLength(1);
    expect(bytesOf(exporter.records[0])).toBe(clientBytes(heard));
  }, 90_000);
});

it('is noticed on a Redis by an id that comes again, long before the next resync', async () => {
  const { exporter, startServer: start } = await overRedis('static', '1h');
  const server = await start();
  const call = { ...CALLERS.static, server, messages: 100_000, packetIntervalMs: 1 };
  const client = startTurnClient(onTestFinished, { ...call, clients: 4 });
  const live = (metrics: Exposition) => metrics.sum('coturn_allocations');
  // By then the probes of uclient are gone: their ids come again as well, and are over at once.
  await exporter.untilMetrics((metrics) => metrics.sum('coturn_peer_sent_bytes_total') > 0, {
    what: 'bytes of the call',
  });
  expect(live(await exporter.metrics())).toBe(4);
  await server.stop('SIGKILL');
  await client.stop();
  await server.start();
  // Its allocations take the first ids of the dead ones; the others would live for ten minutes.
  // It outlasts the scan: where none of a server's keys is found, missing ones mean nothing.
  const later = startTurnClient(onTestFinished, { ...call, clients: 2 });
  await exporter.untilMetrics((metrics) => live(metrics) === 2, {
    what: 'the allocations of the dead process to be suspect',
  });
  await later.stop();
  const after = await exporter.untilMetrics((metrics) => live(metrics) === 0, {
    what: 'the later call to end',
  });
  expectNobodyLives(after);
}, 90_000);

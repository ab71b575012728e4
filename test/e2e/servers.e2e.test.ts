import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MAX_WAITING } from '../../src/http/drain-route.ts';
import { coturnProgram } from '../support/coturn-programs.ts';
import { type ExporterProcess, startExporter } from '../support/exporter-process.ts';
import { claimPorts } from '../support/port-block.ts';
import { startRedisServer } from '../support/redis-server.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { TestProcess } from '../support/test-process.ts';
import { runTurnClient, startTurnClient } from '../support/turn-client.ts';
import { startTurnServer, type TurnServer } from '../support/turn-server.ts';
import { until } from '../support/until.ts';

const REALM = 'example.org';
const PASSWORD = 'correct-horse';
const DROP_IN = readFileSync(
  new URL('../../deploy/systemd/coturn-drain.conf', import.meta.url),
  'utf8',
);
const SERVERS = 'turn-1:spree\nturn-2:seine\n';

interface Scene {
  readonly exporter: ExporterProcess;
  readonly serversFile: string;
  /** Between all servers and the exporter. */
  readonly proxy: TcpProxy;
  /** A coturn on this machine that sends this password; all have the same realm and users. */
  startServer(password: string): Promise<TurnServer>;
}

async function createScene(): Promise<Scene> {
  const { first: port } = await claimPorts(onTestFinished);
  const serversFile = join(createTempFolder(onTestFinished), 'servers');
  writeFileSync(serversFile, SERVERS);
  const exporter = await startExporter(onTestFinished, {
    args: [
      ...['--statsdb.listen-address', `127.0.0.1:${port}`, '--statsdb.servers-file', serversFile],
    ],
  });
  const proxy = await startTcpProxy(onTestFinished, { port });
  const startServer = (password: string): Promise<TurnServer> =>
    startTurnServer(onTestFinished, {
      realm: REALM,
      users: { alice: PASSWORD, bob: PASSWORD },
      statsdb: { port: proxy.port, database: 0, password },
      // Both give out the same ids to the same user.
      extraLines: ['relay-threads=1'],
    });
  return { exporter, serversFile, proxy, startServer };
}

/** Lines of the exporter's log about servers that came and left. */
function comings({ log }: ExporterProcess): string[] {
  return log
    .filter(({ msg }) => typeof msg === 'string' && msg.startsWith('coturn '))
    .map(({ server, address, msg }) => `${server} ${address} ${msg}`);
}

describe('two real coturn servers on one machine with names of their own', () => {
  it('are two servers, each with its own allocations to the byte', async () => {
    const { exporter, startServer } = await createScene();
    const servers = [await startServer('spree'), await startServer('seine')];
    const calls = [
      { messages: 300, messageLength: 100 },
      { messages: 200, messageLength: 250 },
    ];
    const account = { username: 'alice', password: PASSWORD, transport: 'tcp' } as const;
    await Promise.all(
      servers.map((server, index) =>
        runTurnClient(onTestFinished, { ...account, server, ...calls[index] }),
      ),
    );
    const metrics = await exporter.untilMetrics(
      (seen) => seen.sum('coturn_allocations') === 0 && seen.sum('coturn_sessions') === 0,
      { what: 'both calls to end' },
    );
    for (const [index, { messages, messageLength }] of calls.entries()) {
      const server = `turn-${index + 1}`;
      const relayed = metrics.value('coturn_peer_sent_bytes_total', { realm: REALM, server });
      expect(relayed).toBe(2 * messages * messageLength);
      expect(metrics.value('coturn_server_up', { server })).toBe(1);
      // Four and one for its relay thread.
      expect(metrics.value('coturn_server_connections', { server })).toBe(5);
    }
    expect(metrics.sum('coturn_exporter_allocation_collisions_total')).toBe(0);
    expect((await exporter.get('/readyz')).body).toContain('2 servers, 10 connections');
    expect(comings(exporter)).toEqual([
      'turn-1 127.0.0.1 coturn connected',
      'turn-2 127.0.0.1 coturn connected',
    ]);
  }, 30_000);

  it('one that is killed and comes back ends its sessions at once, the other goes on', async () => {
    const { exporter, startServer } = await createScene();
    const servers = [await startServer('spree'), await startServer('seine')] as const;
    const clients = (['alice', 'bob'] as const).map((username, index) =>
      startTurnClient(onTestFinished, {
        ...{ username, password: PASSWORD, transport: 'tcp', messages: 100_000 },
        packetIntervalMs: 1,
        server: servers[index] ?? servers[0],
      }),
    );
    await exporter.untilMetrics(
      (seen) =>
        ['turn-1', 'turn-2'].every(
          (server) => (seen.value('coturn_peer_sent_bytes_total', { server }) ?? 0) > 0,
        ),
      { what: 'bytes of both calls' },
    );
    await servers[0].stop('SIGKILL');
    const killedMs = Date.now();
    await clients[0]?.stop();
    await exporter.untilMetrics(
      (seen) => seen.value('coturn_server_up', { server: 'turn-1' }) === 0,
      {
        what: 'the dead server to be down',
      },
    );
    await servers[0].start();
    const startedMs = Date.now();
    const records = await exporter.untilRecords(1);
    expect(Date.now() - startedMs).toBeLessThan(5_000);
    const alice = { server: 'turn-1', user: 'alice', reason: 'restarted', complete: false };
    expect(records).toEqual([expect.objectContaining(alice)]);
    // It is known to have lived until its connections broke, and no longer.
    const endedMs = Date.parse(String(records[0]?.['end']));
    expect(Math.abs(endedMs - killedMs)).toBeLessThan(2_000);
    const metrics = await exporter.metrics();
    const restarted = metrics.select('coturn_allocations_closed_total', { reason: 'restarted' });
    const byServer = restarted.map(({ labels, value }) => [labels['server'], value] as const);
    expect(Object.fromEntries(byServer)).toEqual({ 'turn-1': 2, 'turn-2': 0 });
    expect(metrics.sum('coturn_allocations', { server: 'turn-1' })).toBe(0);
    expect(metrics.sum('coturn_allocations', { server: 'turn-2' })).toBe(2);
  }, 45_000);

  it('one whose connections break and come back has not restarted', async () => {
    const { exporter, startServer, proxy } = await createScene();
    const server = await startServer('spree');
    const client = startTurnClient(onTestFinished, {
      ...{ server, username: 'alice', password: PASSWORD, transport: 'tcp', messages: 100_000 },
      packetIntervalMs: 1,
    });
    const relayed = await exporter.untilMetrics(
      (seen) => seen.sum('coturn_peer_sent_bytes_total') > 0,
      { what: 'bytes of the call' },
    );
    proxy.cut();
    const metrics = await exporter.untilMetrics(
      (seen) =>
        seen.sum('coturn_exporter_source_disconnects_total') > 0 &&
        seen.sum('coturn_peer_sent_bytes_total') > 2 * relayed.sum('coturn_peer_sent_bytes_total'),
      { what: 'the call to be heard of again' },
    );
    expect(metrics.sum('coturn_allocations')).toBe(2);
    expect(metrics.sum('coturn_allocations_closed_total', { reason: 'restarted' })).toBe(0);
    expect(exporter.records).toEqual([]);
    await client.stop();
  }, 30_000);

  it('one with a wrong password is refused, by its name and address', async () => {
    const { exporter, startServer } = await createScene();
    await startServer('thames');
    const metrics = await exporter.untilMetrics(
      (seen) => seen.sum('coturn_exporter_statsdb_connections_refused_total') > 0,
      { what: 'a refusal', timeoutMs: 20_000 },
    );
    expect(metrics.sum('coturn_exporter_statsdb_wrong_passwords_total')).toBeGreaterThan(0);
    expect(metrics.select('coturn_server_up')).toEqual([]);
    const told = exporter.log.filter(({ level }) => level === 'warn');
    expect(told.map(({ msg }) => msg)).toEqual([
      'statsdb was sent a wrong password',
      'statsdb refused a connection',
    ]);
    expect(told[0]).toMatchObject({ peer: expect.stringContaining('127.0.0.1:') as string });
    expect(JSON.stringify(exporter.log)).not.toContain('thames');
  }, 30_000);

  it('one that is taken out of the file is cut off', async () => {
    const { exporter, startServer, serversFile } = await createScene();
    await startServer('seine');
    const up = { server: 'turn-2' };
    await exporter.untilMetrics((seen) => seen.value('coturn_server_up', up) === 1, {
      what: 'the server to be up',
    });
    writeFileSync(serversFile, 'turn-1:spree\n');
    const metrics = await exporter.untilMetrics(
      (seen) => seen.value('coturn_server_up', up) === 0,
      { what: 'the server to be down', timeoutMs: 20_000 },
    );
    const refused = { reason: 'server_removed' };
    const count = metrics.sum('coturn_exporter_statsdb_connections_refused_total', refused);
    expect(count).toBe(5);
  }, 30_000);
});

describe('two real coturn servers of one address that publish to one Redis', () => {
  it('have the names of their ports', async () => {
    const redis = await startRedisServer(onTestFinished);
    const users = { alice: PASSWORD, bob: PASSWORD };
    const start = (): Promise<TurnServer> =>
      startTurnServer(onTestFinished, {
        ...{ realm: REALM, users },
        statsdb: { port: redis.port, database: 0 },
      });
    const servers = [await start(), await start()];
    const names = join(createTempFolder(onTestFinished), 'names');
    writeFileSync(
      names,
      servers.map(({ port }, index) => `127.0.0.1:${port} turn-${index + 1}\n`).join(''),
    );
    const exporter = await startExporter(onTestFinished, {
      args: ['--redis.url', `redis://127.0.0.1:${redis.port}/0`, '--server.names-file', names],
    });
    const messageLengths = [100, 250];
    for (const [index, server] of servers.entries()) {
      await runTurnClient(onTestFinished, {
        ...{ server, username: index === 0 ? 'alice' : 'bob', password: PASSWORD },
        ...{ transport: 'tcp', messages: 200, messageLength: messageLengths[index] ?? 0 },
      });
    }
    const metrics = await exporter.untilMetrics(
      (seen) => seen.sum('coturn_allocations') === 0 && seen.sum('coturn_sessions') === 0,
      { what: 'both calls to end' },
    );
    for (const [index, length] of messageLengths.entries()) {
      const server = `turn-${index + 1}`;
      expect(metrics.value('coturn_peer_sent_bytes_total', { server })).toBe(2 * 200 * length);
      expect(metrics.value('coturn_server_up', { server })).toBe(1);
    }
    const records = await exporter.untilRecords(2);
    expect(new Set(records.map(({ server }) => server))).toEqual(new Set(['turn-1', 'turn-2']));
  }, 30_000);
});

/** coturn 4.6.3 and later end by themselves when their last allocation is gone. */
const canDrain = spawnSync(coturnProgram('turnserver'), ['--help'], {
  encoding: 'utf8',
}).stdout.includes('SIGUSR1');

describe('/drain of a real coturn amid a call', () => {
  it('answers when its last allocation is gone, as its unit of systemd asks', async () => {
    const { exporter, startServer } = await createScene();
    const server = await startServer('spree');
    const account = { username: 'alice', password: PASSWORD, transport: 'tcp' } as const;
    const call = runTurnClient(onTestFinished, {
      ...{ ...account, server, messages: 400, packetIntervalMs: 10 },
    });
    await exporter.untilMetrics((seen) => seen.sum('coturn_allocations') === 2, {
      what: 'the call to be heard of',
    });
    const url = `${exporter.address}/drain?server=turn-1&wait=30s`;
    const [, stop = ''] = /^ExecStop=\/bin\/sh -c '(.*)'$/m.exec(DROP_IN) ?? [];
    expect(stop).toContain('kill -USR1 "$MAINPID"');
    const shell = new TestProcess(onTestFinished, {
      command: '/bin/sh',
      args: ['-c', canDrain ? stop : stop.replace('kill -USR1 "$MAINPID"', 'true')],
      env: { ...process.env, MAINPID: String(server.pid), DRAIN_URL: url },
    });
    const left = shell.exited.then(() => exporter.metrics());
    const report = await call;
    expect(report.receivedMessages).toBe(report.sentMessages);
    expect((await left).sum('coturn_allocations')).toBe(0);
    expect(shell.stdout).toEqual(['0']);
    if (canDrain) await server.exited;
  }, 30_000);

  it('forgets who does not wait any more', async () => {
    const { exporter, startServer } = await createScene();
    const server = await startServer('spree');
    const account = { username: 'alice', password: PASSWORD, transport: 'tcp' } as const;
    const client = startTurnClient(onTestFinished, { ...account, server, messages: 100_000 });
    await exporter.untilMetrics((seen) => seen.sum('coturn_allocations') === 2, {
      what: 'the call to be heard of',
    });
    const wait = async (): Promise<number> => (await exporter.get('/drain?wait=1s')).status;
    const impatient = new AbortController();
    const asked = Array.from({ length: MAX_WAITING }, () =>
      fetch(`${exporter.address}/drain?wait=1h`, { signal: impatient.signal }).catch(() => 'gone'),
    );
    await until(wait, { what: 'all places to be taken', isDone: (status) => status === 503 });
    impatient.abort();
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['gone']));
    await until(wait, { what: 'a place to wait', isDone: (status) => status === 200 });
    await client.stop();
  }, 30_000);
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../support/certificates.ts';
import { createCleanup } from '../support/cleanup.ts';
import { type ExporterProcess, launchExporter } from '../support/exporter-process.ts';
import { claimPorts } from '../support/port-block.ts';
import {
  type RedisServer,
  type RedisServerOptions,
  startRedisServer,
  tlsFlagsOf,
} from '../support/redis-server.ts';
import { startCluster, startSentinel } from '../support/redis-setups.ts';
import { connectStatsPublisher, type PublishedAllocation } from '../support/stats-publisher.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';

/** The password of `--redis.password-file`. */
const PASSWORD = 'right-7263';
const SENTINEL_PASSWORD = 'watch-9914';
const ACL = '~turn/* &turn/realm/* &turn/user/* +psubscribe +scan +ping +mget +select'.split(' ');

const cleanup = createCleanup();
const { defer } = cleanup;
afterAll(() => cleanup.run());

/** By the name of the source. */
const servers = new Map<string, { server: RedisServer; admin: Redis; password?: string }>();
let cluster: readonly RedisServer[] = [];
let tlsCluster: readonly RedisServer[] = [];
let sentinelReplica: RedisServer;
let exporter: ExporterProcess;

beforeAll(async () => {
  const folder = createTempFolder(defer);
  const authority = new CertificateAuthority(folder, 'ca');
  const tls = { ...authority.issue(), authority: authority.cert };
  const forClient = authority.issue();
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), `${text}\n`);
    return join(folder, name);
  };
  const { first: freePort } = await claimPorts(defer);
  await Promise.all([
    add('two-databases'),
    add('acl'),
    add('no-select'),
    add('no-database'),
    add('no-ping'),
    add('mutual-tls', { tls }),
    add('tls-acl', { tls }),
    add('wrong-password', { password: 'another-3317' }),
    add('sentinel', { password: PASSWORD }),
    add('acl-sentinel'),
    add('tls-sentinel', { tls, flags: { 'tls-replication': 'yes' } }),
    add('one-server'),
    startCluster(defer).then((nodes) => {
      cluster = nodes;
    }),
    startCluster(defer, { tls, password: PASSWORD }).then((nodes) => {
      tlsCluster = nodes;
    }),
  ]);
  for (const name of ['acl', 'tls-acl', 'acl-sentinel']) await acl(name, ...ACL);
  await acl('no-select', ...ACL, '-select');
  await acl('no-ping', ...ACL, '-ping');
  const portOf = (name: string) => servers.get(name)?.server.port ?? 0;
  const tlsPortOf = (name: string) => servers.get(name)?.server.tlsPort ?? 0;
  sentinelReplica = await startRedisServer(defer, {
    password: PASSWORD,
    flags: {
      masterauth: PASSWORD,
      replicaof: `127.0.0.1 ${portOf('sentinel')}`,
    },
  });
  await admin('sentinel').config('SET', 'masterauth', PASSWORD);
  const watcher = `user watcher on >${SENTINEL_PASSWORD} +sentinel|get-master-addr-by-name`;
  const plain = await startSentinel(defer, {
    ...{ master: 'main', masterPort: portOf('sentinel'), masterPassword: PASSWORD },
    lines: [
      watcher,
      'user default off',
      `sentinel monitor second 127.0.0.1 ${portOf('acl-sentinel')} 1`,
    ],
  });
  const withTls = await startSentinel(defer, {
    ...{ master: 'main', masterPort: tlsPortOf('tls-sentinel'), port: freePort },
    lines: [
      ...[watcher, 'user default off', 'port 0', 'tls-replication yes'],
      ...Object.entries(tlsFlagsOf(tls, freePort)).map(([name, value]) => `${name} ${value}`),
    ],
  });
  const proxy = await startTcpProxy(defer, { port: portOf('one-server') });
  const nodesOf = (ports: readonly number[]) => ports.map((port) => `127.0.0.1:${port}`).join(',');
  const urls = [
    `redis://127.0.0.1:${portOf('two-databases')}/0,1#two-databases`,
    `redis://exporter:pw@127.0.0.1:${portOf('acl')}/2#acl`,
    `redis://exporter:pw@127.0.0.1:${portOf('no-select')}/2#no-select`,
    `redis://127.0.0.1:${portOf('no-database')}/99#no-database`,
    `redis://exporter:pw@127.0.0.1:${portOf('no-ping')}/0#no-ping`,
    `rediss://127.0.0.1:${tlsPortOf('mutual-tls')}#mutual-tls`,
    `rediss://exporter:pw@127.0.0.1:${tlsPortOf('tls-acl')}/2#tls-acl`,
    `redis://127.0.0.1:${portOf('wrong-password')}#wrong-password`,
    `redis+sentinel://${nodesOf([freePort + 9, plain.port])}/main#sentinel`,
    `redis+sentinel://exporter:pw@127.0.0.1:${plain.port}/second/2#acl-sentinel`,
    `rediss+sentinel://localhost:${withTls.port}/main#tls-sentinel`,
    `redis+cluster://${nodesOf(cluster.map(({ port }) => port))}#cluster`,
    `rediss+cluster://${nodesOf(tlsCluster.map(({ tlsPort }) => tlsPort))}#tls-cluster`,
    `redis://127.0.0.1:${portOf('one-server')}#one-server`,
    `redis://127.0.0.1:${proxy.port}#same-server`,
  ];
  exporter = launchExporter(defer, {
    args: [
      ...urls.flatMap((url) => ['--redis.url', url]),
      ...['--redis.password-file', file('password', PASSWORD), '--redis.sentinel-user', 'watcher'],
      ...['--redis.sentinel-password-file', file('sentinel-password', SENTINEL_PASSWORD)],
      ...['--redis.tls-ca-file', authority.cert],
      ...['--redis.tls-cert-file', forClient.cert, '--redis.tls-key-file', forClient.key],
      ...['--redis.resync-interval', '1s'],
    ],
  });
  await exporter.listening();
});

async function add(name: string, options: RedisServerOptions = {}): Promise<void> {
  const server = await startRedisServer(defer, options);
  const { password } = options;
  const redis = new Redis({ port: server.port, ...(password === undefined ? {} : { password }) });
  redis.on('error', () => undefined);
  defer(() => redis.disconnect());
  servers.set(name, { server, admin: redis, ...(password === undefined ? {} : { password }) });
}

function admin(name: string): Redis {
  const found = servers.get(name);
  if (found === undefined) throw new Error(`No Redis ${name}`);
  return found.admin;
}

async function acl(name: string, ...rules: readonly string[]): Promise<void> {
  await admin(name).call('ACL', 'SETUSER', 'exporter', 'on', '>pw', 'resetchannels', ...rules);
}

/** The line of /readyz about a source. */
async function readiness(name: string): Promise<string> {
  const { body } = await exporter.get('/readyz');
  return body.split('\n').find((line) => line.includes(`: ${name}: `)) ?? body;
}

function becomes(name: string, text: RegExp): Promise<string> {
  return until(() => readiness(name), {
    what: `${name} to be ${text}`,
    timeoutMs: 30_000,
    isDone: (line) => text.test(line),
    show: (line) => `${line}\n${exporter.process.describe()}`,
  });
}

function warningsOf(name: string): string[] {
  return exporter.log
    .filter(({ level, source }) => level === 'warn' && source === name)
    .map(({ reason, msg }) => String(reason ?? msg));
}

let users = 0;

/** A session from its beginning to its record, of a user of its own; by the Redis on this port. */
async function isExact(options: { port: number; database?: number; password?: string }) {
  users += 1;
  const id = `00100000000000${String(users).padStart(4, '0')}`;
  const allocation: PublishedAllocation = { realm: 'r', username: `user-${users}`, id };
  const publisher = connectStatsPublisher(defer, { database: 0, ...options });
  await publisher.begin(allocation);
  await publisher.relay(allocation, 1_000 + users);
  await publisher.relay(allocation, 1_000);
  await publisher.end(allocation);
  const bytes = 2_000 + users;
  const records = await until(
    () => exporter.records.filter(({ username }) => username === allocation.username),
    {
      what: 'the record',
      isDone: (found) => found.length > 0,
      show: () => exporter.process.describe(),
    },
  );
  expect(records).toHaveLength(1);
  expect(records[0]).toMatchObject({ received_bytes: bytes, peer_sent_bytes: bytes });
}

describe('a matrix of Redis setups', () => {
  it.each([
    'two-databases',
    'acl',
    'no-ping',
    'mutual-tls',
    'tls-acl',
    'sentinel',
    'acl-sentinel',
    'tls-sentinel',
    'cluster',
    'tls-cluster',
  ])('%s is ready, says nothing, and is exact', async (name) => {
    await becomes(name, /^ready/);
    expect(warningsOf(name)).toEqual([]);
    const clusters = new Map([
      ['cluster', { server: cluster[1] }],
      ['tls-cluster', { server: tlsCluster[1], password: PASSWORD }],
    ]);
    const { server, password } = servers.get(name) ?? clusters.get(name) ?? {};
    const port = server?.port ?? 0;
    const database = name === 'two-databases' ? 1 : 2 * Number(name.includes('acl'));
    await isExact({ port, database, ...(password === undefined ? {} : { password }) });
  });

  it('adopts the keys of every database that is named', async () => {
    const redis = admin('two-databases');
    for (const db of [0, 1, 2]) {
      await redis.select(db);
      const key = `turn/realm/dbs/user/db${db}/allocation/00200000000000000${db}/status`;
      await redis.set(key, 'new lifetime=600');
    }
    const metrics = await exporter.untilMetrics(
      (scrape) => scrape.sum('coturn_allocations', { realm: 'dbs' }) === 2,
      { what: 'both keys' },
    );
    expect(metrics.value('coturn_user_sessions', { user: 'db2' })).toBeUndefined();
    await redis.flushall();
  });

  it.each([
    ['no-select', /the ACL denies SELECT, so database 2 cannot be read/],
    ['no-database', /there is no database 99/],
    ['wrong-password', /user or password is wrong: WRONGPASS/],
  ])('%s is not ready, and says why in one line', async (name, reason) => {
    await becomes(name, reason);
    expect(await readiness(name)).toMatch(/^not ready/);
    expect(warningsOf(name)).toEqual([expect.stringMatching(reason)]);
  });

  it('is exact once the fault is mended', async () => {
    await admin('no-select').call('ACL', 'SETUSER', 'exporter', '+select');
    await admin('wrong-password').config('SET', 'requirepass', PASSWORD);
    for (const name of ['no-select', 'wrong-password']) {
      await becomes(name, /^ready/);
      const { server, password } = servers.get(name) ?? {};
      await isExact({
        port: server?.port ?? 0,
        ...(name === 'no-select' ? { database: 2 } : {}),
        ...(password === undefined ? {} : { password: PASSWORD }),
      });
    }
  });

  it('subscribes once to a server that is named twice, and is exact', async () => {
    const states = await until(
      async () => [await readiness('one-server'), await readiness('same-server')],
      {
        what: 'one of them to stay away',
        isDone: (lines) => lines.join().includes('the same server'),
      },
    );
    expect(states.filter((line) => line.startsWith('ready'))).toHaveLength(1);
    const told = [...warningsOf('one-server'), ...warningsOf('same-server')];
    expect(told).toEqual([expect.stringContaining('two --redis.url are one server')]);
    await isExact({ port: servers.get('one-server')?.server.port ?? 0 });
  });

  it('follows a failover of Sentinel, and uses a password that was changed', async () => {
    const id = '001000000000009001';
    const allocation: PublishedAllocation = { realm: 'r', username: 'failover', id };
    const old = servers.get('sentinel');
    await connectStatsPublisher(defer, {
      port: old?.server.port ?? 0,
      database: 0,
      password: PASSWORD,
    }).begin(allocation);
    await until(() => readiness('sentinel'), {
      what: 'it to live',
      isDone: (line) => line.startsWith('ready'),
    });
    await old?.server.stop();
    await becomes('sentinel', /^not ready/);
    await becomes('sentinel', /^ready/);
    const publisher = connectStatsPublisher(defer, {
      port: sentinelReplica.port,
      database: 0,
      password: PASSWORD,
    });
    await publisher.relay(allocation, 5_000);
    await publisher.end(allocation);
    const records = await until(
      () => exporter.records.filter(({ username }) => username === 'failover'),
      { what: 'the record', isDone: (found) => found.length > 0 },
    );
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({ received_bytes: 5_000, reason: 'deleted' });
  });

  it('loses no session when a master of a cluster dies', async () => {
    const id = '001000000000009002';
    const allocation: PublishedAllocation = { realm: 'r', username: 'cluster', id };
    const [first, second] = cluster;
    await connectStatsPublisher(defer, { port: second?.port ?? 0, database: 0 }).begin(allocation);
    await exporter.untilMetrics(
      (scrape) => scrape.value('coturn_user_sessions', { user: 'cluster' }) === 1,
      { what: 'the session' },
    );
    await first?.stop();
    await exporter.untilMetrics(
      (scrape) =>
        scrape.value('coturn_exporter_source_disconnects_total', { source: 'cluster' }) === 1,
      { what: 'the loss' },
    );
    await becomes('cluster', /^ready: cluster: subscribed$/);
    const publisher = connectStatsPublisher(defer, { port: second?.port ?? 0, database: 0 });
    await publisher.relay(allocation, 7_000);
    const metrics = await exporter.metrics();
    expect(metrics.value('coturn_user_sessions', { user: 'cluster' })).toBe(1);
    await publisher.end(allocation);
    const records = await until(
      () => exporter.records.filter(({ username }) => username === 'cluster'),
      { what: 'the record', isDone: (found) => found.length > 0 },
    );
    expect(records[0]).toMatchObject({ received_bytes: 7_000, reason: 'deleted' });
  });

  it('says that a password was changed while it is connected', async () => {
    await admin('one-server').config('SET', 'requirepass', 'changed');
    const state = await until(
      async () => [await readiness('one-server'), await readiness('same-server')].join('\n'),
      { what: 'the reason', isDone: (lines) => lines.includes('user or password is wrong') },
    );
    expect(state).toMatch(/^ready: .*status keys cannot be read: user or password is wrong/m);
  });

  it('never lost the one that may not PING, and asked one thing once that was not permitted', async () => {
    const metrics = await exporter.metrics();
    expect(metrics.value('coturn_exporter_source_disconnects_total', { source: 'no-ping' })).toBe(
      0,
    );
    // With several sources it asks for run_id.
    const denied = await admin('acl').call('ACL', 'LOG');
    expect(denied).toEqual([expect.arrayContaining(['count', 1, 'object', 'info'])]);
  });

  it('wrote nothing but JSON, and no secret', async () => {
    await exporter.stop();
    const { stdout, stderr } = exporter.process;
    for (const line of [...stdout, ...stderr]) expect(() => JSON.parse(line)).not.toThrow();
    for (const secret of [PASSWORD, SENTINEL_PASSWORD]) {
      expect([...stdout, ...stderr].join('\n')).not.toContain(secret);
    }
  });
});

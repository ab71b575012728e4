import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CertificateAuthority } from '../support/certificates.ts';
import { claimPorts } from '../support/port-block.ts';
import { PROGRAM } from '../support/program.ts';
import {
  type RedisServer,
  type RedisServerOptions,
  startRedisServer,
} from '../support/redis-server.ts';
import { startCluster, startSentinel } from '../support/redis-setups.ts';
import { connectStatsPublisher } from '../support/stats-publisher.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { TestProcess } from '../support/test-process.ts';

const BUFFER = 'pubsub 268435456 67108864 60';
const NOTHING_TO_HEAR = ['--doctor.wait', '200ms'];

interface Scene {
  readonly port: number;
  readonly redis: Redis;
}

/** A Redis whose settings leave nothing to wish for. */
async function healthyRedis(options: RedisServerOptions = {}): Promise<Scene> {
  const { port } = await startRedisServer(onTestFinished, options);
  const { password } = options;
  const redis = new Redis({ port, ...(password === undefined ? {} : { password }) });
  onTestFinished(() => redis.disconnect());
  await redis.config('SET', 'client-output-buffer-limit', BUFFER);
  return { port, redis };
}

/** A coturn that tells of its allocation all the time, and has its key in this database. */
async function publishTo(port: number, database: number): Promise<void> {
  const publisher = connectStatsPublisher(onTestFinished, { port, database });
  const allocation = { realm: 'example.org', username: 'bob', id: '000000000000000001' };
  await publisher.begin(allocation);
  const timer = setInterval(() => void publisher.begin(allocation).catch(() => undefined), 50);
  onTestFinished(() => clearInterval(timer));
}

interface Answer {
  readonly code: number | null;
  readonly lines: readonly string[];
  readonly text: string;
  /** Lines that are not ok. */
  readonly trouble: readonly string[];
}

async function doctor(...args: readonly string[]): Promise<Answer> {
  const process_ = new TestProcess(onTestFinished, {
    command: PROGRAM.command,
    args: [...PROGRAM.args, 'doctor', ...args],
  });
  const { code } = await process_.exited;
  const { stdout: lines, stderr } = process_;
  const text = [...lines, ...stderr].join('\n');
  return { code, lines, text, trouble: lines.filter((line) => !line.startsWith('ok ')) };
}

describe('doctor', () => {
  it('finds nothing wrong with a healthy Redis that coturn publishes to', async () => {
    const { port } = await healthyRedis();
    await publishTo(port, 2);
    const { code, lines, trouble } = await doctor('--redis.url', `redis://127.0.0.1:${port}/2`);
    expect(trouble).toEqual([]);
    expect(lines.map((line) => line.replace(/:.*/, ''))).toEqual([
      'ok    reachable',
      'ok    version',
      'ok    permissions',
      'ok    timeout',
      'ok    tcp-keepalive',
      'ok    client-output-buffer-limit pubsub',
      'ok    maxmemory-policy',
      'ok    publisher',
      'ok    database',
      'ok    silent keys',
    ]);
    expect(code).toBe(0);
  });

  it.each([
    ['timeout', ['timeout', '60'], /^warn {2}timeout: 60 s, .* - CONFIG SET timeout 0$/],
    [
      'tcp-keepalive',
      ['tcp-keepalive', '0'],
      /^warn {2}tcp-keepalive: 0, .* - CONFIG SET tcp-keepalive 300$/,
    ],
    [
      'a small output buffer',
      ['client-output-buffer-limit', 'pubsub 33554432 8388608 60'],
      /^warn {2}client-output-buffer-limit pubsub: 32mb 8mb 60, .* - CONFIG SET client-output-buffer-limit "pubsub 256mb 64mb 60"$/,
    ],
    [
      'keys that may be evicted',
      ['maxmemory', '104857600', 'maxmemory-policy', 'allkeys-lru'],
      /^warn {2}maxmemory-policy: allkeys-lru with 100mb, .* - CONFIG SET maxmemory-policy noeviction$/,
    ],
  ])('finds %s, and says the fix in one line that works', async (_what, settings, line) => {
    const { port, redis } = await healthyRedis();
    await redis.config('SET', ...(settings as [string, string]));
    await publishTo(port, 0);
    const before = await doctor('--redis.url', `redis://127.0.0.1:${port}`);
    expect(before.trouble).toEqual([expect.stringMatching(line)]);
    expect(before.code).toBe(0);
    const [, name = '', value = ''] =
      / - CONFIG SET (\S+) "?([^"]+)"?$/.exec(before.trouble[0] ?? '') ?? [];
    await redis.config('SET', name, value);
    const after = await doctor('--redis.url', `redis://127.0.0.1:${port}`);
    expect(after.trouble).toEqual([]);
  });

  it('finds the wrong database, and names the right one', async () => {
    const { port } = await healthyRedis();
    await publishTo(port, 3);
    const { code, trouble } = await doctor('--redis.url', `redis://127.0.0.1:${port}/1`);
    expect(trouble).toEqual([
      'fail  database: coturn tells of allocations whose keys are not there: 0 status keys in database 1, 1 in database 3 - end --redis.url in /3, as dbname=3 of redis-statsdb in turnserver.conf',
    ]);
    expect(code).toBe(1);
  });

  it('finds the wrong database by the keys alone', async () => {
    const { port, redis } = await healthyRedis();
    await redis.select(5);
    await redis.set('turn/user/bob/allocation/000000000000000001/status', 'new lifetime=600');
    const url = `redis://127.0.0.1:${port}`;
    const { code, trouble } = await doctor('--redis.url', url, ...NOTHING_TO_HEAR);
    expect(trouble).toContainEqual(
      expect.stringMatching(/^warn {2}database: .* in \/5, as dbname=5/),
    );
    expect(code).toBe(0);
  });

  it('finds that nobody publishes', async () => {
    const { port } = await healthyRedis();
    const url = `redis://127.0.0.1:${port}`;
    const { code, trouble } = await doctor('--redis.url', url, ...NOTHING_TO_HEAR);
    expect(trouble).toEqual([
      expect.stringMatching(/^warn {2}publisher: none seen in 200ms .* - compare redis-statsdb /),
      expect.stringMatching(/^warn {2}database: no status keys in database 0 .* - make a call /),
    ]);
    expect(code).toBe(0);
  });

  it.each([
    [
      'without psubscribe',
      ['~turn/*', '&turn/realm/*', '&turn/user/*', '+scan', '+mget', '+ping', '+select'],
      'psubscribe',
    ],
    [
      'without the channels',
      ['~turn/*', '&turn/*', '+psubscribe', '+scan', '+mget', '+ping', '+select'],
      'psubscribe',
    ],
    [
      'without the keys',
      ['&turn/realm/*', '&turn/user/*', '+psubscribe', '+scan', '+mget', '+ping', '+select'],
      'mget',
    ],
  ])('finds an ACL %s, and gives the line that mends it', async (_what, rules, denied) => {
    const { port, redis } = await healthyRedis();
    await publishTo(port, 0);
    await redis.call('ACL', 'SETUSER', 'exporter', 'on', '>secret', 'resetchannels', ...rules);
    const url = `redis://exporter:secret@127.0.0.1:${port}`;
    const before = await doctor('--redis.url', url);
    const failed = before.trouble.filter((line) => line.startsWith('fail'));
    expect(failed).toEqual([
      expect.stringMatching(
        new RegExp(`^fail {2}${denied}: the ACL denies it.* - ACL SETUSER exporter `),
      ),
    ]);
    expect(before.code).toBe(1);
    const [, fix = ''] = / - ACL (SETUSER .*)$/m.exec(failed.join('\n')) ?? [];
    await redis.call('ACL', ...fix.split(' '));
    const after = await doctor('--redis.url', url);
    // As with a managed Redis, CONFIG stays denied.
    expect(after.trouble).toEqual([
      expect.stringMatching(/^warn {2}settings: cannot be read, CONFIG is denied - /),
    ]);
    expect(after.code).toBe(0);
  });

  it('says why a Redis is not reachable, without its password', async () => {
    const { port } = await healthyRedis({ password: 'correct-horse' });
    const { first: nobody } = await claimPorts(onTestFinished);
    const cases = [
      [`redis://127.0.0.1:${nobody}`, /^fail {2}reachable: connection refused .* - start it there/],
      [`redis://127.0.0.1:${port}`, /^fail {2}reachable: a password is asked for.* - give it with/],
      [`redis://:hunter2@127.0.0.1:${port}`, /^fail {2}reachable: user or password is wrong/],
    ] as const;
    for (const [url, line] of cases) {
      const { code, trouble, text } = await doctor('--redis.url', url);
      expect(trouble).toEqual([expect.stringMatching(line)]);
      expect(text).not.toContain('hunter2');
      expect(code).toBe(1);
    }
  });

  it('takes a wrong password for one also where none is needed by default', async () => {
    const { port, redis } = await healthyRedis();
    await redis.call('ACL', 'SETUSER', 'exporter', 'on', '>secret', '+@all');
    const { code, trouble } = await doctor(
      '--redis.url',
      `redis://exporter:hunter2@127.0.0.1:${port}`,
    );
    expect(trouble).toEqual([
      expect.stringMatching(/^fail {2}reachable: user or password is wrong/),
    ]);
    expect(code).toBe(1);
  });

  it('reads the password from a file, and finds a database that is not there', async () => {
    const { port } = await healthyRedis({ password: 'correct-horse' });
    const file = join(createTempFolder(onTestFinished), 'password');
    writeFileSync(file, 'correct-horse\n');
    const args = ['--redis.url', `redis://127.0.0.1:${port}/99`, '--redis.password-file', file];
    const { code, trouble, text } = await doctor(...args, ...NOTHING_TO_HEAR);
    expect(trouble).toContainEqual(
      expect.stringMatching(/^fail {2}select: there is no database 99 - /),
    );
    expect(text).not.toContain('correct-horse');
    expect(code).toBe(1);
  });

  it('examines several, names each, and gives JSON', async () => {
    const { port } = await healthyRedis();
    await publishTo(port, 0);
    const { first: nobody } = await claimPorts(onTestFinished);
    const urls = [
      '--redis.url',
      `redis://127.0.0.1:${port}#eu`,
      '--redis.url',
      `redis://127.0.0.1:${nobody}#us`,
    ];
    const text = await doctor(...urls);
    expect(text.lines[0]).toBe(`ok    eu reachable: answers at 127.0.0.1:${port}`);
    expect(text.trouble).toEqual([
      expect.stringMatching(/^fail {2}us reachable: connection refused/),
    ]);
    const json = await doctor(...urls, '--json');
    expect(json.lines.map((line) => JSON.parse(line)).at(-1)).toMatchObject({
      source: 'us',
      level: 'fail',
      what: 'reachable',
    });
    expect(json.code).toBe(1);
  });

  it('refuses bad usage with exit code 2, and explains itself', async () => {
    expect(await doctor()).toMatchObject({ code: 2, text: expect.stringContaining('--redis.url') });
    expect((await doctor('--nonsense')).code).toBe(2);
    const { code, text } = await doctor('--help');
    expect(code).toBe(0);
    expect(text).toContain('--doctor.wait=');
  });
});

const SENTINEL_PASSWORD = 'watch-9914';

interface Watched extends Scene {
  /** Sentinels that watch it, which ask for a user of their own. */
  readonly sentinels: readonly number[];
  /** Flags that let the doctor ask them. */
  readonly access: readonly string[];
}

/** A healthy Redis that coturn publishes to, and two Sentinels with users. */
async function watchedRedis(): Promise<Watched> {
  const scene = await healthyRedis();
  await publishTo(scene.port, 0);
  const user = `user watcher on >${SENTINEL_PASSWORD} +sentinel|get-master-addr-by-name`;
  const watch = { master: 'main', masterPort: scene.port, lines: [user, 'user default off'] };
  const sentinels = [
    await startSentinel(onTestFinished, watch),
    await startSentinel(onTestFinished, watch),
  ];
  return {
    ...scene,
    sentinels: sentinels.map(({ port }) => port),
    access: ['--redis.sentinel-user', 'watcher', '--redis.sentinel-password-file', secretFile()],
  };
}

function secretFile(text = SENTINEL_PASSWORD): string {
  const file = join(createTempFolder(onTestFinished), 'secret');
  writeFileSync(file, `${text}\n`);
  return file;
}

function sentinelUrl(ports: readonly number[], master = 'main'): string[] {
  const places = ports.map((port) => `127.0.0.1:${port}`).join(',');
  return ['--redis.url', `redis+sentinel://${places}/${master}`];
}

describe('doctor, of Sentinels', () => {
  it('asks every one by their own user, and examines the master that they name', async () => {
    const { port, sentinels, access } = await watchedRedis();
    const { code, lines, trouble } = await doctor(...sentinelUrl(sentinels), ...access);
    expect(trouble).toEqual([]);
    expect(lines.slice(0, 3)).toEqual([
      ...sentinels.map((at) => `ok    sentinel: 127.0.0.1:${at} names 127.0.0.1:${port} as main`),
      `ok    reachable: answers at 127.0.0.1:${port}`,
    ]);
    expect(lines.at(-1)).toMatch(/^ok {4}silent keys: /);
    expect(code).toBe(0);
  });

  it('warns of one that is away, and goes on with the other', async () => {
    const { port, sentinels, access } = await watchedRedis();
    const { first: nobody } = await claimPorts(onTestFinished);
    const [known = 0] = sentinels;
    const { code, lines, trouble } = await doctor(...sentinelUrl([nobody, known]), ...access);
    expect(trouble).toEqual([
      expect.stringMatching(
        new RegExp(`^warn {2}sentinel: connection refused \\(Sentinel 127.0.0.1:${nobody}\\) - `),
      ),
    ]);
    expect(lines).toContain(`ok    reachable: answers at 127.0.0.1:${port}`);
    expect(code).toBe(0);
  });

  it('warns of Sentinels that name different masters', async () => {
    const { sentinels, access } = await watchedRedis();
    const other = await watchedRedis();
    const ports = [sentinels[0] ?? 0, other.sentinels[0] ?? 0];
    const { trouble } = await doctor(...sentinelUrl(ports), ...access);
    expect(trouble).toEqual([
      expect.stringMatching(/^warn {2}sentinel: they name different masters: .*, .* - wait for /),
    ]);
  });

  it('tells a password of theirs from one of Redis, a wrong port and a wrong name', async () => {
    const { port, sentinels, access } = await watchedRedis();
    const user = ['--redis.sentinel-user', 'watcher', '--redis.sentinel-password-file'];
    const one = sentinels.slice(0, 1);
    const cases: readonly [string[], RegExp][] = [
      [
        [...sentinelUrl(one), ...user, secretFile('hunter2')],
        /^user or password is wrong: WRONGPASS .* - correct --redis\.sentinel-password-file /,
      ],
      [
        sentinelUrl(one),
        /^a password is asked for, and none was given: NOAUTH .* - give it with --redis\.sentinel-password-file$/,
      ],
      [
        [...sentinelUrl(one, 'other'), ...access],
        /knows no master of that name - compare --redis\.url with SENTINEL MASTERS/,
      ],
      [
        sentinelUrl([port]),
        /no Sentinel but a Redis .* - write the port of the Sentinels \(26379\)/,
      ],
    ];
    for (const [args, said] of cases) {
      const { code, trouble, text } = await doctor(...args);
      expect(trouble).toEqual([expect.stringMatching(/^fail {2}sentinel: /)]);
      expect(trouble[0]?.slice('fail  sentinel: '.length)).toMatch(said);
      expect(text).not.toMatch(/hunter2|watch-9914/);
      expect(code).toBe(1);
    }
  });
});

describe('doctor, of a cluster with TLS and a password', () => {
  it('looks at every node, and counts the keys of all masters', async () => {
    const authority = new CertificateAuthority(createTempFolder(onTestFinished), 'ca');
    const client = authority.issue();
    const password = 'cluster-5521';
    const nodes = await startCluster(onTestFinished, {
      tls: { ...authority.issue(), authority: authority.cert },
      password,
    });
    const setup = [
      ...['--redis.url', `rediss+cluster://${nodes.map(addressOf).join(',')}`],
      ...['--redis.password-file', secretFile(password), '--redis.tls-ca-file', authority.cert],
      ...['--redis.tls-cert-file', client.cert, '--redis.tls-key-file', client.key],
    ];
    for (const node of nodes) {
      const redis = new Redis({ port: node.port, password });
      await redis.config('SET', 'client-output-buffer-limit', BUFFER);
      for (const id of [1, 2, 3]) {
        const key = `turn/user/bob/allocation/00000000000000000${id}/status`;
        await redis.set(key, 'new lifetime=600').catch(() => undefined);
      }
      redis.disconnect();
    }
    const all = await doctor(...setup, ...NOTHING_TO_HEAR);
    expect(all.lines.slice(0, 4)).toEqual(
      nodes.map((node) => `ok    node: answers at ${addressOf(node)}`),
    );
    expect(all.lines).toContainEqual(
      expect.stringMatching(/^ok {4}status keys: 3 on the masters of the cluster /),
    );
    expect(all.trouble).toEqual([expect.stringMatching(/^warn {2}publisher: none seen in 200ms/)]);

    await nodes[3]?.stop();
    const three = await doctor(...setup, ...NOTHING_TO_HEAR);
    expect(three.trouble[0]).toMatch(/^warn {2}node: connection refused \(127\.0\.0\.1:\d+\) - /);
    expect(three.code).toBe(0);
  });
});

function addressOf({ tlsPort }: RedisServer): string {
  return `127.0.0.1:${tlsPort}`;
}

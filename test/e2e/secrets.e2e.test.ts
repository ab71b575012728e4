import { createHash } from 'node:crypto';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import bcryptjs from 'bcryptjs';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { makeCertificate } from '../support/certificates.ts';
import { createCleanup } from '../support/cleanup.ts';
import { type ExporterOptions, ExporterProcess } from '../support/exporter-process.ts';
import { claimPorts } from '../support/port-block.ts';
import { type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { startCluster, startSentinel } from '../support/redis-setups.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';

/** Every secret there is, each found nowhere else. */
const SECRETS = {
  redisUrl: 'planted-url-1#/@:%',
  redisFile: 'planted-file-2',
  sentinel: 'planted-sentinel-3',
  sentinelUrl: 'planted-sentinel-url-10',
  cluster: 'planted-cluster-11',
  server: 'planted-server-12',
  statsdb: 'planted-statsdb-4',
  guess: 'planted-guess-5',
  login: 'planted-login-6',
  hash: bcryptjs.hashSync('planted-login-6', 4),
  hashKey: 'planted-hash-key-7',
  turnserver: 'planted-turnserver-8',
  environment: 'planted-environment-9',
};
const USER = 'exporter-of-mine';
/** Of the Sentinels. */
const WATCHER = 'watcher-of-mine';
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

const cleanup = createCleanup();
const folder = createTempFolder(cleanup.defer);
let redis: RedisServer;
let second: RedisServer;
let sentinelPort = 0;
let clusterPort = 0;
/** In `--redis.url`: one way to each kind of setup, with a password wherever one can be. */
let urls = '';
/** Inner lines of the keys of certificates. */
let keyLines: readonly string[] = [];

beforeAll(async () => {
  redis = await startRedisServer(cleanup.defer, { password: SECRETS.redisFile });
  second = await startRedisServer(cleanup.defer, { password: SECRETS.redisFile });
  const admin = new Redis({ port: redis.port, password: SECRETS.redisFile });
  const password = createHash('sha256').update(SECRETS.redisUrl).digest('hex');
  await admin.call('ACL', 'SETUSER', USER, 'on', `#${password}`, '~*', '&*', '+@all');
  admin.disconnect();
  const watched = await startRedisServer(cleanup.defer, { password: SECRETS.sentinelUrl });
  const sentinel = await startSentinel(cleanup.defer, {
    ...{ master: 'main', masterPort: watched.port, masterPassword: SECRETS.sentinelUrl },
    lines: [`user ${WATCHER} on allchannels +@all >${SECRETS.sentinel}`, 'user default off'],
  });
  const [node] = await startCluster(cleanup.defer, { password: SECRETS.cluster });
  sentinelPort = sentinel.port;
  clusterPort = node?.port ?? 0;
  urls = [
    redisUrl(SECRETS.redisUrl),
    `redis://127.0.0.1:${second.port}/1#two`,
    `${sentinelUrl()}#three`,
    `${clusterUrl(SECRETS.cluster)}#four`,
  ].join(' ');
  const { cert, key } = makeCertificate(folder, 'web', { names: 'IP:127.0.0.1' });
  const client = makeCertificate(folder, 'client', { names: 'IP:127.0.0.1' });
  keyLines = [key, client.key].flatMap((name) =>
    readFileSync(name, 'utf8').split('\n').slice(1, -2),
  );
  file('redis', `${SECRETS.redisFile}\n`);
  file('sentinel', SECRETS.sentinel);
  file('statsdb', SECRETS.statsdb);
  file('servers', `turn-1:${SECRETS.server}\n`);
  file('bad-servers', `turn-1:${SECRETS.server}\nturn-2:${SECRETS.server}\n`);
  file('no-servers', `${SECRETS.server}\n`);
  file('hash-key', SECRETS.hashKey);
  file('two-lines', `${SECRETS.redisFile}\n${SECRETS.statsdb}\n`);
  file('web.yml', webConfig(cert, key));
  file('bad-hash.yml', `basic_auth_users:\n  alice: ${SECRETS.login}\n`);
  file('bad-key.yml', `tls_server_config:\n  cert: x\n  key: ${keyLines[0]}\n`);
  file('bad-yaml.yml', `basic_auth_users:\n  alice: ${SECRETS.hash}\n bob: [${SECRETS.login}\n`);
  file('turnserver.conf', `redis-statsdb="ip=127.0.0.1 password=${SECRETS.turnserver} port=1"\n`);
});
afterAll(() => cleanup.run());

function path(name: string): string {
  return join(folder, name);
}

function file(name: string, text: string): void {
  writeFileSync(path(name), text);
}

function webConfig(cert: string, key: string): string {
  const inline = (name: string): string => readFileSync(name, 'utf8').replaceAll(/^/gm, '    ');
  return `tls_server_config:\n  cert: |\n${inline(cert)}\n  key: |\n${inline(key)}\nbasic_auth_users:\n  alice: ${SECRETS.hash}\n`;
}

/** With `%23` for `#` and the like, as a URL has to have it. */
function redisUrl(password: string): string {
  return `redis://${USER}:${encodeURIComponent(password)}@127.0.0.1:${redis.port}/0#one`;
}

function sentinelUrl(): string {
  return `redis+sentinel://:${SECRETS.sentinelUrl}@127.0.0.1:${sentinelPort}/main`;
}

function clusterUrl(password: string): string {
  return `redis+cluster://default:${password}@127.0.0.1:${clusterPort}`;
}

function expectNoSecret(text: string): void {
  const forms = Object.values(SECRETS).flatMap((secret) => [
    ...[secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)],
    Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  ]);
  expect([...forms, ...keyLines].filter((secret) => text.includes(secret))).toEqual([]);
}

/** What a command says, to its end. */
async function said(options: ExporterOptions): Promise<{ code: number | null; text: string }> {
  const { process } = new ExporterProcess(onTestFinished, options);
  const { code } = await process.exited;
  return { code, text: [...process.stdout, ...process.stderr].join('\n') };
}

/** A page, over TLS and with a login, whoever signed the certificate. */
function fetchPage(url: string, login: string): Promise<string> {
  const authorization = `Basic ${Buffer.from(login).toString('base64')}`;
  return new Promise((resolve, reject) => {
    const options = { rejectUnauthorized: false, headers: { authorization } };
    request(url, options, (answer) => {
      let text = JSON.stringify(answer.headers);
      answer.on('data', (piece) => {
        text += piece;
      });
      answer.on('end', () => resolve(text));
    })
      .on('error', reject)
      .end();
  });
}

const FILES = [...['--user.label=hash', '--web.config.file', '--statsdb.password-file']] as const;

function goodArgs(port: number): string[] {
  const [label, web, statsdb] = FILES;
  return [
    ...[label, `--user.hash-key-file=${path('hash-key')}`],
    ...[web, path('web.yml'), statsdb, path('statsdb')],
    ...[`--statsdb.listen-address=127.0.0.1:${port}`, `--redis.password-file=${path('redis')}`],
    ...[`--statsdb.servers-file=${path('servers')}`, `--redis.sentinel-user=${WATCHER}`],
    `--redis.sentinel-password-file=${path('sentinel')}`,
  ];
}

/** Keys of certificates too, which the servers of this test would have to know. */
function allArgs(): string[] {
  const [cert, key] = [path('client.pem'), path('client.key')];
  return [
    ...goodArgs(6380),
    ...[`--redis.tls-cert-file=${cert}`, `--redis.tls-key-file=${key}`],
    ...[`--statsdb.tls-cert-file=${cert}`, `--statsdb.tls-key-file=${key}`],
  ];
}

describe('secrets', () => {
  it.each(LEVELS)(
    'are in no log, page or title of a running exporter, at level %s',
    async (level) => {
      const { first: port } = await claimPorts(onTestFinished);
      const exporter = new ExporterProcess(onTestFinished, {
        args: [
          ...goodArgs(port),
          `--log.level=${level}`,
          `--web.listen-address=127.0.0.1:${port + 1}`,
        ],
        env: {
          COTURN_EXPORTER_REDIS_URL: urls,
          COTURN_EXPORTER_LOG_FORMAT: level === 'debug' ? 'pretty' : 'json',
        },
      });
      const url = `https://127.0.0.1:${port + 1}`;
      const pages = ['/metrics', '/', '/readyz', '/drain', '/livez', `/${SECRETS.guess}`];
      const metrics = await until(() => fetchPage(`${url}/metrics`, `alice:${SECRETS.login}`), {
        what: 'every Redis to be up',
        isDone: (text) =>
          (text.match(/^coturn_up\{source="(?:one|two|three|four)"\} 1$/gm) ?? []).length === 4,
      });
      const guesser = connect(port, '127.0.0.1').on('error', () => undefined);
      guesser.resume().write(`AUTH ${SECRETS.guess}\r\n`.repeat(5));
      const answers = await Promise.all(
        pages.flatMap((page) => [
          fetchPage(url + page, `alice:${SECRETS.login}`),
          fetchPage(url + page, `alice:${SECRETS.guess}`),
        ]),
      );
      appendFileSync(path('web.yml'), `  bob: ${SECRETS.login}\n`);
      await fetchPage(`${url}/metrics`, `alice:${SECRETS.login}`);
      const titles = ['cmdline', 'comm', 'status'].map((name) =>
        readFileSync(`/proc/${exporter.process.pid}/${name}`, 'utf8'),
      );
      await exporter.stop();
      const { stdout, stderr } = exporter.process;
      expectNoSecret([metrics, ...answers, ...titles, ...stdout, ...stderr].join('\n'));
      const text = readFileSync(path('web.yml'), 'utf8');
      file('web.yml', text.slice(0, text.lastIndexOf('  bob:')));
      // It did say something: the test would pass on silence.
      if (level === 'trace') expect(stderr.join('\n')).toContain('the one before holds');
    },
    60_000,
  );

  it.each([
    ['--help', ['--help']],
    ['--print-config', ['--print-config']],
    ['--check-config', ['--check-config']],
    ['doctor', ['doctor', '--doctor.wait=0s']],
    ['doctor as JSON', ['doctor', '--doctor.wait=0s', '--json']],
    ['healthcheck', ['healthcheck']],
  ])('are in nothing that %s prints', async (_what, args) => {
    const { text } = await said({
      args: [...args, ...(args[0]?.startsWith('--') ? allArgs() : [])],
      // The last one is what certificates are for.
      env: { COTURN_EXPORTER_REDIS_URL: `${urls} rediss://:${SECRETS.guess}@127.0.0.1:1` },
    });
    expect(text).not.toBe('');
    expectNoSecret(text);
  });

  it.each([
    ['a wrong password', () => ['doctor', `--redis.url=${redisUrl(SECRETS.guess)}`]],
    [
      'a wrong password of the Sentinels',
      () => [
        ...['doctor', '--doctor.wait=0s', '--redis.url', sentinelUrl()],
        ...[
          `--redis.sentinel-user=${WATCHER}`,
          `--redis.sentinel-password-file=${path('statsdb')}`,
        ],
      ],
    ],
    [
      'Sentinels without a user',
      () => ['doctor', '--doctor.wait=0s', '--redis.url', sentinelUrl()],
    ],
    [
      'a user of the Sentinels without a password',
      () => [`--redis.url=${sentinelUrl()}`, `--redis.sentinel-user=${WATCHER}`],
    ],
    [
      'a wrong password of a cluster',
      () => ['doctor', '--doctor.wait=0s', '--redis.url', clusterUrl(SECRETS.guess)],
    ],
    ['a cluster with a database', () => [`--redis.url=${clusterUrl(SECRETS.cluster)}/3`]],
    ['a Sentinel without a master', () => [`--redis.url=redis+sentinel://:${SECRETS.guess}@h`]],
    ['one password of two servers', () => [`--statsdb.servers-file=${path('bad-servers')}`]],
    ['a password without its server', () => [`--statsdb.servers-file=${path('no-servers')}`]],
    ['a wrong port', () => [`--redis.url=redis://u:${SECRETS.guess}@h:99999`]],
    ['no host', () => [`--redis.url=redis://u:${SECRETS.guess}`]],
    ['another scheme', () => [`--redis.url=http://u:${SECRETS.guess}@h`]],
    ['a query', () => [`--redis.url=redis://h/0?password=${SECRETS.guess}`]],
    ['a flag too few', () => [`redis://u:${SECRETS.guess}@h`]],
    ['a mistyped flag', () => [`--redis.pasword=${SECRETS.guess}`]],
    ['a flag that there is not', () => ['--web.password', SECRETS.guess]],
    [
      'two lines in a file',
      () => [`--redis.url=redis://h`, `--redis.password-file=${path('two-lines')}`],
    ],
    ['a file without its flag', () => [`--user.hash-key-file=${path('hash-key')}`]],
    ['a password for a hash', () => [`--web.config.file=${path('bad-hash.yml')}`]],
    ['a key that is none', () => [`--web.config.file=${path('bad-key.yml')}`]],
    ['bad YAML', () => [`--web.config.file=${path('bad-yaml.yml')}`]],
    [
      'a TLS key that is a password',
      () => [
        `--statsdb.tls-cert-file=${path('web.pem')}`,
        `--statsdb.tls-key-file=${path('statsdb')}`,
      ],
    ],
    ['nobody at the statsdb', () => ['doctor', `--turnserver-conf=${path('turnserver.conf')}`]],
    ['a simulation of nobody', () => ['simulate', `--target=redis://u:${SECRETS.guess}@h:x`]],
  ])('are in no complaint about %s', async (_what, args) => {
    const { code, text } = await said({ args: args() });
    expect(code).not.toBe(0);
    expect(text).not.toBe('');
    expectNoSecret(text);
  });

  it.each(['REDIS_PASSWORD', 'USER_HASH_KEY', 'STATSDB_PASSWORD'])(
    'are in no complaint about a variable %s that there is not',
    async (name) => {
      const { code, text } = await said({
        args: [],
        env: { [`COTURN_EXPORTER_${name}`]: SECRETS.environment },
      });
      expect(code).toBe(2);
      expectNoSecret(text);
    },
  );
});

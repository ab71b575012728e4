import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import bcryptjs from 'bcryptjs';
import { pino } from 'pino';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { plain } from '../../../src/http/route.ts';
import { createWebServer } from '../../../src/http/server.ts';
import { openWebLock, type WebLock } from '../../../src/http/web-lock.ts';
import { WebStats } from '../../../src/metrics/web-metrics.ts';
import { makeCertificate } from '../../support/certificates.ts';
import { createCleanup } from '../../support/cleanup.ts';
import { createTempFolder } from '../../support/temp-folder.ts';

const HASH = bcryptjs.hashSync('secret', 4);
const USERS = `basic_auth_users:\n  alice: ${HASH}\n`;
const TLS = 'tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n';
const cleanup = createCleanup();
let certificates = '';

beforeAll(() => {
  certificates = createTempFolder(cleanup.defer);
  const ca = makeCertificate(certificates, 'ca');
  makeCertificate(certificates, 'server', { issuer: ca, names: 'IP:127.0.0.1' });
  makeCertificate(certificates, 'server2', { issuer: ca, names: 'IP:127.0.0.1' });
  makeCertificate(certificates, 'rsa', { keyType: 'rsa' });
  makeCertificate(certificates, 'client', { issuer: ca, names: 'DNS:client.example,IP:192.0.2.7' });
  return () => cleanup.run();
});

interface Scene {
  readonly folder: string;
  readonly lock: WebLock;
  readonly stats: WebStats;
  readonly log: string[];
  write(config: string): void;
  /** Puts another pair of certificate and key in place of the server's. */
  replace(name: string): void;
  nowMs: number;
}

function createScene(config: string): Scene {
  const folder = createTempFolder(onTestFinished);
  const put = (from: string, to: string): void => {
    // As tools do that replace certificates: never half of one.
    copyFileSync(join(certificates, from), join(folder, 'new'));
    renameSync(join(folder, 'new'), join(folder, to));
  };
  for (const name of ['ca.pem', 'server.pem', 'server.key']) put(name, name);
  const path = join(folder, 'web.yml');
  writeFileSync(path, config);
  const log: string[] = [];
  const stats = new WebStats();
  const scene = { nowMs: 0 };
  const lock = openWebLock({
    path,
    stats,
    log: pino({}, { write: (line: string) => void log.push(line) }),
    nowMs: () => scene.nowMs,
  });
  onTestFinished(() => lock.close());
  return Object.assign(scene, {
    folder,
    lock,
    stats,
    log,
    write: (text: string) => writeFileSync(path, text),
    replace: (name: string) => {
      put(`${name}.pem`, 'server.pem');
      put(`${name}.key`, 'server.key');
    },
  });
}

const basic = (login: string): string => `Basic ${Buffer.from(login).toString('base64')}`;

describe('WebLock.verdict', () => {
  it.each([
    [undefined, 'no'],
    ['', 'no'],
    ['Bearer abc', 'no'],
    ['Basic', 'no'],
    ['Basic !!!', 'no'],
    [basic('alice'), 'no'],
    [basic('alice:'), 'no'],
    [basic(':'), 'no'],
    [basic('alice:Secret'), 'no'],
    [basic('mallory:secret'), 'no'],
    [basic('alice:secret'), 'yes'],
    [basic('alice:secret').replace('Basic', 'bAsIc'), 'yes'],
  ])('of %j is %s', async (header, verdict) => {
    const { lock } = createScene(USERS);
    expect(await lock.verdict(header)).toBe(verdict);
    expect(await lock.verdict(header)).toBe(verdict);
  });

  it.each([
    // Of OpenBSD's regression tests and of crypt_blowfish.
    ['U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
    // Of the test data of Prometheus' exporter-toolkit.
    ['fakepassword', '$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi'],
    ['ünï', bcryptjs.hashSync('ünï', 4)],
    ['x'.repeat(90), bcryptjs.hashSync('x'.repeat(72), 4)],
  ])('knows %j by its hash', async (password, hash) => {
    const { lock } = createScene(`basic_auth_users:\n  alice: ${hash}\n`);
    expect(await lock.verdict(basic(`alice:${password}`))).toBe('yes');
    expect(await lock.verdict(basic(`alice:!${password}`))).toBe('no');
  });

  it('takes as long for a user who does not exist', async () => {
    const { lock } = createScene(`basic_auth_users:\n  alice: ${bcryptjs.hashSync('secret', 8)}\n`);
    const shortest = async (user: string): Promise<number> => {
      const times: number[] = [];
      for (let time = 0; time < 7; time += 1) {
        const begin = performance.now();
        await lock.verdict(basic(`${user}:${time}`));
        times.push(performance.now() - begin);
      }
      return Math.min(...times);
    };
    await lock.verdict(basic('alice:first'));
    const [known, unknown] = [await shortest('alice'), await shortest('mallory')];
    // A busy machine takes its share; without a hash to check it would be one to a hundred.
    expect(unknown / known).toBeGreaterThan(0.1);
    expect(unknown / known).toBeLessThan(10);
  });

  it('lets everybody in where there are no users', async () => {
    expect(await createScene('').lock.verdict(undefined)).toBe('yes');
  });

  it('tells most of a flood of guesses to come back, and remembers who was let in', async () => {
    const { lock } = createScene(USERS);
    expect(await lock.verdict(basic('alice:secret'))).toBe('yes');
    const guesses = Array.from({ length: 100 }, (_, index) =>
      lock.verdict(basic(`alice:${index}`)),
    );
    expect(await lock.verdict(basic('alice:secret'))).toBe('yes');
    const verdicts = await Promise.all(guesses);
    expect(verdicts.filter((verdict) => verdict === 'no')).toHaveLength(16);
    expect(verdicts.filter((verdict) => verdict === 'busy')).toHaveLength(84);
  });

  it('follows the file: a user who is taken out is no longer let in', async () => {
    const { lock, write } = createScene(`${USERS}  bob: ${HASH}\n`);
    expect(await lock.verdict(basic('bob:secret'))).toBe('yes');
    write(USERS);
    expect(await lock.verdict(basic('bob:secret'))).toBe('no');
    expect(await lock.verdict(basic('alice:secret'))).toBe('yes');
  });
});

describe('WebLock.isAboveRate', () => {
  it('allows a burst, then one request per interval', () => {
    const scene = createScene('rate_limit:\n  interval: 1s\n  burst: 3\n');
    const ask = (): boolean[] => Array.from({ length: 5 }, () => scene.lock.isAboveRate());
    expect(ask()).toEqual([false, false, false, true, true]);
    scene.nowMs += 1_000;
    expect(ask()).toEqual([false, true, true, true, true]);
    scene.nowMs += 60_000;
    expect(ask()).toEqual([false, false, false, true, true]);
  });

  it('allows everything without a limit', () => {
    const { lock } = createScene('');
    for (let count = 0; count < 1_000; count += 1) expect(lock.isAboveRate()).toBe(false);
  });
});

describe('WebLock.refresh', () => {
  it.each([
    ['an unknown key', 'users:\n'],
    ['an empty file', ' \n'],
    ['a key that does not fit', `${TLS.replace('server.key', 'web.yml')}${USERS}`],
    ['no TLS any more', USERS],
  ])('keeps what it has, and says so, for %s', async (_what, config) => {
    const { lock, stats, log, write } = createScene(TLS + USERS);
    const { tls } = lock;
    write(config);
    lock.refresh();
    lock.refresh();
    expect(lock.tls).toBe(tls);
    expect(await lock.verdict(undefined)).toBe('no');
    expect(stats).toMatchObject({ isConfigGood: false, reloads: { failed: 1, success: 0 } });
    expect(log).toHaveLength(1);
    expect(log[0]).toContain('the one before holds');
    write(`${TLS}${USERS}# again\n`);
    lock.refresh();
    expect(stats).toMatchObject({ isConfigGood: true, reloads: { failed: 1, success: 1 } });
  });

  it('reads files that begin with a byte order mark, and forgets no lock over it', async () => {
    const { lock, write } = createScene(`\uFEFF${USERS}`);
    expect(await lock.verdict(undefined)).toBe('no');
    expect(await lock.verdict(basic('alice:secret'))).toBe('yes');
    write(`\uFEFF${USERS}  bob: ${HASH}\n`);
    expect(await lock.verdict(basic('bob:secret'))).toBe('yes');
  });

  it('does not start with a key of another certificate, be it of the same kind or of another', () => {
    for (const name of ['client', 'rsa']) {
      const key = JSON.stringify(join(certificates, `${name}.key`));
      expect(() => createScene(TLS.replace('server.key', key))).toThrow(
        'certificate, key and rules do not work together (ERR_OSSL_X509_KEY_VALUES_MISMATCH)',
      );
    }
  });

  it('does not start with a file that is none', () => {
    expect(() => createScene('').lock).not.toThrow();
    const open = (path: string): WebLock =>
      openWebLock({ path, stats: new WebStats(), log: pino({ level: 'silent' }), nowMs: () => 0 });
    expect(() => open('/nothing/web.yml')).toThrow(
      'Cannot use --web.config.file "/nothing/web.yml": cannot be read (ENOENT)',
    );
    expect(() => open('/tmp')).toThrow('expected a regular file');
    expect(() => open('/dev/zero')).toThrow('expected a regular file');
  });
});

describe('a server with a lock', () => {
  interface Served extends Scene {
    ask(options?: ConnectionOptions): Promise<{ status: string; serial: string }>;
    open(options?: ConnectionOptions): Promise<TLSSocket>;
  }

  async function serve(config: string): Promise<Served> {
    const scene = createScene(config);
    const server = createWebServer({
      routes: new Map([['/livez', { kind: 'probe', answer: () => plain(200, 'ok') }]]),
      maxRequests: 40,
      probesUnauthenticated: false,
      lock: scene.lock,
      stats: scene.stats,
      log: pino({ level: 'silent' }),
      nowMs: () => 0,
    });
    onTestFinished(() => server.close());
    const url = new URL(await server.listen({ host: '127.0.0.1', port: 0 }));
    expect(url.protocol).toBe('https:');
    const ca = readFileSync(join(certificates, 'ca.pem'));
    const open = (options: ConnectionOptions = {}): Promise<TLSSocket> =>
      new Promise((resolve, reject) => {
        const socket = connect({ ...options, ca, host: '127.0.0.1', port: Number(url.port) });
        onTestFinished(() => void socket.destroy());
        socket.once('secureConnect', () => resolve(socket));
        socket.once('error', reject);
      });
    return Object.assign(scene, {
      open,
      async ask(options: ConnectionOptions = {}) {
        const socket = await open(options);
        const serial = socket.getPeerCertificate().serialNumber;
        socket.write('GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
        const answer = await text(socket).catch(() => '');
        return { status: answer.split(' ')[1] ?? 'refused', serial };
      },
    });
  }

  it('serves a certificate that was replaced to the next connection, and keeps those it has', async () => {
    const { ask, open, replace, stats } = await serve(TLS);
    const before = await ask();
    const kept = await open();
    replace('server2');
    const after = await ask();
    expect([before.status, after.status]).toEqual(['200', '200']);
    expect(after.serial).not.toBe(before.serial);
    kept.write('GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(await text(kept)).toContain('200 OK');
    expect(stats.isConfigGood).toBe(true);
  });

  it.each([
    ['client.example', '200'],
    ['192.0.2.7', '200'],
    ['example', 'refused'],
  ])('with client_allowed_sans: [%s] gives a client of other names %s', async (name, status) => {
    const rules = '  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n';
    const { ask } = await serve(`${TLS}${rules}  client_allowed_sans: [${name}]\n`);
    const client = {
      cert: readFileSync(join(certificates, 'client.pem')),
      key: readFileSync(join(certificates, 'client.key')),
    };
    expect((await ask(client)).status).toBe(status);
  });

  it('takes certificate and key from the file itself', async () => {
    const indent = (name: string): string =>
      readFileSync(join(certificates, name), 'utf8').replaceAll(/^/gm, '    ');
    const { ask } = await serve(
      `tls_server_config:\n  cert: |\n${indent('server.pem')}\n  key: |\n${indent('server.key')}\n`,
    );
    expect((await ask()).status).toBe('200');
  });

  it('speaks HTTP/2 unless told otherwise', async () => {
    const { open } = await serve(TLS);
    const both = { ALPNProtocols: ['h2', 'http/1.1'] };

    expect((await open(both)).alpnProtocol).toBe('h2');
    const old = await serve(`${TLS}http_server_config:\n  http2: false\n`);

    expect((await old.open(both)).alpnProtocol).not.toBe('h2');
  });
});

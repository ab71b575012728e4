import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect as connectNet, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type ConnectionOptions, connect as connectTls, type SecureVersion } from 'node:tls';
import bcryptjs from 'bcryptjs';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { makeCertificate } from '../support/certificates.ts';
import { createCleanup, type Defer } from '../support/cleanup.ts';
import { launchExporter } from '../support/exporter-process.ts';
import { claimPorts } from '../support/port-block.ts';
import { runPromtool } from '../support/promtool.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { TestProcess } from '../support/test-process.ts';
import { until } from '../support/until.ts';
import { webConfigCases } from '../support/web-config-cases.ts';

const HASH = bcryptjs.hashSync('secret', 4);
const CASES = webConfigCases(HASH);
const LOGINS = { alice: 'alice:secret', wrong: 'alice:Secret', nobody: 'mallory:secret' };

/** The folder with the certificates and one file of configuration for each case. */
function createFolder(defer: Defer): string {
  const folder = createTempFolder(defer);
  const ca = makeCertificate(folder, 'ca');
  // The older cipher suites in the files are for RSA.
  makeCertificate(folder, 'server', { issuer: ca, names: 'IP:127.0.0.1', keyType: 'rsa' });
  makeCertificate(folder, 'client', { issuer: ca, names: 'DNS:client.example' });
  makeCertificate(folder, 'stranger');
  for (const [index, { text: content }] of CASES.entries()) {
    writeFileSync(join(folder, `${index}.yml`), content);
  }
  return folder;
}

interface Asked {
  readonly port: number;
  readonly path: string;
  readonly tls?: ConnectionOptions;
  readonly login?: string;
}

/** The status of an answer with its own headers, or that there was none. */
async function ask({ port, path, tls, login }: Asked): Promise<string> {
  const socket: Socket =
    tls === undefined
      ? connectNet(port, '127.0.0.1')
      : connectTls({
          ciphers: 'DEFAULT:@SECLEVEL=0',
          ...tls,
          host: '127.0.0.1',
          port,
          rejectUnauthorized: false,
        });
  try {
    await once(socket, tls === undefined ? 'connect' : 'secureConnect');
    const basic = login === undefined ? '' : `Authorization: Basic ${btoa(login)}\r\n`;
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n${basic}Connection: close\r\n\r\n`);
    const answer = await text(socket);
    const status = /^HTTP\/1.1 (200|401) /.exec(answer)?.[1];
    const [head = ''] = answer.split('\r\n\r\n');
    const headers = head.match(/^(x-frame-options|strict-transport-security): .*/gim) ?? [];
    return [status ?? 'refused', ...headers.map((line) => line.toLowerCase()).toSorted()].join(' ');
  } catch {
    return 'refused';
  } finally {
    socket.destroy();
  }
}

/** What a server with one of the files answers whom. */
async function examine(
  folder: string,
  port: number,
  path: string,
): Promise<Record<string, string>> {
  const pair = (name: string): ConnectionOptions => ({
    cert: readFileSync(join(folder, `${name}.pem`)),
    key: readFileSync(join(folder, `${name}.key`)),
  });
  const only = (version: SecureVersion): ConnectionOptions => ({
    minVersion: version,
    maxVersion: version,
  });
  const client = pair('client');
  const login = LOGINS.alice;
  const questions: Record<string, Omit<Asked, 'port' | 'path'>> = {
    'plain HTTP': {},
    'plain HTTP, logged in': { login },
    'TLS 1.0': { tls: { ...client, ...only('TLSv1') }, login },
    'TLS 1.1': { tls: { ...client, ...only('TLSv1.1') }, login },
    'TLS 1.2': { tls: { ...client, ...only('TLSv1.2') }, login },
    'TLS 1.3': { tls: { ...client, ...only('TLSv1.3') }, login },
    'another cipher': { tls: { ...client, ...only('TLSv1.2'), ciphers: 'AES128-SHA' }, login },
    'no certificate': { tls: {}, login },
    'no certificate, TLS 1.2': { tls: only('TLSv1.2'), login },
    "a stranger's certificate": { tls: pair('stranger'), login },
    "a stranger's certificate, TLS 1.2": {
      tls: { ...pair('stranger'), ...only('TLSv1.2') },
      login,
    },
    'no login': { tls: client },
    'a wrong password': { tls: client, login: LOGINS.wrong },
    'an unknown user': { tls: client, login: LOGINS.nobody },
  };
  const answers = Object.entries(questions).map(
    async ([who, question]) => [who, await ask({ port, path, ...question })] as const,
  );
  return Object.fromEntries(await Promise.all(answers));
}

async function examinePrometheus(defer: Defer, folder: string, file: string) {
  const { first: port } = await claimPorts(defer);
  const data = createTempFolder(defer);
  const config = join(data, 'prometheus.yml');
  writeFileSync(config, '{}\n');
  const server = new TestProcess(defer, {
    command: 'prometheus',
    args: [
      `--config.file=${config}`,
      `--web.config.file=${file}`,
      `--storage.tsdb.path=${join(data, 'tsdb')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
  });
  await until(() => server.stderr.some((line) => line.includes('Server is ready')), {
    what: 'Prometheus to be ready',
    isDone: (isReady) => isReady || !server.isRunning,
    timeoutMs: 60_000,
    show: () => server.describe(),
  });
  const answers = server.isRunning ? await examine(folder, port, '/-/healthy') : {};
  if (Object.values(answers).some((answer) => answer !== 'refused')) return answers;
  // It is ready before its web server is, which may yet refuse the file and end it.
  await server.exited;
  return 'refuses to start';
}

async function examineExporter(defer: Defer, folder: string, file: string) {
  const args = ['--web.config.file', file, '--statsdb.listen-address', '127.0.0.1:0'];
  const exporter = launchExporter(defer, { args });
  const isUp = await exporter.listening().then(
    () => true,
    () => false,
  );
  if (isUp) return await examine(folder, Number(new URL(exporter.address).port), '/livez');
  const { code } = await exporter.process.exited;
  return code === 2 ? 'refuses to start' : `ends with ${code}`;
}

describe('--web.config.file', () => {
  const cleanup = createCleanup();
  let folder = '';
  beforeAll(() => {
    folder = createFolder(cleanup.defer);
    return () => cleanup.run();
  });

  it.each(CASES.map(({ name }, index) => [name, index] as const))(
    'takes or refuses what Prometheus does, and lets in whom it does: %s',
    async (_name, index) => {
      const file = join(folder, `${index}.yml`);
      const isGood = runPromtool(['check', 'web-config', file]).exitCode === 0;
      const [theirs, ours] = await Promise.all([
        examinePrometheus(onTestFinished, folder, file),
        examineExporter(onTestFinished, folder, file),
      ]);
      expect(ours).toEqual(theirs);
      // promtool does not know what HTTP/2 needs of ciphers; Prometheus does.
      if (!isGood) expect(ours).toBe('refuses to start');
    },
    120_000,
  );

  it('is examined by questions that tell one file from another', async () => {
    const answers = await Promise.all(
      ['TLS and a user', 'RequireAndVerifyClientCert', 'TLS 1.0 and later', 'headers'].map((name) =>
        examineExporter(
          onTestFinished,
          folder,
          join(folder, `${CASES.findIndex((each) => each.name === name)}.yml`),
        ),
      ),
    );
    expect(answers).toMatchObject([
      {
        'plain HTTP': 'refused',
        'TLS 1.1': 'refused',
        'TLS 1.2': '200',
        'TLS 1.3': '200',
        'no certificate': '200',
        'no login': '401',
        'a wrong password': '401',
        'an unknown user': '401',
      },
      { 'TLS 1.3': '200', 'no certificate': 'refused', "a stranger's certificate": 'refused' },
      { 'TLS 1.0': '200', 'TLS 1.1': '200', 'TLS 1.3': '200' },
      { 'plain HTTP': '200 strict-transport-security: max-age=1 x-frame-options: deny' },
    ]);
  });
});

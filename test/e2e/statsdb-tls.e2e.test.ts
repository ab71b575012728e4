import { execFile } from 'node:child_process';
import { cpSync, readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SourceStats } from '../../src/domain/source-stats.ts';
import { createStatsdbSource } from '../../src/sources/statsdb/statsdb-source.ts';
import { type CertificateFiles, makeCertificate } from '../support/certificates.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { FakeSink } from '../unit/sources/fake-sink.ts';
import { decode } from '../unit/sources/resp/decoded.ts';
import { statsdbOptions } from '../unit/sources/statsdb-options.ts';

const run = promisify(execFile);
const KEY = 'turn/realm/example.org/user/alice/allocation/001000000000000001/status';
const STATUS = 'new lifetime=600';

const folder = createTempFolder(afterAll);
const sink = new FakeSink();
const log: Record<string, unknown>[] = [];
let authority: CertificateFiles;
let friend: CertificateFiles;
let stranger: CertificateFiles;
let source: ReturnType<typeof createStatsdbSource>;

const served = { cert: join(folder, 'served.pem'), key: join(folder, 'served.key') };

/** Puts a certificate where it is served from, as a tool for renewing certificates does. */
function serve({ cert, key }: CertificateFiles): void {
  cpSync(cert, served.cert);
  cpSync(key, served.key);
}

beforeAll(async () => {
  authority = makeCertificate(folder, 'authority');
  const names = 'DNS:localhost,IP:127.0.0.1';
  friend = makeCertificate(folder, 'coturn', { issuer: authority });
  stranger = makeCertificate(folder, 'stranger');
  serve(makeCertificate(folder, 'first', { issuer: authority, names }));
  source = createStatsdbSource({
    ...statsdbOptions(),
    listen: { host: '127.0.0.1', port: 0 },
    tls: { certFile: served.cert, keyFile: served.key, clientCaFile: authority.cert },
    sink,
    stats: new SourceStats('statsdb', 'connection'),
    nowMs: () => 0,
    log: pino({ level: 'info' }, { write: (line: string) => void log.push(JSON.parse(line)) }),
  });
  await source.start();
});
afterAll(() => source.stop());

const port = (): string => String(source.address?.port);

/** What `redis-cli` prints for a command over TLS. */
async function cli(client: CertificateFiles, ...args: string[]): Promise<string> {
  const tls = ['--tls', '--cacert', authority.cert, '--cert', client.cert, '--key', client.key];
  const { stdout, stderr } = await run('redis-cli', ['-p', port(), ...tls, ...args], {
    timeout: 10_000,
  }).catch((error: { stdout: string; stderr: string }) => error);
  return `${stdout}${stderr}`.trimEnd();
}

describe('the statsdb over TLS', () => {
  it('takes messages of a client with a certificate', async () => {
    expect(await cli(friend, 'publish', KEY, STATUS)).toBe('1');
    expect(sink.calls).toContain(`127.0.0.1 ${KEY} ${STATUS}`);
  });

  it.each(['4.6.1', '4.17.1'])('takes all that coturn %s sends', async (version) => {
    const fixture = new URL(`../fixtures/wire/${version}/wire.bin`, import.meta.url);
    const bytes = readFileSync(fixture);
    const before = sink.calls.length;
    const socket = connect({
      port: Number(port()),
      host: '127.0.0.1',
      ca: readFileSync(authority.cert),
      cert: readFileSync(friend.cert),
      key: readFileSync(friend.key),
    });
    socket.end(bytes).resume();
    await new Promise((resolve) => socket.once('close', resolve));
    const published = decode(bytes).commands.filter(([name]) =>
      /^(publish|keys)$/i.test(name ?? ''),
    );
    expect(published.length).toBeGreaterThan(5);
    // coturn asks for its keys once for each authentication thread; that is one start.
    const starts = published.filter(([name]) => /^keys$/i.test(name ?? '')).length;
    expect(sink.calls.length - before).toBeGreaterThanOrEqual(published.length - starts);
  });

  it('refuses plain text, with a line that says what to do', async () => {
    const { stdout, stderr } = await run('redis-cli', ['-p', port(), 'ping'], {
      timeout: 10_000,
    }).catch((error: { stdout: string; stderr: string }) => error);
    expect(`${stdout}${stderr}`).not.toContain('PONG');
    expect(source.statsdb.refused.plain_text).toBe(1);
    expect(log).toContainEqual(
      expect.objectContaining({
        reason: 'plain_text',
        peer: expect.stringContaining('127.0.0.1') as string,
        msg: expect.stringContaining('tls=true') as string,
      }),
    );
  });

  it('refuses a client whose certificate is of another authority', async () => {
    expect(await cli(stranger, 'ping')).not.toContain('PONG');
    expect(source.statsdb.refused.tls_handshake).toBe(1);
  });

  it('serves a new certificate to the next connection, and keeps the old when it is bad', async () => {
    const shown = async (): Promise<string> => {
      const args = ['s_client', '-connect', `127.0.0.1:${port()}`, '-CAfile', authority.cert];
      const { stdout } = await run(
        'sh',
        ['-c', `openssl "$@" -cert ${friend.cert} -key ${friend.key} </dev/null`, 'sh', ...args],
        { timeout: 10_000 },
      );
      return /subject=CN = (\w+)/.exec(stdout)?.[1] ?? stdout;
    };
    expect(await shown()).toBe('first');
    serve(makeCertificate(folder, 'second', { issuer: authority }));
    expect(await shown()).toBe('second');
    cpSync(stranger.key, served.key);
    utimesSync(served.key, 1, 1);
    expect(await shown()).toBe('second');
    expect(log.at(-1)?.['msg']).toContain('keeps the old');
  });
});

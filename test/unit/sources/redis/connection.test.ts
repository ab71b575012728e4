import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RedisAccess } from '../../../../src/config/redis-access.ts';
import { contextOf, connect as examine } from '../../../../src/doctor/connect.ts';
import {
  type ConnectionContext,
  ConnectionFailure,
  explain,
  openConnection,
} from '../../../../src/sources/redis/connection.ts';
import { CertificateAuthority } from '../../../support/certificates.ts';
import { createCleanup } from '../../../support/cleanup.ts';
import { claimPorts } from '../../../support/port-block.ts';
import { startRedisServer } from '../../../support/redis-server.ts';
import { createTempFolder } from '../../../support/temp-folder.ts';

/** The alert of TLS 1.3 that tells why races with the reset of the connection. */
const TIMES = 10;

const cleanup = createCleanup();
afterAll(() => cleanup.run());

const folder = createTempFolder(cleanup.defer);
const ours = new CertificateAuthority(folder, 'ours');
const theirs = new CertificateAuthority(folder, 'theirs');
const server = ours.issue();
const client = ours.issue();

const TRUSTING: RedisAccess = { caFile: ours.cert };
const MUTUAL: RedisAccess = { caFile: ours.cert, certFile: client.cert, keyFile: client.key };

let plainPort = 0;
let tlsPort = 0;
let closedPort = 0;
let redis: Redis;

beforeAll(async () => {
  const { first } = await claimPorts(cleanup.defer);
  closedPort = first + 1;
  tlsPort = first;
  const { port } = await startRedisServer(cleanup.defer, {
    flags: {
      'tls-port': String(tlsPort),
      'tls-cert-file': server.cert,
      'tls-key-file': server.key,
      'tls-ca-cert-file': ours.cert,
    },
  });
  plainPort = port;
  redis = new Redis({ port });
  cleanup.defer(() => redis.disconnect());
});

interface Setup {
  readonly access?: RedisAccess;
  readonly settings?: readonly string[];
  readonly host?: string;
  /** `plain` for `redis://`. */
  readonly scheme?: 'plain';
  readonly port?: () => number;
  readonly password?: string;
  readonly patienceMs?: number;
}

async function findingOf(setup: Setup, isDoctorToo = false): Promise<string> {
  const { access = MUTUAL, host = '127.0.0.1', scheme, port = () => tlsPort, password } = setup;
  const address = { host, port: port() };
  const config = {
    name: 'x',
    endpoint: { kind: 'server', address } as const,
    dbs: [0],
    tls: scheme !== 'plain',
    ...(password === undefined ? {} : { password }),
  };
  const place = { address, role: 'Redis' } as const;
  const context: ConnectionContext = {
    config,
    access,
    signal: new AbortController().signal,
    patienceMs: setup.patienceMs ?? 10_000,
  };
  try {
    const connection = await openConnection(place, context);
    try {
      await connection.psubscribe('turn/realm/*');
      return 'works';
    } finally {
      connection.disconnect();
    }
  } catch (error) {
    const failure = await explain(error, place, context);
    if (!isDoctorToo) return textOf(failure);
    const told = await examine(place, {
      ...contextOf({ config, access }),
      patienceMs: context.patienceMs ?? 0,
    }).then(
      (connection) => connection.disconnect(),
      (other: unknown) => other,
    );
    expect(told).toBeInstanceOf(ConnectionFailure);
    expect((told as ConnectionFailure).explained).toEqual(failure.explained);
    expect(failure.explained.fix).not.toMatch(/redis:\/\/ instead|switch.*off/);
    return textOf(failure);
  }
}

function textOf({ explained }: ConnectionFailure): string {
  return `${explained.finding} - ${explained.fix}`;
}

describe('openConnection', () => {
  const tls13 = ['tls-protocols', 'TLSv1.3'];
  const tls12 = ['tls-protocols', 'TLSv1.2'];
  const expired = ours.issue({ validity: 'expired' });
  const foreign = theirs.issue();
  const elsewhere = ours.issue({ names: 'DNS:redis.example.org' });
  const forServers = ours.issue({ usage: 'serverAuth' });
  const certificate = (one: { cert: string; key: string }) => [
    ...['tls-cert-file', one.cert, 'tls-key-file', one.key],
  ];

  it.each<[string, Setup, RegExp]>([
    ['mutual TLS 1.3', { settings: tls13 }, /^works$/],
    ['mutual TLS 1.2', { settings: tls12 }, /^works$/],
    ['no client certificate', { access: TRUSTING }, /asks for a client certificate.*-cert-file/],
    [
      'no client certificate, TLS 1.2',
      { access: TRUSTING, settings: tls12 },
      /asks for a client certificate.*-cert-file/,
    ],
    [
      'a foreign client certificate',
      { access: { ...MUTUAL, certFile: foreign.cert, keyFile: foreign.key } },
      /does not trust our client certificate.*tls-ca-cert-file/,
    ],
    [
      'a foreign client certificate, TLS 1.2',
      { access: { ...MUTUAL, certFile: foreign.cert, keyFile: foreign.key }, settings: tls12 },
      /does not trust our client certificate/,
    ],
    [
      'an expired client certificate',
      { access: { ...MUTUAL, certFile: expired.cert, keyFile: expired.key } },
      /our client certificate has expired.*renew/,
    ],
    [
      'a client certificate for servers only',
      { access: { ...MUTUAL, certFile: forServers.cert, keyFile: forServers.key } },
      /not one for clients.*clientAuth/,
    ],
    [
      'the key of another certificate',
      { access: { ...MUTUAL, keyFile: foreign.key } },
      /--redis.tls-key-file.*the key of the certificate/,
    ],
    [
      'an expired server certificate',
      { settings: certificate(expired) },
      /its certificate has expired.*renew the certificate of that server/,
    ],
    [
      'a server certificate of an unknown authority',
      { access: { ...MUTUAL, caFile: theirs.cert } },
      /its certificate is not trusted.*--redis.tls-ca-file/,
    ],
    [
      'a server certificate of no authority that Node.js knows',
      { access: { certFile: client.cert, keyFile: client.key } },
      /its certificate is not trusted.*--redis.tls-ca-file/,
    ],
    [
      'a server certificate for another name',
      { settings: certificate(elsewhere) },
      /its certificate is for another name/,
    ],
    [
      'rediss:// to a plain port',
      { port: () => plainPort, patienceMs: 400 },
      /(?:no answer to the greeting of TLS|does not speak TLS).*tls-port/,
    ],
    [
      'redis:// to a port of TLS',
      { scheme: 'plain' },
      /expects TLS on that port.*rediss:\/\/ instead of redis:\/\//,
    ],
    ['a port that is closed', { port: () => closedPort }, /connection refused/],
    ['a password where none is needed', { password: 'hunter2' }, /^works$/],
  ])('with %s', async (_what, setup, expected) => {
    const settings = setup.settings ?? tls13;
    const defaults = [...certificate(server), 'tls-protocols', '', 'tls-auth-clients', 'yes'];
    await redis.call('CONFIG', 'SET', ...mergeSettings(defaults, settings));
    const findings: string[] = [await findingOf(setup, true)];
    while (findings.length < TIMES) {
      findings.push(...(await Promise.all([findingOf(setup), findingOf(setup)])));
    }
    for (const finding of findings) expect(finding).toMatch(expected);
    for (const finding of findings) expect(finding).not.toContain('hunter2');
  });
});

/** Later settings win; Redis refuses one that is named twice. */
function mergeSettings(...lists: readonly (readonly string[])[]): string[] {
  const settings = new Map<string, string>();
  for (const list of lists) {
    for (let at = 0; at < list.length; at += 2) settings.set(list[at] ?? '', list[at + 1] ?? '');
  }
  return [...settings].flat();
}

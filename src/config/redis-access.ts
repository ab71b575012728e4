import { createPrivateKey, X509Certificate } from 'node:crypto';
import { ConfigError, quote } from './config-error.ts';
import type { OptionValues } from './options.ts';
import { type FileFlag, type ReadFile, readSecret, readText, unused } from './read-file.ts';
import type { RedisSourceConfig } from './redis-url.ts';
import { formatHostPort, type HostPort } from './values.ts';

/** What to connect to a Redis with. Files are named, not held: each connection reads them anew. */
export interface RedisAccess {
  /** For every source without a password in its URL. */
  readonly passwordFile?: string | undefined;
  readonly sentinelUser?: string | undefined;
  readonly sentinelPasswordFile?: string | undefined;
  readonly caFile?: string | undefined;
  /** With `keyFile` or not at all. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** What the files of a {@link RedisAccess} hold now. Secret. */
export interface RedisCredentials {
  readonly password?: string | undefined;
  readonly sentinelPassword?: string | undefined;
  readonly tls: {
    readonly ca?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
  };
}

/**
 * Reads the files as they are now: secrets and certificates are renewed while an exporter runs.
 *
 * @throws {ConfigError} whose message names the flag of a file that cannot be used
 */
export function readCredentials(access: RedisAccess, readFile: ReadFile): RedisCredentials {
  const tls = {
    ca: readText(['redis.tls-ca-file', access.caFile], readFile),
    cert: readText(['redis.tls-cert-file', access.certFile], readFile),
    key: readText(['redis.tls-key-file', access.keyFile], readFile),
  };
  checkPem(tls, access);
  return {
    password: readSecret(['redis.password-file', access.passwordFile], readFile),
    sentinelPassword: readSecret(
      ['redis.sentinel-password-file', access.sentinelPasswordFile],
      readFile,
    ),
    tls,
  };
}

/**
 * The flags about access to the sources.
 *
 * @throws {ConfigError} when one has no effect, or a user lacks a password
 */
export function redisAccess(values: OptionValues): RedisAccess {
  const sources = values['redis.url'];
  const access: RedisAccess = {
    passwordFile: values['redis.password-file'],
    sentinelUser: values['redis.sentinel-user'],
    sentinelPasswordFile: values['redis.sentinel-password-file'],
    caFile: values['redis.tls-ca-file'],
    certFile: values['redis.tls-cert-file'],
    keyFile: values['redis.tls-key-file'],
  };
  const isTls = sources.some(({ tls }) => tls);
  const hasSentinels = sources.some(({ endpoint }) => endpoint.kind === 'sentinel');
  const needs: readonly (readonly [flag: keyof OptionValues, isMet: boolean, expected: string])[] =
    [
      [
        'redis.password-file',
        sources.some(({ password }) => password === undefined),
        'a --redis.url without a password',
      ],
      ['redis.sentinel-password-file', hasSentinels, 'a --redis.url with Sentinels'],
      [
        'redis.sentinel-user',
        access.sentinelPasswordFile !== undefined,
        '--redis.sentinel-password-file with it',
      ],
      ['redis.tls-ca-file', isTls, 'a --redis.url that starts with rediss'],
      ['redis.tls-cert-file', isTls, 'a --redis.url that starts with rediss'],
      ['redis.tls-key-file', isTls, 'a --redis.url that starts with rediss'],
      ['redis.tls-key-file', access.certFile !== undefined, '--redis.tls-cert-file with it'],
      ['redis.tls-cert-file', access.keyFile !== undefined, '--redis.tls-key-file with it'],
    ];
  for (const [flag, isMet, expected] of needs) {
    if (values[flag] !== undefined && !isMet) throw unused(flag, expected);
  }
  for (const { name, username, password } of sources) {
    if (username !== undefined && (password ?? access.passwordFile) === undefined) {
      throw new ConfigError(
        `Cannot use --redis.url of source ${quote(name)}: expected a password with its user, in the URL or by --redis.password-file`,
      );
    }
  }
  return access;
}

/**
 * Refuses sources of one name, and those that are plainly the same Redis: its messages come to every
 * subscriber, whatever the database, and would count twice.
 */
export function rejectTwice(sources: readonly RedisSourceConfig[]): void {
  const names = new Set<string>();
  const seen = new Map<string, string>();
  for (const { name, endpoint } of sources) {
    if (names.has(name)) {
      throw new ConfigError(
        `Cannot use two --redis.url named ${quote(name)}: expected different #names at their ends`,
      );
    }
    names.add(name);
    for (const place of placesOf(endpoint)) {
      const other = seen.get(place);
      if (other !== undefined && other !== name) {
        throw new ConfigError(
          `Cannot use two --redis.url of one Redis, ${quote(other)} and ${quote(name)}: expected one, with its databases as in redis://host/0,1`,
        );
      }
      seen.set(place, name);
    }
  }
}

function placesOf(endpoint: RedisSourceConfig['endpoint']): string[] {
  switch (endpoint.kind) {
    case 'server':
      return [placeOf(endpoint.address)];
    case 'cluster':
      return endpoint.nodes.map(placeOf);
    case 'sentinel':
      return endpoint.sentinels.map((address) => `${placeOf(address)}/${endpoint.master}`);
  }
}

function placeOf({ host, port }: HostPort): string {
  const isLoopback = host === 'localhost' || host === '::1' || /^127\./.test(host);
  return formatHostPort({ host: isLoopback ? 'loopback' : host, port });
}

/**
 * Looks at the expiry of a client certificate, and of all that its authorities are.
 *
 * @throws {ConfigError} when one is over or has not begun
 */
export function checkValidity({ tls }: RedisCredentials, access: RedisAccess, now: Date): void {
  for (const [flag, path, pem] of [
    ['redis.tls-cert-file', access.certFile, tls.cert],
    ['redis.tls-ca-file', access.caFile, tls.ca],
  ] as const) {
    const [first] = pem === undefined ? [] : certificatesOf(pem);
    if (first === undefined) continue;
    const { validFrom, validTo } = first;
    if (new Date(validFrom) <= now && now <= new Date(validTo)) continue;
    throw new ConfigError(
      `Cannot use --${flag} ${quote(path ?? '')}: expected a certificate that is valid now, not from ${validFrom} to ${validTo}`,
    );
  }
}

function checkPem({ ca, cert, key }: RedisCredentials['tls'], access: RedisAccess): void {
  const refuse = ([flag, path = '']: FileFlag, expected: string): ConfigError =>
    new ConfigError(`Cannot use --${flag} ${quote(path)}: expected ${expected}`);
  for (const [flag, path, pem] of [
    ['redis.tls-ca-file', access.caFile, ca],
    ['redis.tls-cert-file', access.certFile, cert],
  ] as const) {
    if (pem !== undefined && certificatesOf(pem).length === 0) {
      throw refuse([flag, path], 'certificates in PEM (-----BEGIN CERTIFICATE-----)');
    }
  }
  if (cert === undefined || key === undefined) return;
  const keyFlag = ['redis.tls-key-file', access.keyFile] as const;
  let privateKey: ReturnType<typeof createPrivateKey>;
  try {
    privateKey = createPrivateKey(key);
  } catch {
    throw refuse(keyFlag, 'a private key in PEM, without a passphrase');
  }
  if (certificatesOf(cert)[0]?.checkPrivateKey(privateKey) !== true) {
    throw refuse(keyFlag, 'the key of the certificate in --redis.tls-cert-file');
  }
}

/** All certificates of a PEM file; none when one of them cannot be read. */
function certificatesOf(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]*-----END [^-]*-----/g);
  try {
    return (blocks ?? []).map((block) => new X509Certificate(block));
  } catch {
    return [];
  }
}

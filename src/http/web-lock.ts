import { X509Certificate } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import type { TLSSocket, TlsOptions } from 'node:tls';
import type { Logger } from 'pino';
import { ConfigError, quote } from '../config/config-error.ts';
import { WatchedFiles, WrongFileError } from '../config/files.ts';
import {
  CIPHER_SUITES,
  CLIENT_AUTH_TYPES,
  CURVES,
  TLS_VERSIONS,
  TLS13_CIPHERS,
} from '../config/go-tls-names.ts';
import { checkTlsServer } from '../config/read-file.ts';
import {
  type PemSource,
  parseWebConfig,
  type WebConfig,
  type WebTlsConfig,
} from '../config/web-config.ts';
import { errorCode } from '../log.ts';
import type { WebStats } from '../metrics/web-metrics.ts';
import { type Login, PasswordChecker, type Verdict } from './passwords.ts';

/** What closes the server to strangers, as `--web.config.file` says it at this moment. */
export interface WebLock {
  /** Reads the files anew if any has changed. Files that cannot be used change nothing. */
  refresh(): void;
  /** Absent: plain HTTP. The same object as long as nothing changed. */
  readonly tls: LockedTls | undefined;
  /** Added to every answer. */
  readonly headers: Readonly<Record<string, string>>;
  /** Takes one request from the allowance; true when there was none left. */
  isAboveRate(): boolean;
  /** Whether an `Authorization` header opens; `busy` when too many passwords wait to be checked. */
  verdict(authorization: string | undefined): Promise<Verdict>;
  /** Ends what checks passwords. */
  close(): Promise<void>;
}

/** TLS, ready for Node. */
export interface LockedTls {
  readonly options: TlsOptions;
  readonly http2: boolean;
  /** Whether a client may stay, by its certificate; asked after the handshake. */
  isWelcome(socket: TLSSocket): boolean;
}

/** What {@link openWebLock} works with. */
export interface WebLockOptions {
  readonly path: string;
  readonly stats: WebStats;
  readonly log: Logger;
  readonly nowMs: () => number;
}

/** What the files amounted to when they were read. */
interface Loaded {
  readonly isEmpty: boolean;
  readonly config: WebConfig;
  readonly tls: LockedTls | undefined;
}

/**
 * Reads the file and what it names.
 *
 * @throws {ConfigError} when it cannot be used
 */
export function openWebLock({ path, stats, log, nowMs }: WebLockOptions): WebLock {
  const files = new WatchedFiles();
  let loaded = load(path, files);
  const passwords = new PasswordChecker();
  passwords.setUsers(loaded.config.users);
  let allowance = loaded.config.rateLimit?.burst ?? 0;
  let filledMs = nowMs();

  const refresh = (): void => {
    if (!files.haveChanged()) return;
    try {
      const next = load(path, files);
      // Somebody is about to write it: for that moment the lock would be off.
      if (next.isEmpty) throw new ConfigError('expected a file that is not empty');
      if ((next.tls === undefined) !== (loaded.tls === undefined)) {
        throw new ConfigError('TLS is switched on and off by a restart only');
      }
      loaded = next;
      passwords.setUsers(next.config.users);
      stats.reloads.success += 1;
      stats.isConfigGood = true;
      log.info({ path }, 'read the web configuration anew');
    } catch (error) {
      stats.reloads.failed += 1;
      stats.isConfigGood = false;
      const reason = error instanceof ConfigError ? error.message : 'cannot be used';
      log.error({ path, reason }, 'the web configuration cannot be used, the one before holds');
    }
  };

  return {
    refresh,
    get tls() {
      return loaded.tls;
    },
    get headers() {
      return loaded.config.headers;
    },
    isAboveRate() {
      const { rateLimit } = loaded.config;
      if (rateLimit === undefined) return false;
      const now = nowMs();
      allowance = Math.min(rateLimit.burst, allowance + (now - filledMs) / rateLimit.intervalMs);
      filledMs = now;
      if (allowance < 1) return true;
      allowance -= 1;
      return false;
    },
    async verdict(authorization) {
      refresh();
      if (loaded.config.users.size === 0) return 'yes';
      const login = parseBasic(authorization);
      return login === undefined ? 'no' : await passwords.check(login);
    },
    close: () => passwords.close(),
  };
}

/**
 * Reads the file and what it names, to see whether they can be used.
 *
 * @throws {ConfigError} when they cannot
 */
export function checkWebLock(path: string): void {
  load(path, new WatchedFiles());
}

/** `Basic YWxpY2U6c2VjcmV0` → `alice` and `secret`. */
function parseBasic(header: string | undefined): Login | undefined {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const bytes = Buffer.from(encoded, 'base64');
  const colon = bytes.indexOf(':');
  if (colon === -1) return undefined;
  return { user: bytes.subarray(0, colon).toString(), password: bytes.subarray(colon + 1) };
}

function load(path: string, files: WatchedFiles): Loaded {
  files.forget();
  try {
    const text = files.read(path);
    const isEmpty = text.trim() === '';
    const config = parseWebConfig(text);
    const read = (source: PemSource, key: string): string => {
      if (source.kind === 'text') return source.text;
      try {
        return files.read(resolve(dirname(path), source.path));
      } catch (cause) {
        throw new ConfigError(`cannot read ${key} ${quote(source.path)} (${reasonOf(cause)})`, {
          cause,
        });
      }
    };
    return {
      isEmpty,
      config,
      tls: config.tls === undefined ? undefined : lockTls(config.tls, config.http2, read),
    };
  } catch (cause) {
    const why =
      cause instanceof ConfigError ? cause.message : `cannot be read (${reasonOf(cause)})`;
    throw new ConfigError(`Cannot use --web.config.file ${quote(path)}: ${why}`, { cause });
  }
}

function lockTls(
  tls: WebTlsConfig,
  http2: boolean,
  read: (source: PemSource, key: string) => string,
): LockedTls {
  const { asked, needed, checked } = CLIENT_AUTH_TYPES[tls.clientAuth];
  const ca = tls.clientCa === undefined ? undefined : read(tls.clientCa, 'client_ca_file');
  const options = {
    ...toNodeRules(tls),
    cert: read(tls.cert, 'cert_file'),
    key: read(tls.key, 'key_file'),
    ...(ca === undefined ? {} : { ca }),
    requestCert: asked,
    rejectUnauthorized: needed && checked,
  } satisfies TlsOptions;
  try {
    if (ca !== undefined) new X509Certificate(ca);
    checkTlsServer(options);
  } catch (cause) {
    throw new ConfigError(`certificate, key and rules do not work together (${reasonOf(cause)})`, {
      cause,
    });
  }
  return {
    options,
    http2,
    isWelcome(socket) {
      const certificate = socket.getPeerX509Certificate();
      if (certificate === undefined) return !needed;
      if (checked && !socket.authorized) return false;
      return (
        tls.allowedSans === undefined ||
        namesOf(certificate).some((name) => tls.allowedSans?.includes(name))
      );
    },
  };
}

function toNodeRules(tls: WebTlsConfig): TlsOptions {
  const chosen = tls.ciphers.flatMap((name) => CIPHER_SUITES[name] ?? []);
  const isOld = tls.minVersion === 'TLS10' || tls.minVersion === 'TLS11';
  const ciphers = tls.ciphers.length === 0 ? 'DEFAULT' : [TLS13_CIPHERS, ...chosen].join(':');
  return {
    minVersion: TLS_VERSIONS[tls.minVersion],
    maxVersion: TLS_VERSIONS[tls.maxVersion],
    honorCipherOrder: tls.prefersServerCiphers,
    // OpenSSL keeps TLS 1.0 and 1.1 for those who lower its guard.
    ...(isOld ? { ciphers: `${ciphers}:@SECLEVEL=0` } : tls.ciphers.length > 0 ? { ciphers } : {}),
    ...(tls.curves.length > 0
      ? { ecdhCurve: tls.curves.map((name) => CURVES[name] ?? name).join(':') }
      : {}),
  };
}

/** `DNS:a.example, IP Address:192.0.2.1` → `a.example`, `192.0.2.1`. */
function namesOf(certificate: X509Certificate): string[] {
  const names = certificate.subjectAltName?.split(', ') ?? [];
  return names.map((name) => name.replace(/^[^:]*:/, ''));
}

function reasonOf(cause: unknown): string {
  if (cause instanceof WrongFileError) return `expected ${cause.expected}`;
  return errorCode(cause) ?? 'unknown reason';
}

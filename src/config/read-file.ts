import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { errorCode } from '../log.ts';
import { ConfigError, quote } from './config-error.ts';
import { WrongFileError } from './files.ts';

/** Gives the text of a file, or throws. */
export type ReadFile = (path: string) => string;

/** A flag that names a file, with the path it was given; undefined when it was not. */
export type FileFlag = readonly [flag: string, path: string | undefined];

/**
 * The text of the file that a flag names; undefined when it names none.
 *
 * @throws {ConfigError} when it cannot be read or holds nothing
 */
export function readText([flag, path]: FileFlag, readFile: ReadFile): string | undefined {
  if (path === undefined) {
    return undefined;
  }
  let text: string;
  try {
    text = readFile(path);
  } catch (cause) {
    const why =
      cause instanceof WrongFileError
        ? `expected ${cause.expected}`
        : `expected a file that can be read${shownCode(cause)}`;
    throw new ConfigError(`Cannot read --${flag} ${quote(path)}: ${why}`, { cause });
  }
  if (text.trim() === '') {
    throw new ConfigError(`Cannot use --${flag} ${quote(path)}: expected a file that is not empty`);
  }
  return text;
}

/**
 * The secret in the file that a flag names, without the line break at its end.
 *
 * @throws {ConfigError} as {@link readText}, and when it has several lines
 */
export function readSecret(flag: FileFlag, readFile: ReadFile): string | undefined {
  const secret = readText(flag, readFile)?.replace(/\r?\n$/, '');
  if (secret !== undefined && /^$|[\r\n\0]/.test(secret)) {
    const [name, path = ''] = flag;
    throw new ConfigError(
      `Cannot use --${name} ${quote(path)}: expected a password on a single line`,
    );
  }
  return secret;
}

/**
 * Checks what a TLS server is to use. OpenSSL itself takes a certificate with a key of another kind
 * (RSA and elliptic curve) for one of each, and then refuses every handshake.
 *
 * @throws {Error} with OpenSSL's code; its message may repeat what was read
 */
export function checkTlsServer(
  options: SecureContextOptions & { readonly cert: string; readonly key: string },
): void {
  createSecureContext(options);
  const { cert, key } = options;
  if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return;
  const code = 'ERR_OSSL_X509_KEY_VALUES_MISMATCH';
  throw Object.assign(new Error('key values mismatch'), { code });
}

/** ` (ENOENT)`; the message of an error is not used, for it may repeat what it read. */
export function shownCode(cause: unknown): string {
  const code = errorCode(cause);
  return code !== undefined && /^[A-Z0-9_]+$/.test(code) ? ` (${code})` : '';
}

/** The refusal of a flag that has no effect without something else. */
export function unused(flag: string, expected: string): ConfigError {
  return new ConfigError(`Cannot use --${flag}: expected ${expected}`);
}

import { X509Certificate } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import type { Logger } from 'pino';
import { WatchedFiles } from '../../config/files.ts';
import { checkTlsServer } from '../../config/read-file.ts';

/** The PEM files of the embedded statsdb's TLS. */
export interface StatsdbTlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** Authorities of client certificates, which every peer must then show; absent: none is asked. */
  readonly clientCaFile?: string;
}

/**
 * Certificate and key as they are on disk now. coturn 4.14 and later, where it is built with
 * hiredis_ssl, speaks TLS to its statsdb (`tls=true`, and `ca=`, `cert=`, `clientkey=`, in the
 * connection string).
 */
export class StatsdbTls {
  readonly #files: StatsdbTlsFiles;
  readonly #log: Logger;
  readonly #watched = new WatchedFiles();
  #options: SecureContextOptions;

  /** @throws when a file cannot be read, or holds nothing that TLS can be spoken with */
  constructor(files: StatsdbTlsFiles, log: Logger) {
    this.#files = files;
    this.#log = log;
    this.#options = this.#read();
  }

  /** What TLS is spoken with. */
  get options(): SecureContextOptions {
    return this.#options;
  }

  /** Whether every peer must show a certificate. */
  get asksForCertificate(): boolean {
    return this.#files.clientCaFile !== undefined;
  }

  /**
   * Reads the files again if they have changed; files that cannot be used change nothing.
   *
   * @returns whether {@link options} are others now
   */
  refresh(): boolean {
    if (!this.#watched.haveChanged()) return false;
    try {
      const options = this.#read();
      const { validTo } = new X509Certificate(String(options.cert));
      this.#options = options;
      this.#log.info({ validTo }, 'statsdb uses the new certificate');
      return true;
    } catch (error) {
      // Told once: they are looked at again when they change again.
      this.#log.error({ err: error }, 'statsdb cannot use the new certificate, and keeps the old');
      return false;
    }
  }

  #read(): SecureContextOptions {
    const { certFile, keyFile, clientCaFile } = this.#files;
    this.#watched.forget();
    const options = {
      cert: this.#watched.read(certFile),
      key: this.#watched.read(keyFile),
      ...(clientCaFile === undefined ? {} : { ca: this.#watched.read(clientCaFile) }),
      minVersion: 'TLSv1.2',
    } as const;
    checkTlsServer(options);
    return options;
  }
}

/** OpenSSL's names for bytes that are no TLS at all. */
const PLAIN_TEXT_CODES = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_HTTPS_PROXY_REQUEST',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_RECORD_LAYER_FAILURE',
]);

/** Whether a peer that failed to begin TLS did not try to, by the code of the error. */
export function isPlainText(code: string | undefined): boolean {
  return code !== undefined && PLAIN_TEXT_CODES.has(code);
}

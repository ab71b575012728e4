import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of the two files of one certificate, in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** Default: names and addresses of this machine. */
  readonly names?: string;
  /** Default: valid from now on. */
  readonly validity?: 'expired';
  /** Default: for both. */
  readonly usage?: 'serverAuth' | 'clientAuth';
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** An authority that signs certificates, made by the openssl of this machine. */
export class CertificateAuthority {
  /** Its own certificate. */
  readonly cert: string;
  readonly #folder: string;
  readonly #key: string;
  #count = 0;

  /** @param name tells the files of several in one folder apart */
  constructor(folder: string, name: string) {
    this.#folder = folder;
    this.cert = join(folder, `${name}.pem`);
    this.#key = join(folder, `${name}.key`);
    openssl(
      ...['req', '-x509', ...NEW_KEY, '-days', '30', '-subj', `/CN=${name}`],
      ...['-keyout', this.#key, '-out', this.cert],
    );
  }

  issue(options: CertificateOptions = {}): Certificate {
    const { names = 'DNS:localhost,IP:127.0.0.1', validity, usage } = options;
    this.#count += 1;
    const base = `${this.cert.slice(0, -'.pem'.length)}-${this.#count}`;
    const paths = { cert: `${base}.pem`, key: `${base}.key` };
    const extensions = join(this.#folder, 'extensions');
    const usages = usage === undefined ? '' : `extendedKeyUsage=${usage}\n`;
    writeFileSync(extensions, `subjectAltName=${names}\n${usages}`);
    openssl('req', ...NEW_KEY, '-keyout', paths.key, '-out', `${base}.csr`, '-subj', '/CN=test');
    openssl(
      ...['x509', '-req', '-in', `${base}.csr`, '-CA', this.cert, '-CAkey', this.#key],
      ...['-out', paths.cert, '-extfile', extensions],
      ...['-days', validity === 'expired' ? '-1' : '10'],
    );
    return paths;
  }
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

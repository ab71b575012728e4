import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of a certificate and its key, in PEM. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** Who signs; default: itself, as an authority. */
  readonly issuer?: CertificateFiles;
  /** As OpenSSL writes it: `DNS:client.example, IP:127.0.0.1`; default: none. */
  readonly names?: string;
  /** Default: valid from now on. */
  readonly validity?: 'expired';
  /** Default: for both. */
  readonly usage?: 'serverAuth' | 'clientAuth';
  /** Default: of an elliptic curve, which takes no time to make. */
  readonly keyType?: keyof typeof NEW_KEY;
}

const NEW_KEY = {
  ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
  rsa: ['-newkey', 'rsa:2048'],
};

/** Makes `NAME.pem` and `NAME.key` in a folder, by the openssl of this machine. */
export function makeCertificate(
  folder: string,
  name: string,
  { issuer, names, validity, usage, keyType = 'ec' }: CertificateOptions = {},
): CertificateFiles {
  const files = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  const [config, request] = [join(folder, 'openssl.cnf'), join(folder, `${name}.csr`)];
  const extensions = [
    `basicConstraints=critical,CA:${issuer === undefined ? 'TRUE' : 'FALSE'}`,
    ...(names === undefined ? [] : [`subjectAltName=${names}`]),
    ...(usage === undefined ? [] : [`extendedKeyUsage=${usage}`]),
  ];
  writeFileSync(config, `[req]\ndistinguished_name=dn\n[dn]\n[made]\n${extensions.join('\n')}\n`);
  openssl(
    ...['req', '-config', config, ...NEW_KEY[keyType], '-nodes', '-subj', `/CN=${name}`],
    ...['-keyout', files.key, '-out', request],
  );
  openssl(
    ...['x509', '-req', '-in', request, '-out', files.cert, '-extfile', config],
    ...['-extensions', 'made', '-days', validity === 'expired' ? '-1' : '10'],
    ...(issuer === undefined
      ? ['-signkey', files.key]
      : ['-CA', issuer.cert, '-CAkey', issuer.key, '-CAcreateserial']),
  );
  return files;
}

/** An authority, and what it signs. */
export class CertificateAuthority {
  /** Its own certificate. */
  readonly cert: string;
  readonly #folder: string;
  readonly #name: string;
  readonly #files: CertificateFiles;
  #count = 0;

  /** @param name tells the files of several in one folder apart */
  constructor(folder: string, name: string) {
    this.#folder = folder;
    this.#name = name;
    this.#files = makeCertificate(folder, name);
    this.cert = this.#files.cert;
  }

  /** A certificate for names and addresses of this machine, unless told otherwise. */
  issue(options: Omit<CertificateOptions, 'issuer'> = {}): CertificateFiles {
    this.#count += 1;
    return makeCertificate(this.#folder, `${this.#name}-${this.#count}`, {
      names: 'DNS:localhost,IP:127.0.0.1',
      ...options,
      issuer: this.#files,
    });
  }
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

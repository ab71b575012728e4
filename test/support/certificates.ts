import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Names of the files of a certificate and its key. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** Who signs; default: itself, as an authority. */
  readonly issuer?: CertificateFiles;
  /** As OpenSSL writes it: `DNS:client.example, IP:127.0.0.1`. */
  readonly names?: string;
}

/** Makes `NAME.pem` and `NAME.key` in a folder, with OpenSSL; good for a day. */
export function makeCertificate(
  folder: string,
  name: string,
  { issuer, names }: CertificateOptions = {},
): CertificateFiles {
  const files = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  const config = join(folder, 'openssl.cnf');
  writeFileSync(config, '[req]\ndistinguished_name = dn\n[dn]\n');
  const extensions = [
    `basicConstraints=critical,CA:${issuer === undefined ? 'TRUE' : 'FALSE'}`,
    ...(names === undefined ? [] : [`subjectAltName=${names}`]),
  ];
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-config', config, '-newkey', 'rsa:2048', '-nodes', '-days', '1'],
      ...['-subj', `/CN=${name}`, '-out', files.cert, '-keyout', files.key],
      ...extensions.flatMap((extension) => ['-addext', extension]),
      ...(issuer === undefined ? [] : ['-CA', issuer.cert, '-CAkey', issuer.key]),
    ],
    { stdio: 'pipe' },
  );
  return files;
}

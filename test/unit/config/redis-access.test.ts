import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseCommandLine } from '../../../src/config/command-line.ts';
import { ConfigError } from '../../../src/config/config-error.ts';
import { CertificateAuthority } from '../../support/certificates.ts';
import { createCleanup } from '../../support/cleanup.ts';
import { createTempFolder } from '../../support/temp-folder.ts';

const cleanup = createCleanup();
afterAll(() => cleanup.run());
const folder = createTempFolder(cleanup.defer);
const authority = new CertificateAuthority(folder, 'ca');
const certificate = authority.issue();
const other = authority.issue();
const expired = authority.issue({ validity: 'expired' });

function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function check(files: Record<string, string>, ...more: string[]): string {
  const flags = Object.entries(files).map(([name, path]) => `--redis.tls-${name}-file=${path}`);
  return parseCommandLine(['--redis.url=rediss://h', ...flags, ...more], {}).kind;
}

describe('PEM files', () => {
  const chain = fileOf(
    'chain.pem',
    `leaf\n${readFileSync(certificate.cert, 'utf8')}${readFileSync(authority.cert, 'utf8')}`,
  );

  it('are taken when they are what they should be', () => {
    const files = { ca: authority.cert, cert: chain, key: certificate.key };
    expect(check(files, '--check-config')).toBe('check-config');
    expect(check(files)).toBe('run');
  });

  it.each([
    ['a key as certificate', { cert: certificate.key, key: certificate.key }, 'cert'],
    ['text as authorities', { ca: fileOf('text', 'hello\n') }, 'ca'],
    [
      'a broken certificate',
      { ca: fileOf('broken', readFileSync(authority.cert, 'utf8').replace('MII', 'MIx')) },
      'ca',
    ],
    ['a certificate as key', { cert: certificate.cert, key: certificate.cert }, 'key'],
    ['the key of another certificate', { cert: certificate.cert, key: other.key }, 'key'],
  ])('are refused: %s', (_what, files, flag) => {
    expect(() => check(files)).toThrow(ConfigError);
    expect(() => check(files)).toThrow(`--redis.tls-${flag}-file`);
  });

  it('that have expired are refused by --check-config; an exporter waits for new ones', () => {
    const files = { cert: expired.cert, key: expired.key };
    expect(() => check(files, '--check-config')).toThrow(
      /--redis.tls-cert-file .* expected a certificate that is valid now, not from /,
    );
    expect(check(files)).toBe('run');
  });
});

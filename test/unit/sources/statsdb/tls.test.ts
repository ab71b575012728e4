import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { StatsdbTls } from '../../../../src/sources/statsdb/tls.ts';
import { makeCertificate } from '../../../support/certificates.ts';
import { createTempFolder } from '../../../support/temp-folder.ts';

describe('StatsdbTls', () => {
  it('takes a new certificate, keeps the old one while there is none, and says so once', () => {
    const folder = createTempFolder(onTestFinished);
    // The second has a key of another kind, which OpenSSL itself would take.
    const first = makeCertificate(folder, 'first');
    const second = makeCertificate(folder, 'second', { keyType: 'rsa' });
    const [certFile, keyFile] = [join(folder, 'cert'), join(folder, 'key')];
    copyFileSync(first.cert, certFile);
    copyFileSync(first.key, keyFile);
    const lines: string[] = [];
    const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
    const tls = new StatsdbTls({ certFile, keyFile }, log);
    const { options } = tls;

    rmSync(keyFile);
    for (let connection = 0; connection < 3; connection += 1) expect(tls.refresh()).toBe(false);
    copyFileSync(second.key, keyFile);
    for (let connection = 0; connection < 3; connection += 1) expect(tls.refresh()).toBe(false);
    expect(tls.options).toBe(options);
    // One for each cause: no key, and a key of another certificate.
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('ENOENT');

    copyFileSync(second.cert, certFile);
    expect([tls.refresh(), tls.refresh()]).toEqual([true, false]);
    expect(tls.options).not.toEqual(options);
    expect(lines).toHaveLength(3);
    expect(lines[2]).toContain('uses the new certificate');
  });
});

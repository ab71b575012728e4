import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Logins } from '../../../../src/sources/statsdb/logins.ts';
import { createTempFolder } from '../../../support/temp-folder.ts';

const SERVERS = 'berlin:spree\nparis:seine\n';

function createLogins(password?: string) {
  const serversFile = join(createTempFolder(onTestFinished), 'servers');
  writeFileSync(serversFile, SERVERS);
  const lines: { msg: string; reason?: string }[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const logins = new Logins({ password, serversFile, log });
  return { logins, serversFile, lines };
}

describe('Logins', () => {
  it.each<[string[], string | undefined | null]>([
    [['spree'], 'berlin'],
    [['spree', 'berlin'], 'berlin'],
    [['spree', 'default'], 'berlin'],
    [['spree', 'paris'], null],
    [['general'], undefined],
    [['general', 'coturn'], undefined],
    [['general', 'berlin'], null],
    [['berlin'], null],
    [[''], null],
  ])('take %j for %j', ([password = '', user], server) => {
    const { logins } = createLogins('general');
    expect(logins.identify(password, user)).toEqual(server === null ? undefined : { server });
  });

  it('need no password where there is none, and know nobody', () => {
    const logins = new Logins({ log: pino({ enabled: false }) });
    expect([logins.areNeeded, logins.mayChange]).toEqual([false, false]);
    expect(logins.identify('')).toBeUndefined();
  });

  it('read the file anew when it changes, and keep what they had when it cannot be used', () => {
    const { logins, serversFile, lines } = createLogins();
    expect(logins.areNeeded).toBe(true);
    const { generation } = logins;
    logins.refresh();
    expect(logins.generation).toBe(generation);
    writeFileSync(serversFile, 'paris:seine\nrome:tiber\n');
    logins.refresh();
    expect(logins.generation).not.toBe(generation);
    expect(logins.identify('spree')).toBeUndefined();
    expect([logins.isServer('berlin'), logins.isServer('rome')]).toEqual([false, true]);
    writeFileSync(serversFile, 'rome\n');
    logins.refresh();
    logins.refresh();
    rmSync(serversFile);
    logins.refresh();
    expect(logins.identify('tiber')).toEqual({ server: 'rome' });
    writeFileSync(serversFile, SERVERS);
    logins.refresh();
    expect(logins.identify('spree')).toEqual({ server: 'berlin' });
    expect(lines.map(({ msg, reason }) => reason ?? msg)).toEqual([
      'statsdb read its servers anew',
      `Cannot use --statsdb.servers-file "${serversFile}": line 1: expected NAME:PASSWORD`,
      `Cannot read --statsdb.servers-file "${serversFile}": expected a file that can be read (ENOENT)`,
      'statsdb read its servers anew',
    ]);
    expect(JSON.stringify(lines)).not.toMatch(/spree|seine|tiber/);
  });
});

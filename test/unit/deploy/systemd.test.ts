import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readOptions } from '../../../src/config/config.ts';
import { createTempFolder } from '../../support/temp-folder.ts';
import { readText } from './files.ts';

const UNIT = readText('deploy/systemd/coturn-exporter.service');
const TMPFILES = readText('deploy/systemd/coturn-exporter-records.tmpfiles');
const [, START = ''] = /^ExecStart=(.+)$/m.exec(UNIT) ?? [];
const VARIABLES = Object.fromEntries(
  [...UNIT.matchAll(/^Environment=(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [
    name,
    // systemd replaces other pairs of a percent sign and a letter by what they stand for.
    value.replaceAll('%%', '%'),
  ]),
);
const SETTINGS = readOptions(START.split(' ').slice(1), VARIABLES);
const DEFAULTS = readText('deploy/debian/default');
const RECORDS_SERVICE = readText('deploy/systemd/coturn-exporter-records.service');
const FOLDER = '/var/log/coturn-exporter';
const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;
// The exposure that systemd computes, times ten; 0 would be a service that may do nothing.
const MOST_EXPOSED = 20;

describe('coturn-exporter.service', () => {
  it('starts with settings that the exporter takes', () => {
    expect(START).toBe('/usr/bin/coturn-exporter');
    expect(SETTINGS['records.file']).toMatch(/^\/var\/log\/coturn-exporter\//);
    expect(SETTINGS['state.file']).toMatch(/^\/var\/lib\/coturn-exporter\//);
  });

  it('lets /etc/default/coturn-exporter beat its own settings', () => {
    expect(UNIT.indexOf('\nEnvironmentFile=-/etc/default/coturn-exporter\n')).toBeGreaterThan(
      UNIT.lastIndexOf('\nEnvironment='),
    );
  });

  it('writes a record file a day, where Alloy, compression and retention look for them', () => {
    const { 'records.file': file } = SETTINGS;
    expect(file).toBe(`${FOLDER}/sessions-%Y-%m-%d.jsonl`);
    expect(readText('deploy/alloy/config.alloy')).toContain(`"${file}"), "%Y-%m-%d", "*")`);
    expect(RECORDS_SERVICE).toContain(` ${FOLDER} -maxdepth 1 -type f -name sessions-*.jsonl `);
    expect(TMPFILES).toContain(`\ne ${FOLDER} `);
    expect(UNIT).toContain('\nLogsDirectory=coturn-exporter\n');
  });

  it('has a file that somebody renamed reopened', () => {
    expect(UNIT).toContain('\nExecReload=/bin/kill -HUP $MAINPID\n');
  });

  it('runs as the user that it brings', () => {
    const [, user = ''] = /^User=(.+)$/m.exec(UNIT) ?? [];
    expect(readText('deploy/systemd/coturn-exporter.sysusers')).toContain(`\nu ${user} `);
    expect(TMPFILES).toContain(` ${user} ${user} `);
    expect(RECORDS_SERVICE).toContain(`\nUser=${user}\n`);
  });

  it('may ask for the addresses of the machine, as a server on all of them does', () => {
    expect(UNIT).toMatch(/^RestrictAddressFamilies=.*\bAF_NETLINK\b/m);
  });

  it.skipIf(!hasSystemd)('passes systemd-analyze verify', () => {
    const { status, stderr } = systemdAnalyze(['verify']);
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  it.skipIf(!hasSystemd)('is hardened by the measure of systemd', () => {
    const { status, stdout } = systemdAnalyze([
      'security',
      '--offline=true',
      `--threshold=${MOST_EXPOSED}`,
    ]);
    expect(status, stdout).toBe(0);
  });
});

describe('deploy/debian/default', () => {
  it('offers settings that the exporter takes', () => {
    const offered = [...DEFAULTS.matchAll(/^#(COTURN_EXPORTER_\w+)=(.+)$/gm)];
    const variables = Object.fromEntries(offered.map(([, name = '', value = '']) => [name, value]));
    expect(offered.length).toBeGreaterThan(4);
    expect(() => readOptions([], variables)).not.toThrow();
  });
});

describe('the daily record files', () => {
  const DAY_SECONDS = 86_400;

  /** A root with record files of these ages, in days. */
  function createRoot(ages: readonly number[]): { root: string; list: () => string[] } {
    const root = createTempFolder(onTestFinished);
    const folder = join(root, FOLDER);
    mkdirSync(folder, { recursive: true });
    for (const age of ages) {
      const file = join(folder, `sessions-${age}.jsonl`);
      writeFileSync(file, '{}\n');
      const seconds = Date.now() / 1000 - age * DAY_SECONDS;
      utimesSync(file, seconds, seconds);
    }
    return { root, list: () => readdirSync(folder).sort() };
  }

  it('are compressed when they are two days old', () => {
    const { root, list } = createRoot([0, 1, 3, 9]);
    const [, command = ''] = /^ExecStart=(.+)$/m.exec(RECORDS_SERVICE) ?? [];
    const [program = '', ...args] = command.split(' ');
    const moved = args.map((arg) => (arg === FOLDER ? join(root, FOLDER) : arg));
    expect(spawnSync(program, moved).status).toBe(0);
    expect(list()).toEqual([
      'sessions-0.jsonl',
      'sessions-1.jsonl',
      'sessions-3.jsonl.gz',
      'sessions-9.jsonl.gz',
    ]);
  });

  it.skipIf(spawnSync('systemd-tmpfiles', ['--version']).status !== 0 || process.getuid?.() !== 0)(
    'are removed after 400 days, and no earlier',
    () => {
      const { root, list } = createRoot([0, 399, 401]);
      const lines = TMPFILES.replace(/^d .*$/m, '');
      mkdirSync(join(root, 'etc/tmpfiles.d'), { recursive: true });
      writeFileSync(join(root, 'etc/tmpfiles.d/records.conf'), lines);
      const done = spawnSync('systemd-tmpfiles', ['--clean', `--root=${root}`], {
        encoding: 'utf8',
      });
      expect(done.status, done.stderr).toBe(0);
      expect(list()).toEqual(['sessions-0.jsonl', 'sessions-399.jsonl']);
    },
  );

  it.skipIf(!hasSystemd)('have units that pass systemd-analyze verify', () => {
    const folder = createTempFolder(onTestFinished);
    const files = ['service', 'timer'].map((kind) => {
      const file = join(folder, `coturn-exporter-records.${kind}`);
      writeFileSync(file, readText(`deploy/systemd/coturn-exporter-records.${kind}`));
      return file;
    });
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', ...files], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});

function systemdAnalyze(args: readonly string[]) {
  const file = join(createTempFolder(onTestFinished), 'coturn-exporter.service');
  // verify asks for a program that is there.
  writeFileSync(file, UNIT.replace(/^ExecStart=\S+/m, 'ExecStart=/bin/true'));
  return spawnSync('systemd-analyze', [...args, file], { encoding: 'utf8' });
}

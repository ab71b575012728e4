import { describe, expect, it } from 'vitest';
import { planPackages, REQUIRED_COMMANDS } from '../../setup/package-plan.mjs';

const EVERY_COMMAND = REQUIRED_COMMANDS.map(({ command }) => command);

describe('planPackages', () => {
  it.each([
    { hasAptGet: true, mayInstall: true },
    { hasAptGet: true, mayInstall: false },
    { hasAptGet: false, mayInstall: true },
    { hasAptGet: false, mayInstall: false },
  ])('does nothing when nothing is missing: %j', (machine) => {
    expect(planPackages({ ...machine, missingCommands: [] })).toEqual({ kind: 'nothing' });
  });

  it('installs every package on an empty Debian as root, each named once', () => {
    expect(
      planPackages({ missingCommands: EVERY_COMMAND, hasAptGet: true, mayInstall: true }),
    ).toEqual({
      kind: 'install',
      packages: [
        ...['redis-server', 'coturn', 'prometheus', 'victoria-metrics', 'chromium', 'sqlite3'],
        ...['postgresql', 'jq', 'jsonnet', 'tcpdump', 'openssl'],
      ],
    });
  });

  it('installs only what is missing', () => {
    expect(
      planPackages({
        missingCommands: ['turnutils_uclient', 'promtool'],
        hasAptGet: true,
        mayInstall: true,
      }),
    ).toEqual({ kind: 'install', packages: ['coturn', 'prometheus'] });
  });

  it('names the install command to a user who may not install', () => {
    expect(
      planPackages({
        missingCommands: ['turnserver', 'turnutils_uclient', 'chromium'],
        hasAptGet: true,
        mayInstall: false,
      }),
    ).toEqual({
      kind: 'refuse',
      packages: ['coturn', 'chromium'],
      message:
        'The tests need turnserver, turnutils_uclient, chromium. Install with:\n' +
        '  sudo apt-get install --no-install-recommends coturn chromium',
    });
  });

  it.each([true, false])('names the packages where there is no apt-get, root: %s', (mayInstall) => {
    expect(
      planPackages({ missingCommands: ['redis-server'], hasAptGet: false, mayInstall }),
    ).toEqual({
      kind: 'refuse',
      packages: ['redis-server'],
      message:
        'The tests need redis-server: install what Debian calls redis-server, then run this again',
    });
  });
});

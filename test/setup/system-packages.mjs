// Run by npm's pretest: brings the programs that the tests start, or says how to get them.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { planPackages, REQUIRED_COMMANDS } from './package-plan.mjs';
import { withoutServiceStarts } from './service-policy.mjs';

const MACHINE_PATHS = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const NO_INSTALL = 'COTURN_TEST_NO_INSTALL';

process.exitCode = main();

function main() {
  const plan = planPackages({
    missingCommands: missingCommands(),
    hasAptGet: isInPath('apt-get'),
    mayInstall: process.getuid?.() === 0 && process.env[NO_INSTALL] !== '1',
  });
  if (plan.kind === 'nothing') return 0;
  if (plan.kind === 'refuse') {
    console.error(plan.message);
    return 1;
  }
  console.log(`Installing what the tests start, with apt-get: ${plan.packages.join(', ')}`);
  return install(plan.packages) ? 0 : 1;
}

/** @param {readonly string[]} packages */
function install(packages) {
  const done = withoutServiceStarts(
    () =>
      aptGet(['update']) && aptGet(['install', '--yes', '--no-install-recommends', ...packages]),
  );
  if (!done) return false;
  const missing = missingCommands();
  if (missing.length === 0) return true;
  console.error(`apt-get installed ${packages.join(', ')}, but ${missing.join(', ')} is not found`);
  return false;
}

/**
 * Quiet when it works; shows what apt-get said when it does not.
 * @param {readonly string[]} args
 */
function aptGet(args) {
  const result = spawnSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=120', ...args], {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.status === 0) return true;
  const said = result.error?.message ?? `${result.stdout}${result.stderr}`.trim();
  console.error(`Cannot run apt-get ${args.join(' ')}:\n${said}`);
  return false;
}

function missingCommands() {
  return REQUIRED_COMMANDS.map(({ command }) => command).filter((command) => !isInPath(command));
}

/** @param {string} command */
function isInPath(command) {
  const folders = `${process.env.PATH ?? ''}${delimiter}${MACHINE_PATHS}`.split(delimiter);
  return folders.some((folder) => folder !== '' && isExecutable(join(folder, command)));
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

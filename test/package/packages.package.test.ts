import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ROOT, readRelease } from '../../deploy/package/bundle.ts';
import { writeDebianPackage } from '../../deploy/package/debian.ts';
import { createTempFolder } from '../support/temp-folder.ts';
import { until } from '../support/until.ts';
import { EXECUTABLE } from './executable.ts';

const HERE = fileURLToPath(new URL('./', import.meta.url));
const { version, revision } = readRelease();
/** What one call of 100 messages by two clients relays. */
const RELAYED_BYTES = 20_000;
/** `/`, or a root that debootstrap made, with coturn and curl. */
const CLEAN_ROOT = process.env['TEST_CLEAN_ROOT'] ?? '/';

describe('on a machine without Node.js', () => {
  it.each([
    { what: 'the executable', script: 'executable.sh' },
    { what: 'the Debian package', script: 'debian.sh' },
  ])('$what is installed, and tells of a first call to the byte', ({ script }) => {
    const packages = createTempFolder(onTestFinished);
    copyFileSync(EXECUTABLE, join(packages, 'coturn-exporter'));
    copyFileSync(join(HERE, 'first-call.sh'), join(packages, 'first-call.sh'));
    if (script === 'debian.sh') writeDebianPackages(packages);
    const { status, stdout, stderr } = spawnSync(
      join(HERE, 'clean-root.sh'),
      [CLEAN_ROOT, packages, join(HERE, script)],
      { encoding: 'utf8' },
    );
    expect(status, `${stdout}${stderr}`).toBe(0);
    expect(stdout).toContain(
      `coturn_peer_sent_bytes_total{realm="example.org",server="${hostname()}"} ${RELAYED_BYTES}\n`,
    );
    expect(stdout).toContain(`"complete":true`);
    expect(stdout).toContain(`"peer_sent_bytes":${RELAYED_BYTES},`);
  });
});

describe('the package of npm', () => {
  it('runs the demo by npx in an empty folder, with nothing installed beside it', async () => {
    const packed = createTempFolder(onTestFinished);
    const before = spawnSync('git', ['status', '--porcelain'], { cwd: ROOT, encoding: 'utf8' });
    const pack = spawnSync('npm', ['pack', '--pack-destination', packed], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    expect(pack.status, pack.stderr).toBe(0);
    const after = spawnSync('git', ['status', '--porcelain'], { cwd: ROOT, encoding: 'utf8' });
    expect(after.stdout).toBe(before.stdout);

    const [tarball = ''] = readdirSync(packed);
    const cwd = createTempFolder(onTestFinished);
    const cache = createTempFolder(onTestFinished);
    // A group of its own, as a terminal makes it: Ctrl-C reaches the program and not npx alone.
    const demo = spawn(
      'npx',
      [
        ...['--yes', '--engine-strict', '--offline', '--cache', cache],
        ...[`--package=${join(packed, tarball)}`, 'coturn-exporter', 'demo'],
        ...['--web.listen-address=127.0.0.1:0', '--statsdb.listen-address=127.0.0.1:0'],
      ],
      { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const ended = once(demo, 'close');
    onTestFinished(() => void signalGroup(demo, 'SIGKILL'));
    const said = { stdout: '', stderr: '' };
    demo.stdout.on('data', (bytes: Buffer) => {
      said.stdout += bytes;
    });
    demo.stderr.on('data', (bytes: Buffer) => {
      said.stderr += bytes;
    });
    const text = await until(() => said.stderr, {
      what: 'the demo to say where to look',
      timeoutMs: 60_000,
      isDone: (seen) => seen.includes('Ctrl-C'),
    });
    const [, metrics = ''] = /^ +Metrics +(\S+)$/m.exec(text) ?? [];
    expect(await (await fetch(metrics)).text()).toContain(`version="${version}"`);
    await until(() => said.stdout, {
      what: 'a record',
      timeoutMs: 30_000,
      isDone: (seen) => seen.includes('session_finished'),
    });
    signalGroup(demo, 'SIGINT');
    await ended;
    expect(readdirSync(cwd)).toEqual([]);
  });
});

/** A version and one before it, for an upgrade. Hardly compressed: that would take minutes. */
function writeDebianPackages(folder: string): void {
  for (const [name, each] of [
    ['old.deb', `${version}~before`],
    ['new.deb', version],
  ] as const) {
    const release = { version: each, revision };
    const written = writeDebianPackage({ executable: EXECUTABLE, folder, release, level: 0 });
    copyFileSync(written, join(folder, name));
  }
}

/** Safe when it has ended. */
function signalGroup({ pid, exitCode, signalCode }: ChildProcess, signal: NodeJS.Signals): void {
  const isRunning = exitCode === null && signalCode === null;
  if (pid !== undefined && isRunning) process.kill(-pid, signal);
}

import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** As in nodejs.org/api/single-executable-applications.html. */
const SENTINEL_FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
const RESOURCE = 'NODE_SEA_BLOB';

/**
 * Writes the script and the Node.js that runs this as one executable file that needs neither
 * Node.js nor anything beside it but the C library of the system.
 *
 * @param options.script the bundled program; CommonJS
 * @param options.file what is written
 */
export function writeExecutable(options: { readonly script: string; readonly file: string }): void {
  const { script, file } = options;
  const folder = mkdtempSync(join(tmpdir(), 'coturn-exporter-package-'));
  try {
    const blob = join(folder, 'program.blob');
    const config = join(folder, 'sea.json');
    const settings = { main: script, output: blob, disableExperimentalSEAWarning: true };
    // With the code cache V8 need not compile at each start.
    writeFileSync(config, JSON.stringify({ ...settings, useCodeCache: true }));
    run(process.execPath, ['--experimental-sea-config', config]);
    const program = join(folder, 'program');
    copyFileSync(process.execPath, program);
    chmodSync(program, 0o755);
    // Names of functions for debuggers, which nobody has on a server: a sixth of the file.
    run('strip', ['--strip-all', program]);
    // As a program of its own: it prints warnings about the sections that are stripped.
    const postject = createRequire(import.meta.url).resolve('postject/dist/cli.js');
    run(process.execPath, [postject, program, RESOURCE, blob, '--sentinel-fuse', SENTINEL_FUSE]);
    copyFileSync(program, file);
    chmodSync(file, 0o755);
    run(file, ['--version']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a program to its end. */
export function run(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return stdout;
  const said = error?.message ?? `${stdout}${stderr}`.trim();
  throw new Error(`Cannot run ${command} ${args.join(' ')}: ${said}`);
}

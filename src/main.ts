#!/usr/bin/env node
import { readFileSync, writeSync } from 'node:fs';
import type { BuildInfo } from './build-info.ts';
import { parseCommandLine } from './config/command-line.ts';
import type { Config } from './config/config.ts';
import { ConfigError } from './config/config-error.ts';
import { createExporter, StartError } from './exporter.ts';
import { createLog } from './log.ts';

const STDERR_FD = 2;

/**
 * Runs the command and gives its exit code: 0 fine, 1 failed while running, 2 bad usage.
 *
 * @param argv arguments, after the name of the script
 */
async function run(argv: readonly string[]): Promise<number> {
  try {
    const command = parseCommandLine(argv, process.env);
    switch (command.kind) {
      case 'help':
        process.stdout.write(command.text);
        return 0;
      case 'version':
        process.stdout.write(`coturn-exporter ${buildInfo().version}\n`);
        return 0;
      case 'check-config':
        process.stdout.write('configuration is valid\n');
        return 0;
      case 'run':
        return await serve(command.config);
    }
  } catch (error) {
    if (error instanceof ConfigError) return complain(error.message, 2);
    if (error instanceof StartError) return complain(error.message, 1);
    throw error;
  }
}

async function serve(config: Config): Promise<number> {
  const log = createLog(config.log);
  const build = buildInfo();
  const exporter = await createExporter(config, {
    log,
    build,
    spill: (line) => writeSync(STDERR_FD, line),
  });
  const stopSignal = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => resolve(signal));
  });
  process.on('SIGHUP', () => exporter.reopenRecords());
  try {
    const addresses = await exporter.start();
    const { version, nodeVersion } = build;
    log.info({ version, nodeVersion, address: addresses.web }, 'coturn-exporter is running');
    log.info({ signal: await stopSignal }, 'coturn-exporter stops');
  } finally {
    await exporter.stop();
  }
  return 0;
}

function complain(message: string, exitCode: number): number {
  process.stderr.write(`coturn-exporter: ${message}\n`);
  return exitCode;
}

function buildInfo(): BuildInfo {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  );
  const version =
    typeof manifest === 'object' && manifest !== null && 'version' in manifest
      ? String(manifest.version)
      : 'unknown';
  return { version, revision: revision(), nodeVersion: process.version };
}

/** Written next to the program when an image is built; a checkout has none. */
function revision(): string {
  try {
    return readFileSync(new URL('./revision', import.meta.url), 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

const exitCode = await run(process.argv.slice(2));
// A write to a pipe that nobody reads may never come back; nothing else is left to wait for.
process.exit(exitCode);

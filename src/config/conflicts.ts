import { realpathSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { resolve } from 'node:path';
import { ConfigError, quote } from './config-error.ts';
import type { OptionValues } from './options.ts';
import { formatHostPort, type HostPort } from './values.ts';

/** Files beside `--state.file` that belong to it. */
const STATE_SUFFIXES = ['', '.tmp', '.recorded', '.recorded.tmp', '.lock', '.bad'];

/** Flags that name files which are only read. */
const READ_ONLY = /(?:[.-]file)$/;

/**
 * Refuses a file that is written under one flag and named by another, and a port that two parts of
 * the exporter would listen on.
 *
 * @param statsdb what the embedded statsdb listens on
 * @throws {ConfigError} that names both flags
 */
export function rejectConflicts(values: OptionValues, statsdb: readonly HostPort[]): void {
  const taken = new Map<string, string>();
  for (const [flag, path] of writtenPaths(values)) {
    const other = taken.get(canonical(path));
    if (other !== undefined && other !== flag) throw samePath(flag, other, path);
    taken.set(canonical(path), flag);
  }
  for (const [flag, path] of Object.entries(values)) {
    if (typeof path !== 'string' || !READ_ONLY.test(flag) || isWritten(flag)) continue;
    const other = taken.get(canonical(path));
    if (other !== undefined) throw samePath(flag, other, path);
  }
  const web = values['web.listen-address'];
  const same = statsdb.find((address) => overlap(address, web));
  if (same !== undefined) {
    throw new ConfigError(
      `Cannot use --web.listen-address ${quote(formatHostPort(web))}: expected another port than that of --statsdb.listen-address, ${formatHostPort(same)}`,
    );
  }
}

function isWritten(flag: string): boolean {
  return flag === 'records.file' || flag === 'state.file';
}

function writtenPaths(values: OptionValues): [flag: string, path: string][] {
  const records = values['records.file'];
  const state = values['state.file'];
  const isStdout = records === '-' || records === 'stdout';
  return [
    ...(isStdout ? [] : [['records.file', records] as [string, string]]),
    ...(state === undefined
      ? []
      : STATE_SUFFIXES.map((suffix): [string, string] => ['state.file', state + suffix])),
  ];
}

function samePath(flag: string, other: string, path: string): ConfigError {
  return new ConfigError(
    `Cannot use --${flag} ${quote(path)}: expected another file than that of --${other}`,
  );
}

/** Links are followed where the file is there. */
function canonical(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

function overlap(left: HostPort, right: HostPort): boolean {
  if (left.port !== right.port || left.port === 0) return false;
  return left.host === right.host || covers(left.host, right.host) || covers(right.host, left.host);
}

function covers(wide: string, host: string): boolean {
  return wide === '' || wide === '::' || (wide === '0.0.0.0' && !isIPv6(host));
}

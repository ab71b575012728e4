import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Config } from '../config/config.ts';
import { ConfigError, quote } from '../config/config-error.ts';
import { datedPath } from '../config/values.ts';
import { errorCode } from '../log.ts';
import { checkState } from '../state/state-file.ts';

/**
 * Checks that records and state can be written where the flags say. Makes and changes nothing.
 *
 * @throws {ConfigError} that names the flag and the path
 */
export async function checkFiles({ records, state }: Config): Promise<void> {
  if (records.file !== undefined) checkRecords(datedPath(records.file, Date.now()));
  if (state.file === undefined) return;
  attempt('state.file', state.file, () => checkFolder(state.file ?? ''));
  try {
    await checkState(state.file);
  } catch (cause) {
    throw new ConfigError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function checkRecords(path: string): void {
  attempt('records.file', path, () => {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return checkFolder(path);
    if (!(stats.isFile() || stats.isFIFO() || stats.isCharacterDevice())) {
      throw Object.assign(new Error('It is neither a file nor a pipe'), { code: 'EINVAL' });
    }
    accessSync(path, constants.W_OK);
  });
}

/** A file can be made in the folder of `path`. */
function checkFolder(path: string): void {
  accessSync(dirname(path), constants.W_OK | constants.X_OK);
  if (!statSync(dirname(path)).isDirectory()) {
    throw Object.assign(new Error('It is in no folder'), { code: 'ENOTDIR' });
  }
}

function attempt(flag: string, path: string, check: () => void): void {
  try {
    check();
  } catch (cause) {
    const why = errorCode(cause) ?? String(cause);
    throw new ConfigError(
      `Cannot use --${flag} ${quote(path)}: expected a file that can be written (${why})`,
      { cause },
    );
  }
}

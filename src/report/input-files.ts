import { readdirSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { ConfigError, quote } from '../config/config-error.ts';

/** What a report reads. */
export interface InputFile {
  /** For messages; `stdin` for standard input. */
  readonly name: string;
  /** Absent for standard input. */
  readonly path?: string;
  /** Size in bytes as it lies on disk; 0 when nobody knows. */
  readonly size: number;
}

/** Standard input as an argument. */
export const STDIN_ARGUMENT = '-';

const WILDCARD = /[*?[]/;

/**
 * The files that arguments name. A pattern with `*`, `?` or `[…]` stands for what it matches, for
 * shells that leave it as it is; a file that is named twice, also by a link, is read once.
 *
 * @throws {ConfigError} when a file is not there or a pattern matches nothing
 */
export function findInputFiles(names: readonly string[]): InputFile[] {
  const found = new Map<string, InputFile>();
  for (const name of names) {
    if (name === STDIN_ARGUMENT) {
      found.set(name, { name: 'stdin', size: 0 });
      continue;
    }
    for (const path of expand(name)) {
      const { identity, size } = identify(path);
      if (!found.has(identity)) found.set(identity, { name: path, path, size });
    }
  }
  return [...found.values()];
}

function expand(name: string): string[] {
  if (!WILDCARD.test(name) || statSync(name, { throwIfNoEntry: false }) !== undefined) {
    return [name];
  }
  const segments = name.split(sep);
  let paths = [segments[0] === '' ? sep : ''];
  for (const segment of segments) {
    if (segment !== '') paths = paths.flatMap((folder) => matching(folder, segment));
  }
  if (paths.length === 0) {
    throw new ConfigError(`Cannot find ${quote(name)}: expected a pattern that matches files`);
  }
  return paths;
}

/** What matches one segment of a pattern in a folder, in the order of names. */
function matching(folder: string, segment: string): string[] {
  if (!WILDCARD.test(segment)) return [join(folder, segment)];
  const pattern = new RegExp(`^${segment.replace(/\[!?[^\]]+\]|[\s\S]/gu, toPattern)}$`, 'u');
  try {
    const names = readdirSync(folder === '' ? '.' : folder);
    return names
      .filter((name) => pattern.test(name) && (segment.startsWith('.') || !name.startsWith('.')))
      .sort()
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

/** `*`, `?`, `[a-c]`, `[!a]` or a character as a part of a regular expression. */
function toPattern(part: string): string {
  if (part === '*') return '.*';
  if (part === '?') return '.';
  if (part.length > 2 && part.startsWith('[')) {
    const inner = part.slice(1, -1).replace(/[\\^]/g, '\\$&');
    return inner.startsWith('!') ? `[^${inner.slice(1)}]` : `[${inner}]`;
  }
  return part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

function identify(path: string): { identity: string; size: number } {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) {
    throw new ConfigError(`Cannot find ${quote(path)}: expected a file of session records`);
  }
  if (stats.isDirectory()) {
    throw new ConfigError(`Cannot read ${quote(path)}: expected a file, found a folder`);
  }
  return { identity: `${stats.dev}:${stats.ino}`, size: stats.isFile() ? stats.size : 0 };
}

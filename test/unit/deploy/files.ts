import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { isObject } from '../../support/json-lines.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** The absolute path of a file of the repository. */
export function pathOf(name: string): string {
  return join(ROOT, name);
}

/** The text of a file of the repository. */
export function readText(name: string): string {
  return readFileSync(pathOf(name), 'utf8');
}

/** Whether the repository has a file or folder of this name. */
export function exists(name: string): boolean {
  return existsSync(pathOf(name));
}

/** A YAML file of the repository. */
export function readYaml(name: string): unknown {
  return parse(readText(name), { merge: true });
}

/** What stands at the end of a path of keys; undefined where one is missing. */
export function at(value: unknown, ...keys: ReadonlyArray<string | number>): unknown {
  return keys.reduce<unknown>((found, key) => {
    if (Array.isArray(found)) return found[Number(key)];
    return isObject(found) ? found[String(key)] : undefined;
  }, value);
}

/** The same as a list; empty when there is none. */
export function listAt(value: unknown, ...keys: ReadonlyArray<string | number>): unknown[] {
  const found = at(value, ...keys);
  return Array.isArray(found) ? found : [];
}

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What `package.json` of a dependency tells. */
interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

const LICENCE_FILE = /^(?:licen[cs]e|copying|notice)/i;

/**
 * The licence of the program and of every package that it is made of, for the file beside it.
 *
 * @param moduleIds the files that were bundled
 * @throws {Error} when a package tells no licence
 */
export function licenceText(root: string, moduleIds: readonly string[]): string {
  const folders = new Set(moduleIds.flatMap((id) => packageFolder(id) ?? []));
  const parts = [...folders].sort().map(describePackage);
  const own = readFileSync(join(root, 'LICENSE'), 'utf8').trim();
  return [`coturn-exporter\n\n${own}`, ...parts].join(`\n\n${'-'.repeat(80)}\n\n`).concat('\n');
}

/** `…/node_modules/@scope/name/lib/a.js` → `…/node_modules/@scope/name`; undefined for our own files. */
function packageFolder(id: string): string | undefined {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(id.replace(/^\0/, ''))?.[0];
}

function describePackage(folder: string): string {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
  const { name, version, license } = manifest;
  if (license === undefined) throw new Error(`Cannot tell the licence of ${name}`);
  const texts = readdirSync(folder)
    .filter((file) => LICENCE_FILE.test(file) && existsSync(join(folder, file)))
    .map((file) => readFileSync(join(folder, file), 'utf8').trim());
  return [`${name} ${version} (${license})`, ...texts].join('\n\n');
}

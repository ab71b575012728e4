import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Reporter, TestModule } from 'vitest/node';
import { coturnVersion } from './coturn-version.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FOLDER = new URL('../../docs/measured/', import.meta.url);

/** How the tests of a file ended. */
interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Whether this run is to be kept for the tables in the documents. */
export const isKept: boolean = process.env['RESULTS'] === '1';

/** Keeps what a run of the suite with `RESULTS=1` has seen, for tables in the documents. */
export function writeMeasured(name: string, value: unknown): void {
  const file = new URL(`${name}.json`, FOLDER);
  mkdirSync(new URL('.', file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
}

/** Keeps how many tests of each file the coturn of this run has passed. */
export class VersionReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const name = `coturn/${coturnVersion()}`;
    const file = new URL(`${name}.json`, FOLDER);
    const known = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
    const seen = modules.map((module) => [relative(ROOT, module.moduleId), countTests(module)]);
    const all = Object.entries<Counts>({ ...known, ...Object.fromEntries(seen) });
    writeMeasured(name, Object.fromEntries(all.sort(([left], [right]) => (left < right ? -1 : 1))));
  }
}

function countTests(module: TestModule): Counts {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    if (state !== 'pending') counts[state] += 1;
  }
  return counts;
}

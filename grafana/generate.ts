import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generatedFiles } from './src/generated-files.ts';

/**
 * Writes all that is generated from the dashboards and rules; with `--check` writes nothing and
 * ends with 1 when a file differs. Run it with `npx tsx grafana/generate.ts`.
 */
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const isCheck = process.argv.includes('--check');
const stale = generatedFiles(ROOT).filter(({ path, text }) => readText(path) !== text);

for (const { path, text } of stale) {
  process.stdout.write(`${isCheck ? 'differs' : 'written'}: ${relative(ROOT, path)}\n`);
  if (isCheck) continue;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
if (isCheck && stale.length > 0) process.exitCode = 1;

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './bundle.ts';

const MANIFEST = join(ROOT, 'package.json');
/** `package.json` as it is in the repository, while one for users stands in its place. */
const WHOLE = join(ROOT, 'dist', 'package.json.whole');
/** What only a checkout needs: the published program has everything inside. */
const OF_CHECKOUTS = ['dependencies', 'devDependencies', 'overrides', 'scripts', 'allowScripts'];

/**
 * Puts a `package.json` for users in place of ours, so that they run what was tested and nothing
 * else is installed beside it. {@link restoreManifest} takes it back.
 */
export function publishManifest(env: NodeJS.ProcessEnv): void {
  if (existsSync(WHOLE)) restoreManifest();
  const text = readFileSync(MANIFEST, 'utf8');
  writeFileSync(WHOLE, text);
  writeFileSync(MANIFEST, `${JSON.stringify(manifestForUsers(text, env), null, 2)}\n`);
}

/** Gives the repository its own `package.json` back. */
export function restoreManifest(): void {
  renameSync(WHOLE, MANIFEST);
}

/** The `package.json` of the published package. Where it is built tells where the sources are. */
export function manifestForUsers(text: string, env: NodeJS.ProcessEnv): Record<string, unknown> {
  const manifest = JSON.parse(text) as Record<string, unknown>;
  const kept = Object.entries(manifest).filter(([name]) => !OF_CHECKOUTS.includes(name));
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository } = env;
  if (server === undefined || repository === undefined) return Object.fromEntries(kept);
  // Provenance is refused unless this is the repository that builds the package.
  return {
    ...Object.fromEntries(kept),
    repository: { type: 'git', url: `git+${server}/${repository}.git` },
  };
}

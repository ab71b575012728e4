import { readFileSync } from 'node:fs';

/** What runs. */
export interface BuildInfo {
  readonly version: string;
  /** Commit of the sources; `unknown` where nothing tells it. */
  readonly revision: string;
  readonly nodeVersion: string;
}

/** What runs here: from `package.json`, and from what was written when an image was built. */
export function readBuildInfo(): BuildInfo {
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

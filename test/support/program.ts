import { fileURLToPath } from 'node:url';

const BUNDLE = fileURLToPath(new URL('../../dist/coturn-exporter.cjs', import.meta.url));

/** How the program under test is started. */
export interface Program {
  readonly command: string;
  /** Stand before the program's own arguments. */
  readonly args: readonly string[];
}

/**
 * What users run: the bundled script, as npm and the image have it; or what the environment variable
 * `TEST_PROGRAM` names, such as the single executable.
 */
export const PROGRAM: Program = programOf(process.env['TEST_PROGRAM'] ?? BUNDLE);

function programOf(path: string): Program {
  const isScript = /\.[cm]?js$/.test(path);
  return isScript ? { command: process.execPath, args: [path] } : { command: path, args: [] };
}

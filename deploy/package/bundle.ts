import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type OutputChunk, type Plugin, rolldown } from 'rolldown';
import { bcryptProgram } from '../../src/http/bcrypt-program.ts';
import { licenceText } from './licences.ts';

/** The repository. */
export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url));

/** What is built, as its names and labels say. */
export interface Release {
  readonly version: string;
  /** Commit of the sources; `unknown` outside a repository unless `REVISION` tells. */
  readonly revision: string;
}

/** The version of `package.json` and the commit that is checked out. */
export function readRelease(): Release {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    version: string;
  };
  const git = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: ROOT, encoding: 'utf8' });
  const commit = git.status === 0 ? git.stdout.trim() : 'unknown';
  return { version: manifest.version, revision: process.env['REVISION'] ?? commit };
}

/**
 * Writes the whole program as one script, with everything it loads inside, and the licences of that
 * beside it: `coturn-exporter.cjs` and `LICENSES.txt` in `folder`.
 *
 * CommonJS, since the main script of a single executable application has to be.
 *
 * @returns the path of the script
 */
export async function writeBundle(folder: string, release: Release): Promise<string> {
  const bundle = await rolldown({
    input: join(ROOT, 'src/main.ts'),
    cwd: ROOT,
    platform: 'node',
    tsconfig: join(ROOT, 'tsconfig.json'),
    transform: { target: 'node20' },
    plugins: [buildInfo(release), BCRYPT_PROGRAM],
    onLog: (_level, log) => {
      throw new Error(`Cannot bundle without doubts: ${log.message}`);
    },
  });
  const { output } = await bundle.generate({
    format: 'cjs',
    // Commands are loaded when they are wanted; in one file they still start only then.
    codeSplitting: false,
    minify: { compress: true, mangle: false, codegen: true },
    comments: { legal: false },
  });
  await bundle.close();
  const [chunk, ...others] = output;
  if (others.length > 0) throw new Error('Cannot bundle into one file: expected a single chunk');
  const file = join(folder, 'coturn-exporter.cjs');
  writeFileSync(file, checked(chunk));
  chmodSync(file, 0o755);
  writeFileSync(join(folder, 'LICENSES.txt'), licenceText(ROOT, [...chunk.moduleIds, BCRYPTJS]));
  return file;
}

/** In a single file there are no files beside the program that could tell what it is. */
function buildInfo({ version, revision }: Release): Plugin {
  const code = `export function readBuildInfo() {
    return { version: ${JSON.stringify(version)}, revision: ${JSON.stringify(revision)}, nodeVersion: process.version };
  }`;
  return {
    name: 'build-info',
    load: {
      filter: { id: /\/src\/build-info\.ts$/ },
      handler: () => ({ code, moduleType: 'js' }),
    },
  };
}

/** Not among the modules of the bundle, for it is a text in it. */
const BCRYPTJS = join(ROOT, 'node_modules/bcryptjs/index.js');

const BCRYPT_PROGRAM: Plugin = {
  name: 'bcrypt-program',
  load: {
    filter: { id: /\/src\/http\/bcrypt-program\.ts$/ },
    handler: () => ({
      code: `export function bcryptProgram() { return ${JSON.stringify(bcryptProgram())}; }`,
      moduleType: 'js',
    }),
  },
};

/** Files beside the program are not there when it is alone, so none may be asked for. */
function checked({ code }: OutputChunk): string {
  if (code.includes('pathToFileURL(__filename)')) {
    throw new Error('Cannot bundle: expected no use of import.meta.url in what is bundled');
  }
  return code;
}

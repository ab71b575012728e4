import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, readRelease, writeBundle } from './bundle.ts';
import { writeDebianPackage } from './debian.ts';
import { writeExecutable } from './executable.ts';
import { publishManifest, restoreManifest } from './manifest.ts';
import { releaseNotes } from './notes.ts';

const [what = 'everything'] = process.argv.slice(2);
const release = readRelease();

switch (what) {
  case 'bundle':
    await writeBundle(join(ROOT, 'dist'), release);
    break;
  case 'prepack':
    await writeBundle(join(ROOT, 'dist'), release);
    publishManifest(process.env);
    break;
  case 'postpack':
    restoreManifest();
    break;
  case 'notes':
    process.stdout.write(
      releaseNotes(readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8'), release.version),
    );
    break;
  case 'everything':
    await writeEverything();
    break;
  default:
    throw new RangeError(
      `Cannot package "${what}": expected bundle, prepack, postpack, notes or nothing`,
    );
}

/** The bundle in `dist/`, the executable and the Debian package in `dist-bin/`. */
async function writeEverything(): Promise<void> {
  const script = await writeBundle(join(ROOT, 'dist'), release);
  const folder = join(ROOT, 'dist-bin');
  mkdirSync(folder, { recursive: true });
  const name = `coturn-exporter-${release.version}-${process.platform}-${process.arch}`;
  const executable = join(folder, name);
  writeExecutable({ script, file: executable });
  writeDebianPackage({ executable, folder, release });
}

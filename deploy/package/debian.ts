import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, parse } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Release, ROOT } from './bundle.ts';
import { run } from './executable.ts';
import { renderManPage } from './man-page.ts';

/** What Debian calls the processors that Node.js runs on. */
const ARCHITECTURES: ReadonlyMap<string, string> = new Map([
  ['x64', 'amd64'],
  ['arm64', 'arm64'],
]);

/** Files of the repository, by the place where the package installs them. */
const FILES: Readonly<Record<string, string>> = {
  'etc/default/coturn-exporter': 'deploy/debian/default',
  'usr/share/doc/coturn-exporter/examples/web.config.yml': 'deploy/debian/web.config.yml',
  'usr/share/doc/coturn-exporter/copyright': 'dist/LICENSES.txt',
};

/** Where the files of `deploy/systemd/` belong, by what they are; `*` is their name. */
const SYSTEMD_PLACES: Readonly<Record<string, string>> = {
  '.service': 'usr/lib/systemd/system/*.service',
  '.timer': 'usr/lib/systemd/system/*.timer',
  '.sysusers': 'usr/lib/sysusers.d/*.conf',
  '.tmpfiles': 'usr/lib/tmpfiles.d/*.conf',
};

const SCRIPTS = ['postinst', 'prerm', 'postrm'];

/**
 * Writes the Debian package of an executable.
 *
 * @returns the path of the package: `coturn-exporter_0.1.0_amd64.deb` in `folder`
 */
export function writeDebianPackage(options: {
  readonly executable: string;
  readonly folder: string;
  readonly release: Release;
  /** How hard xz tries, from 0 to 9: a minute at 6, which is left out. */
  readonly level?: number;
}): string {
  const { executable, folder, release, level = 6 } = options;
  const architecture = ARCHITECTURES.get(process.arch);
  if (architecture === undefined) {
    throw new RangeError(`Cannot package for "${process.arch}": expected x64 or arm64`);
  }
  // A version before 1.0.0, such as 1.0.0-rc.1, sorts before it only when written with a tilde.
  const version = release.version.replace('-', '~');
  const file = join(folder, `coturn-exporter_${version}_${architecture}.deb`);
  const root = mkdtempSync(join(tmpdir(), 'coturn-exporter-deb-'));
  try {
    chmodSync(root, 0o755);
    install(root, executable, release);
    writeControl(root, { version, architecture });
    run('dpkg-deb', ['--root-owner-group', '-Zxz', `-z${level}`, '--build', root, file]);
    return file;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function install(root: string, executable: string, release: Release): void {
  put(root, 'usr/bin/coturn-exporter', readFileSync(executable), 0o755);
  for (const [place, source] of installedFiles())
    put(root, place, readFileSync(join(ROOT, source)));
  const page = gzipSync(renderManPage(release.version), { level: 9 });
  put(root, 'usr/share/man/man1/coturn-exporter.1.gz', page);
  const changes = gzipSync(readFileSync(join(ROOT, 'CHANGELOG.md')), { level: 9 });
  put(root, 'usr/share/doc/coturn-exporter/changelog.gz', changes);
}

/** Files of the repository after the places where the package installs them. */
function installedFiles(): (readonly [place: string, source: string])[] {
  const systemd = readdirSync(join(ROOT, 'deploy/systemd')).map((file) => {
    const { name, ext } = parse(file);
    const place = SYSTEMD_PLACES[ext];
    if (place === undefined) throw new RangeError(`Cannot place deploy/systemd/${file}`);
    return [place.replace('*', name), `deploy/systemd/${file}`] as const;
  });
  return [...Object.entries(FILES), ...systemd];
}

function put(root: string, place: string, content: Buffer | string, mode = 0o644): void {
  const file = join(root, place);
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  writeFileSync(file, content);
  chmodSync(file, mode);
}

function writeControl(root: string, names: { version: string; architecture: string }): void {
  const installedSize = Math.ceil(statSync(join(root, 'usr/bin/coturn-exporter')).size / 1024);
  const template = readFileSync(join(ROOT, 'deploy/debian/control'), 'utf8');
  const values: Readonly<Record<string, string>> = {
    ...names,
    installedSize: String(installedSize),
  };
  const control = template.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => values[name] ?? '');
  put(root, 'DEBIAN/control', control);
  // What people edit, and what an upgrade therefore leaves alone.
  const edited = installedFiles().flatMap(([place]) => (place.startsWith('etc/') ? [place] : []));
  put(root, 'DEBIAN/conffiles', edited.map((place) => `/${place}\n`).join(''));
  for (const script of SCRIPTS) {
    cpSync(join(ROOT, 'deploy/debian', script), join(root, 'DEBIAN', script));
    chmodSync(join(root, 'DEBIAN', script), 0o755);
  }
}

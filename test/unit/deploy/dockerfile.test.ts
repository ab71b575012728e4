import { validate } from 'dockerfile-utils';
import { describe, expect, it } from 'vitest';
import { exists, readText } from './files.ts';

const DOCKERFILE = readText('Dockerfile');
const MANIFEST = JSON.parse(readText('package.json')) as { version: string };

describe('Dockerfile', () => {
  it('has nothing that the linter of Dockerfiles finds fault with', () => {
    expect(validate(DOCKERFILE)).toEqual([]);
  });

  it('copies what there is, and what .dockerignore lets through', () => {
    const allowed = [...readText('.dockerignore').matchAll(/^!(.+)$/gm)].map(
      ([, name = '']) => name,
    );
    const copied = [...DOCKERFILE.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(
      ([, names = '']) => names.split(' '),
    );
    for (const name of copied) {
      const path = name.replace(/^\.\//, '');
      expect(exists(path), path).toBe(true);
      expect(allowed).toContain(path);
    }
    expect(copied.length).toBeGreaterThan(4);
  });

  it('labels the image with the version of the package', () => {
    expect(DOCKERFILE).toContain(`\nARG VERSION=${MANIFEST.version}\n`);
    for (const label of ['title', 'description', 'licenses', 'version', 'revision']) {
      expect(DOCKERFILE).toContain(`org.opencontainers.image.${label}=`);
    }
  });

  it('runs as nobody in particular, and asks itself how it is', () => {
    expect(DOCKERFILE).toMatch(/^USER [1-9]\d*:[1-9]\d*$/m);
    expect(DOCKERFILE).toMatch(/^HEALTHCHECK [\s\S]+"healthcheck"\]$/m);
  });
});

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const ROOT = new URL('../../../', import.meta.url);
const TEXT = readFileSync(new URL('CONTRIBUTING.md', ROOT), 'utf8');
const SCRIPTS = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')).scripts;

describe('CONTRIBUTING.md', () => {
  it('names files and folders that there are', () => {
    const paths = [...TEXT.matchAll(/`((?:src|test|docs|grafana|deploy|bench)\/[\w./-]*)`/g)];
    expect(paths.length).toBeGreaterThan(30);
    for (const [, path = ''] of paths) expect(existsSync(new URL(path, ROOT)), path).toBe(true);
  });

  it('links to documents that there are', () => {
    for (const [, link = ''] of TEXT.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
      expect(existsSync(new URL(link, ROOT)), link).toBe(true);
    }
  });

  it('names commands that there are', () => {
    for (const [, script = ''] of TEXT.matchAll(
      /npm (?:run )?(test:\w+|ok|docs|dashboards|bench|soak|build)/g,
    )) {
      expect(Object.keys(SCRIPTS)).toContain(script);
    }
  });
});

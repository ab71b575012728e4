import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isObject } from '../../support/json-lines.ts';
import { at, exists, listAt, pathOf, readText, readYaml } from './files.ts';

const FOLDER = '.github/workflows';
const WORKFLOWS = readdirSync(pathOf(FOLDER)).map((file) => `${FOLDER}/${file}`);
const MANIFEST = JSON.parse(readText('package.json')) as { scripts: Record<string, string> };

describe.each(WORKFLOWS)('%s', (file) => {
  const text = readText(file);
  const jobs = at(readYaml(file), 'jobs');

  it('may read and nothing else, unless a job says so', () => {
    expect(at(readYaml(file), 'permissions')).toEqual({ contents: 'read' });
  });

  it('runs scripts and files that there are', () => {
    for (const [, script = ''] of text.matchAll(/npm run ([\w:]+)/g)) {
      expect(Object.keys(MANIFEST.scripts)).toContain(script);
    }
    for (const [path] of text.matchAll(/(?:\.ci|deploy|test)\/[\w./-]+/g)) {
      expect(exists(path), path).toBe(true);
    }
  });

  it('names a version of every action, and waits for jobs that there are', () => {
    for (const [, action = ''] of text.matchAll(/uses: (\S+)/g)) {
      expect(action).toMatch(/^\.\/|@v\d+$/);
    }
    const names = Object.keys(isObject(jobs) ? jobs : {});
    for (const job of Object.values(isObject(jobs) ? jobs : {})) {
      for (const name of [at(job, 'needs') ?? []].flat()) expect(names).toContain(name);
    }
  });

  it('puts nothing that others choose into a script', () => {
    for (const job of Object.values(isObject(jobs) ? jobs : {})) {
      for (const step of listAt(job, 'steps')) {
        expect(String(at(step, 'run') ?? '')).not.toContain('${{');
      }
    }
  });
});

describe('the test workflow', () => {
  it('covers every Node.js and processor that is supported', () => {
    const matrix = at(readYaml(`${FOLDER}/test.yml`), 'jobs', 'test', 'strategy', 'matrix');
    expect(at(matrix, 'node')).toEqual([20, 22, 24]);
    expect(listAt(matrix, 'runner')).toHaveLength(2);
  });
});

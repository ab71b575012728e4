import { describe, expect, it } from 'vitest';
import { manifestForUsers } from '../../../deploy/package/manifest.ts';
import { readText } from '../deploy/files.ts';

const OURS = readText('package.json');

describe('manifestForUsers', () => {
  it('names the script alone: whoever installs it gets nothing else', () => {
    const { bin, files, engines, ...rest } = manifestForUsers(OURS, {});
    expect(bin).toEqual({ 'coturn-exporter': 'dist/coturn-exporter.cjs' });
    expect(files).toContain('dist/coturn-exporter.cjs');
    expect(engines).toEqual({ node: '>=20.19' });
    for (const name of ['dependencies', 'devDependencies', 'overrides', 'scripts']) {
      expect(rest).not.toHaveProperty(name);
    }
  });

  it('tells the repository that builds it, which provenance asks for', () => {
    const env = { GITHUB_SERVER_URL: 'https://github.example', GITHUB_REPOSITORY: 'some/one' };
    expect(manifestForUsers(OURS, env)['repository']).toEqual({
      type: 'git',
      url: 'git+https://github.example/some/one.git',
    });
    expect(manifestForUsers(OURS, {})).not.toHaveProperty('repository');
  });
});

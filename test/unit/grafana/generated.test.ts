import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generatedFiles } from '../../../grafana/src/generated-files.ts';
import { ROOT } from './dashboards.ts';

const FILES = generatedFiles(ROOT).map(({ path, text }) => ({
  name: relative(ROOT, path),
  path,
  text,
}));

describe('generated files', () => {
  it.each(FILES)(
    '$name is what the sources make (npx tsx grafana/generate.ts)',
    ({ path, text }) => {
      expect(readFileSync(path, 'utf8')).toBe(text);
    },
  );

  it.each(['dashboards', 'importable'])('leave no other JSON in grafana/%s', (folder) => {
    const made = FILES.filter(({ name }) => name.startsWith(`grafana/${folder}/`));
    const found = readdirSync(join(ROOT, 'grafana', folder)).filter((name) =>
      name.endsWith('.json'),
    );
    expect(new Set(found)).toEqual(new Set(made.map(({ path }) => basename(path))));
  });
});

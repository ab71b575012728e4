import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fillTable, GENERATED_TABLES } from '../../../docs/generated-tables.ts';
import { FLAGS, flagsIn } from '../deploy/flags.ts';

const ROOT = new URL('../../../', import.meta.url);
const DOCS = new URL('docs/', ROOT);
const README = readFileSync(new URL('README.md', ROOT), 'utf8');
const DOCUMENTS = [
  'README.md',
  ...readdirSync(DOCS)
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];

describe('README.md', () => {
  it.each(['npm ci && npm start', 'npm ci && npm test'])('shows the command %s', (command) => {
    expect(README).toContain(command);
  });

  it('stays short: what is longer stands in docs/', () => {
    expect(README.split(/\s+/).length).toBeLessThan(900);
  });

  it('leads to every document', () => {
    for (const file of DOCUMENTS.slice(1)) expect(README).toContain(`(${file}`);
  });
});

describe.each(GENERATED_TABLES)('docs/$file', (table) => {
  it(`has the table of ${table.name} that the code has (npm run docs)`, () => {
    const text = readFileSync(new URL(table.file, DOCS), 'utf8');
    expect(fillTable(text, table)).toBe(text);
  });
});

describe.each(DOCUMENTS)('%s', (file) => {
  const text = readFileSync(new URL(file, ROOT), 'utf8');

  it('links to documents and headings that there are', () => {
    for (const [, link = ''] of text.matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
      const [path = '', heading] = link.split('#');
      const target = path === '' ? new URL(file, ROOT) : new URL(path, new URL(file, ROOT));
      expect(existsSync(target), link).toBe(true);
      if (heading !== undefined)
        expect(headingsOf(readFileSync(target, 'utf8'))).toContain(heading);
    }
  });

  it('names flags that there are', () => {
    for (const flag of flagsIn(text)) expect([...FLAGS]).toContain(flag);
  });
});

/** The anchors that Markdown viewers make of headings. */
function headingsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(/\s/g, '-'),
  );
}

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fillTables } from '../../../docs/readme-tables.ts';

const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');

describe('README.md', () => {
  it('has the tables of flags, metrics and record fields that the code has (npm run docs)', () => {
    expect(fillTables(readme)).toBe(readme);
  });

  it.each(['npm ci && npm start', 'npm ci && npm test'])('shows the command %s', (command) => {
    expect(readme).toContain(command);
  });
});

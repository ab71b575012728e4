import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { renderManPage } from '../../../deploy/package/man-page.ts';
import { COMMANDS } from '../../../src/cli/commands.ts';
import { OPTIONS } from '../../../src/config/options.ts';

const PAGE = renderManPage('1.2.3');
const hasGroff = spawnSync('groff', ['--version']).status === 0;

describe('renderManPage', () => {
  it('has every flag, with dashes that can be copied, and every command', () => {
    for (const name of Object.keys(OPTIONS)) {
      expect(PAGE).toContain(`.B \\-\\-${name.replaceAll('-', '\\-')}`);
    }
    for (const { name } of COMMANDS) expect(PAGE).toContain(`\n.B ${name}\n`);
  });

  it('leaves no character to roff: each line is a request or text', () => {
    for (const line of PAGE.split('\n')) expect(line).toMatch(/^(\.[A-Z]{1,2}( |$)|[^.'])|^$/);
  });

  it.skipIf(!hasGroff)('is taken by groff without a warning', () => {
    const { stderr, stdout } = spawnSync('groff', ['-man', '-Tutf8', '-ww', '-z'], {
      input: PAGE,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(stdout).toBe('');
  });
});

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runReportCommand } from '../../../src/cli/report.ts';
import { readJsonLines } from '../../support/json-lines.ts';
import { Collected } from '../report/collected.ts';

const DOCUMENT = new URL('../../../docs/billing.md', import.meta.url);
const EXAMPLE = fileURLToPath(new URL('../../../docs/billing-example/', import.meta.url));
const FILES = readdirSync(EXAMPLE).sort();
const BLOCKS = [
  ...readFileSync(DOCUMENT, 'utf8').matchAll(
    /```console\n\$ coturn-exporter report (.*)\n([^`]*)```/g,
  ),
].map(([, args = '', output = '']) => ({ args, output }));

/** What a shell makes of the arguments in the folder of the example. */
function expand(args: string): string[] {
  return args.split(' ').flatMap((word) => {
    if (word === '*.jsonl') return FILES.map((file) => join(EXAMPLE, file));
    return word.endsWith('.jsonl') ? [join(EXAMPLE, word)] : [word];
  });
}

describe('docs/billing.md', () => {
  it('shows commands, and the records that they read', () => {
    expect(BLOCKS).toHaveLength(4);
    expect(FILES.flatMap((file) => readJsonLines(join(EXAMPLE, file)))).toHaveLength(10);
  });

  it.each(BLOCKS)('shows what report $args prints', async ({ args, output }) => {
    const [stdout, stderr] = [new Collected(), new Collected()];
    const code = await runReportCommand(expand(args), {
      stdin: Readable.from([]),
      stdout,
      stderr,
      signal: new AbortController().signal,
    });
    expect(code).toBe(0);
    expect(`${stdout.text}${stderr.text}`).toBe(output);
  });
});

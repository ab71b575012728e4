import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Defer } from '../../support/cleanup.ts';
import { runPromtool } from '../../support/promtool.ts';
import { createTempFolder } from '../../support/temp-folder.ts';

const STRING = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g;
const LABEL_LIST = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g;
const IDENTIFIER = /(?<![\w:.])[a-zA-Z_:][\w:]*(?![\w:]|\s*\()/g;
const KEYWORD =
  /^(?:and|or|unless|offset|bool|by|without|on|ignoring|group_left|group_right|inf|nan|start|end|sum|min|max|avg|count|topk|bottomk|quantile|stddev|stdvar|group)$/i;

/** The names of the series that a PromQL expression selects. */
export function selectedMetrics(expr: string): Set<string> {
  const bare = expr
    .replaceAll(STRING, '""')
    .replaceAll(/\{[^}]*\}/g, ' ')
    .replaceAll(/\[[^\]]*\]/g, ' ')
    .replaceAll(LABEL_LIST, ' ')
    .replaceAll(/\boffset\s+-?\w+/gi, ' ');
  const names = [...bare.matchAll(IDENTIFIER)].map(([name]) => name);
  return new Set(names.filter((name) => !KEYWORD.test(name)));
}

/** Label matchers by selector, as `name{matchers}` texts. */
export function selectorsOf(
  expr: string,
): Array<{ name: string; matchers: string; range: string }> {
  return [...expr.matchAll(/([a-zA-Z_:][\w:]*)\{([^}]*)\}(\[[^\]]*\])?/g)].map((match) => ({
    name: match[1] ?? '',
    matchers: match[2] ?? '',
    range: match[3] ?? '',
  }));
}

/** What Prometheus' own parser says against these expressions; empty when it takes them all. */
export function parseErrors(defer: Defer, expressions: readonly string[]): string {
  const rules = expressions.map((expr, index) => ({ record: `test:expression:${index}`, expr }));
  const file = join(createTempFolder(defer), 'expressions.json');
  // promtool reads YAML, and JSON is YAML.
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'expressions', rules }] }));
  const { exitCode, output } = runPromtool(['check', 'rules', file]);
  return exitCode === 0 ? '' : output;
}

import { describe, expect, it } from 'vitest';
import { recordFields, STREAM_LABELS } from '../grafana/logql.ts';
import { readText } from './files.ts';

const FILES = ['deploy/alloy/config.alloy', 'deploy/alloy/kubernetes.alloy'];

describe.each(FILES)('%s', (file) => {
  const code = readText(file).replaceAll(/^\s*\/\/.*$/gm, '');

  it('closes what it opens', () => {
    const brackets = code.replaceAll(/"(?:[^"\\]|\\.)*"/g, '').replaceAll(/[^{}()[\]]/g, '');
    const pairs = /\{\}|\(\)|\[\]/g;
    let rest = brackets;
    while (pairs.test(rest)) rest = rest.replaceAll(pairs, '');
    expect(rest).toBe('');
  });

  it('refers only to components that it defines', () => {
    const defined = [...code.matchAll(/^([a-z_.]+) "(\w+)" \{/gm)].map(
      ([, kind, label]) => `${kind}.${label}`,
    );
    const used = [
      ...code.matchAll(/\b((?:loki|local|discovery)\.[a-z_.]+)\.(?:receiver|targets|output)\b/g),
    ];
    expect(used.length).toBeGreaterThan(2);
    for (const [, component] of used) expect(defined).toContain(component);
  });

  it('reads fields that records have', () => {
    const read = keysOf(code, 'stage.json', 'expressions');
    for (const field of read) expect([...recordFields()]).toContain(field);
    for (const stage of ['stage.labels', 'stage.structured_metadata']) {
      for (const field of keysOf(code, stage, 'values')) expect(read).toContain(field);
    }
  });

  it('sets the labels that dashboards rely on, and no label of which there are many', () => {
    for (const label of ['service_name', 'job']) {
      expect(code).toMatch(new RegExp(`\\b${label}\\s*= "coturn-exporter"`));
    }
    expect(code).toMatch(/\binstance\s*= constants\.hostname|target_label\s*= "instance"/);
    const labels = ['service_name', 'job', 'instance', ...keysOf(code, 'stage.labels', 'values')];
    expect(new Set(labels)).toEqual(new Set(STREAM_LABELS));
    expect(keysOf(code, 'stage.structured_metadata', 'values')).toEqual(['user', 'session_id']);
  });

  it('files a record under the end of its session', () => {
    expect(code).toMatch(/stage\.timestamp \{\s*source = "end"\s*format = "RFC3339"/);
  });

  it('does not give up when Loki is away', () => {
    expect(Number(/max_backoff_retries = (\d+)/.exec(code)?.[1])).toBeGreaterThan(10_000);
  });
});

/** The keys of the map `name` in the block `block`. */
function keysOf(code: string, block: string, name: string): string[] {
  const map = new RegExp(`${block} \\{\\s*${name} = \\{([^}]*)\\}`).exec(code)?.[1] ?? '';
  return [...map.matchAll(/(\w+)\s*=/g)].map(([, key = '']) => key);
}

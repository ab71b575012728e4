import { describe, expect, it } from 'vitest';
import { parseExposition } from '../../support/exposition.ts';

const TEXT = `# HELP coturn_sessions Live sessions.
# TYPE coturn_sessions gauge
coturn_sessions{realm="example.org"} 3
coturn_sessions{realm="example.net"} 4

# TYPE coturn_up gauge
coturn_up 1
`;

describe('parseExposition', () => {
  it.each([
    ['a_total 7', { name: 'a_total', labels: {}, value: 7 }],
    ['a 7 1700000000000', { name: 'a', labels: {}, value: 7 }],
    ['a{} 7', { name: 'a', labels: {}, value: 7 }],
    ['a{b="c",d="e"} 1.5e3', { name: 'a', labels: { b: 'c', d: 'e' }, value: 1500 }],
    ['a{b="c",} 1', { name: 'a', labels: { b: 'c' }, value: 1 }],
    ['a{b=""} 1', { name: 'a', labels: { b: '' }, value: 1 }],
    ['a{b="},\\"\\\\\\n="} 1', { name: 'a', labels: { b: '},"\\\n=' }, value: 1 }],
    ['a{b="café 😀"} 1', { name: 'a', labels: { b: 'café 😀' }, value: 1 }],
    ['a{le="+Inf"} +Inf', { name: 'a', labels: { le: '+Inf' }, value: Number.POSITIVE_INFINITY }],
    ['a NaN', { name: 'a', labels: {}, value: Number.NaN }],
  ])('reads %s', (line, sample) => {
    expect(parseExposition(`${line}\n`).samples).toEqual([sample]);
  });

  it.each([
    'a',
    'a ',
    'a{b="c} 1',
    'a{b=c} 1',
    'a{b="c" d="e"} 1',
    'a{b="\\x"} 1',
    'a{b="c"}',
    'a{b="c"} one',
    '1a 1',
    'a 1 2 3',
  ])('refuses %s', (line) => {
    expect(() => parseExposition(line)).toThrow(SyntaxError);
  });

  it('tells the type of each metric', () => {
    expect([...parseExposition(TEXT).types]).toEqual([
      ['coturn_sessions', 'gauge'],
      ['coturn_up', 'gauge'],
    ]);
  });

  it('selects and sums by name and labels', () => {
    const metrics = parseExposition(TEXT);
    expect(metrics.sum('coturn_sessions')).toBe(7);
    expect(metrics.sum('coturn_sessions', { realm: 'none' })).toBe(0);
    expect(metrics.value('coturn_sessions', { realm: 'example.net' })).toBe(4);
    expect(metrics.value('coturn_sessions', { realm: 'none' })).toBeUndefined();
    expect(() => metrics.value('coturn_sessions')).toThrow('selects 2 samples');
  });
});

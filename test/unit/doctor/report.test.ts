import { describe, expect, it } from 'vitest';
import { exitCodeOf, fail, ok, renderDiagnosis, warn } from '../../../src/doctor/report.ts';

const DIAGNOSIS = {
  source: 'eu',
  findings: [ok('reachable', 'answers'), warn('timeout', '300 s', 'CONFIG SET timeout 0')],
};
const TEXT = { json: false, named: false, secrets: [] };

describe('renderDiagnosis', () => {
  it('gives a line for each finding, with its fix', () => {
    expect(renderDiagnosis(DIAGNOSIS, TEXT)).toBe(
      'ok    reachable: answers\nwarn  timeout: 300 s - CONFIG SET timeout 0\n',
    );
  });

  it('names the source where there are several', () => {
    expect(renderDiagnosis(DIAGNOSIS, { ...TEXT, named: true })).toContain('ok    eu reachable: ');
  });

  it('gives JSON when asked', () => {
    const lines = renderDiagnosis(DIAGNOSIS, { ...TEXT, json: true })
      .trim()
      .split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { source: 'eu', level: 'ok', what: 'reachable', finding: 'answers' },
      {
        source: 'eu',
        level: 'warn',
        what: 'timeout',
        finding: '300 s',
        fix: 'CONFIG SET timeout 0',
      },
    ]);
  });

  it('keeps what a server says on one line, without escapes and passwords', () => {
    const findings = [fail('select', 'ERR a\r\nb\u001b[31m hunter2 redis://u:p@h/', 'x\u2028y')];
    const text = renderDiagnosis({ source: 'eu', findings }, { ...TEXT, secrets: ['hunter2'] });
    expect(text).toBe('fail  select: ERR a b [31m *** redis://***@h/ - x y\n');
  });
});

describe('exitCodeOf', () => {
  it('is 1 when anything failed, whatever else was found', () => {
    const failed = { source: 'us', findings: [fail('ping', 'denied', 'permit it')] };
    expect(exitCodeOf([])).toBe(0);
    expect(exitCodeOf([DIAGNOSIS])).toBe(0);
    expect(exitCodeOf([DIAGNOSIS, failed])).toBe(1);
  });
});

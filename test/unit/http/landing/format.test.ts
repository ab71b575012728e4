import { describe, expect, it } from 'vitest';
import { drawSparkline } from '../../../../src/http/landing/graphs.ts';
import {
  formatAge,
  formatBits,
  formatCount,
  formatRate,
  formatSince,
  html,
} from '../../../../src/http/landing/html.ts';

describe('html', () => {
  it('escapes text, and leaves alone what is markup', () => {
    const name = html`<b>${`<i a="1" b='2'>&`}</b>`;
    expect(name.text).toBe('<b>&lt;i a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;</b>');
    expect(html`<p>${[name, name]}</p>`.text).toBe(`<p>${name.text}${name.text}</p>`);
  });
});

describe('formatBits', () => {
  it.each([
    [0, '0 bit/s'],
    [999, '999 bit/s'],
    [999.6, '1.00 kbit/s'],
    [1000, '1.00 kbit/s'],
    [9994, '9.99 kbit/s'],
    [9996, '10.0 kbit/s'],
    [99_960, '100 kbit/s'],
    [999_500, '1.00 Mbit/s'],
    [24_140_000, '24.1 Mbit/s'],
    [3.2e9, '3.20 Gbit/s'],
    [5e15, '5000 Tbit/s'],
  ])('shows %d as %s', (bits, text) => {
    expect(formatBits(bits)).toBe(text);
  });
});

describe('formatRate', () => {
  it.each([
    [0, '0'],
    [0.02, '< 0.1'],
    [0.3, '0.3'],
    [99.94, '99.9'],
    [99.96, '100'],
    [20_131.7, '20,132'],
  ])('shows %d as %s', (rate, text) => {
    expect(formatRate(rate)).toBe(text);
  });
});

describe('formatAge', () => {
  it.each([
    [-5, '0 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [3_599_999, '59 min'],
    [3_600_000, '1 h'],
    [86_400_000, '1 day'],
    [3 * 86_400_000, '3 days'],
  ])('shows %d ms as %s', (ageMs, text) => {
    expect(formatAge(ageMs)).toBe(text);
  });

  it('makes words of the last second', () => {
    expect(formatSince(999)).toBe('just now');
    expect(formatSince(1000)).toBe('1 s ago');
  });
});

describe('formatCount', () => {
  it('separates thousands', () => {
    expect(formatCount(1_234_567)).toBe('1,234,567');
  });
});

describe('drawSparkline', () => {
  it('draws from the right edge, zero at the foot and the top at the top', () => {
    const { line, area } = drawSparkline([0, 5, 10], 10);
    expect(line).toBe('M93.3 28L96.7 15L100 2');
    expect(area).toBe(`${line}L100 30L93.3 30Z`);
  });

  it('draws a flat line where everything is zero', () => {
    expect(drawSparkline([0, 0], 0).line).toBe('M96.7 28L100 28');
  });

  it('draws nothing of a single point', () => {
    expect(drawSparkline([3], 3)).toEqual({ line: '', area: '' });
  });
});

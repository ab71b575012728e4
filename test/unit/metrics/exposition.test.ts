import { beforeEach, describe, expect, it, vi } from 'vitest';
import { labelOf } from '../../../src/domain/user.ts';
import { CONTENT_TYPES, renderRegistry } from '../../../src/metrics/exposition.ts';
import {
  escapeLabelValue,
  registerCounter,
  registerGauge,
} from '../../../src/metrics/live-metric.ts';
import { createRegistry } from '../../../src/metrics/registry.ts';
import { parseExposition } from '../../support/exposition.ts';
import { runPromtool } from '../../support/promtool.ts';
import { mostInOneTurn } from '../turns.ts';
import { familiesOf, join, Scraped, WALL_OFFSET_MS, type Who, withoutProcess } from './scrape.ts';

const ALICE: Who = { realm: 'example.org', username: 'alice' };
const BOB: Who = {
  realm: 'example.net',
  username: '1795306257:bob',
  id: 2,
  type: 'TLS/TCP',
  ssl: 'TLSv1.3',
  local: '[2001:db8::1]:5349',
  remote: '[2001:db8::7]:49152',
};
const FIXTURES = '../../fixtures/exposition';

/** Two calls of which one has ended, a failed login, a broken message. */
function relayed(): Scraped {
  vi.setSystemTime(WALL_OFFSET_MS + 20_000);
  const scraped = new Scraped()
    .begin(ALICE)
    .relay(ALICE, { received: 4_000, sent: 5_000 })
    .begin(BOB)
    .relay(BOB, { received: 600, sent: 700 })
    .send(
      'turn/realm/example.org/user/mallory/allocation/000000000000000009/traffic',
      'rcvp=1, rcvb=20, sentp=1, sentb=80',
    )
    .send(
      'turn/realm/example.org/user/alice/allocation/1/traffic',
      'rcvp=1, rcvb=1, sentp=1, sentb=1',
    )
    .pass(1_000)
    .end(ALICE)
    .pass(10_000);
  scraped.records.written = 1;
  return scraped;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
  return () => vi.useRealTimers();
});

describe('renderRegistry', () => {
  it('shows every metric in the text format', async () => {
    const text = withoutProcess(await relayed().text('text'));
    await expect(text).toMatchFileSnapshot(`${FIXTURES}/relay.prom`);
  });

  it('shows every metric in OpenMetrics', async () => {
    const text = withoutProcess(await relayed().text('openmetrics'));
    await expect(text).toMatchFileSnapshot(`${FIXTURES}/relay.openmetrics.prom`);
  });

  it('reads all gauges at one moment, in a turn of the event loop of their own', async () => {
    const registry = createRegistry();
    let turn = 0;
    const end = mostInOneTurn(() => {
      turn += 1;
      return turn;
    });
    const read: number[] = [];
    const metric = (name: string) => ({
      ...{ name, help: 'x', labels: [] },
      read() {
        read.push(turn);
        return [];
      },
    });
    registerCounter(registry, metric('a_total'));
    registerGauge(registry, metric('b'));
    registerGauge(registry, metric('c'));
    const begun = turn;
    for await (const _ of renderRegistry(registry, 'text'));
    end();
    const [first = 0, second = 0, counter = 0] = read;
    expect(first).toBeGreaterThan(begun);
    expect(second).toBe(first);
    expect(counter).toBeGreaterThan(second);
  });

  it('passes promtool check metrics', async () => {
    const check = runPromtool(['check', 'metrics'], await relayed().text('text'));
    expect(check).toEqual({ exitCode: 0, output: '' });
  });

  it('shows one registry in both formats, again and again', async () => {
    const scraped = relayed();
    const seen: string[] = [];
    for (const format of ['text', 'openmetrics', 'text', 'openmetrics', 'text'] as const) {
      seen.push(withoutProcess(await scraped.text(format)));
    }
    expect([seen[2], seen[4]]).toEqual([seen[0], seen[0]]);
    expect(seen[3]).toBe(seen[1]);
    expect(seen[1]).not.toBe(seen[0]);
  });

  it('shows both formats right when they are asked for at once', async () => {
    const scraped = relayed();
    const alone = [
      withoutProcess(await scraped.text('text')),
      withoutProcess(await scraped.text('openmetrics')),
    ];
    const together = await Promise.all([scraped.text('text'), scraped.text('openmetrics')]);
    expect(together.map(withoutProcess)).toEqual(alone);
  });

  it('has _total in the names of counters in the text format', async () => {
    const counters = familiesOf(await relayed().text('text')).filter(
      ({ type }) => type === 'counter',
    );
    expect(counters.length).toBeGreaterThan(15);
    expect(counters.filter(({ name }) => !name.endsWith('_total'))).toEqual([]);
  });

  it('has _total only in the series of counters in OpenMetrics', async () => {
    const families = familiesOf(await relayed().text('openmetrics'));
    expect(families.filter(({ name }) => name.endsWith('_total'))).toEqual([]);
    for (const { name, lines } of families.filter(({ type }) => type === 'counter')) {
      expect(lines.filter((line) => !/^\w+_total[{ ]/.test(line))).toEqual([]);
      expect(lines.filter((line) => !line.startsWith(`${name}_total`))).toEqual([]);
    }
  });

  it('has _total in no name but those of counters', async () => {
    const families = familiesOf(await relayed().text('text'));
    const misnamed = families.filter(
      ({ name, type }) => type !== 'counter' && /_total$/.test(name),
    );
    expect(misnamed).toEqual([]);
  });

  it('has the same families in both formats', async () => {
    const scraped = relayed();
    const text = familiesOf(await scraped.text('text'));
    const open = familiesOf(await scraped.text('openmetrics'));
    expect(open.map(({ name, type }) => `${name} ${type}`)).toEqual(
      text.map(({ name, type }) => `${name.replace(/_total$/, '')} ${type}`),
    );
  });

  it('ends OpenMetrics, and only it, with # EOF', async () => {
    const scraped = relayed();
    const open = await scraped.text('openmetrics');
    expect(open.endsWith('\n# EOF\n')).toBe(true);
    expect(open.split('# EOF')).toHaveLength(2);
    expect(await scraped.text('text')).not.toContain('# EOF');
  });

  it('has no empty line and no blank at the end of a line', async () => {
    const scraped = relayed();
    for (const format of ['text', 'openmetrics'] as const) {
      const text = await scraped.text(format);
      expect(text.endsWith('\n')).toBe(true);
      expect(
        text
          .slice(0, -1)
          .split('\n')
          .filter((line) => /^$|\s$/.test(line)),
      ).toEqual([]);
    }
  });

  it('has exemplars in OpenMetrics only, on buckets, with the session id alone', async () => {
    const scraped = relayed();
    expect(await scraped.text('text')).not.toContain('session-1');
    const lines = (await scraped.text('openmetrics'))
      .split('\n')
      .filter((line) => line.includes('session-1'));
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      expect(line).toMatch(
        /^coturn_session_(duration_seconds|relayed_bytes)_bucket\{le="[\d.]+",realm="example.org"\} 1 # \{session_id="session-1"\} [\d.]+ [\d.]+$/,
      );
    }
  });

  it('has no label session_id', async () => {
    const { samples } = parseExposition(await relayed().text('text'));
    expect(samples.filter(({ labels }) => 'session_id' in labels)).toEqual([]);
  });

  it('keeps an exemplar within the 128 characters of OpenMetrics', async () => {
    const open = await relayed().text('openmetrics');
    const sets = [...open.matchAll(/ # \{(\w+)="([^"]*)"\}/g)];
    expect(sets.length).toBeGreaterThan(0);
    for (const [, name = '', value = ''] of sets) {
      expect(name.length + value.length).toBeLessThanOrEqual(128);
    }
  });

  it('shows numbers beyond the range of plain ones', async () => {
    const registry = createRegistry();
    registerGauge(registry, {
      name: 'a',
      help: 'Numbers.',
      labels: ['n'],
      read: () => [
        [{ n: 'inf' }, Number.POSITIVE_INFINITY],
        [{ n: '-inf' }, Number.NEGATIVE_INFINITY],
        [{ n: 'nan' }, Number.NaN],
        [{ n: 'safe' }, Number.MAX_SAFE_INTEGER],
        [{ n: 'big' }, 1e21],
        [{ n: 'small' }, 1e-7],
      ],
    });
    const text = await join(renderRegistry(registry, 'text'));
    expect(text.split('\n').slice(2)).toEqual([
      'a{n="inf"} +Inf',
      'a{n="-inf"} -Inf',
      'a{n="nan"} NaN',
      'a{n="safe"} 9007199254740991',
      'a{n="big"} 1e+21',
      'a{n="small"} 1e-7',
      '',
    ]);
  });

  it.each([
    ['text', '# HELP a_total Back\\\\slash, "quote",\\nline.'],
    ['openmetrics', '# HELP a Back\\\\slash, \\"quote\\",\\nline.'],
  ] as const)('escapes help as %s wants it', async (format, line) => {
    const registry = createRegistry();
    registerCounter(registry, {
      name: 'a_total',
      help: 'Back\\slash, "quote",\nline.',
      labels: [],
      read: () => [[{}, 1]],
    });
    expect((await join(renderRegistry(registry, format))).split('\n')[0]).toBe(line);
  });

  it('keeps apart series whose labels hold what looks like a separator', async () => {
    const registry = createRegistry();
    registerCounter(registry, {
      name: 'a_total',
      help: 'Two series.',
      labels: ['realm', 'server'],
      read: () => [
        [{ realm: 'x,server:y', server: 'z' }, 1],
        [{ realm: 'x', server: 'y,server:z' }, 2],
      ],
    });
    const { samples } = parseExposition(await join(renderRegistry(registry, 'text')));
    expect(samples.map(({ labels, value }) => ({ ...labels, value }))).toEqual([
      { realm: 'x,server:y', server: 'z', value: 1 },
      { realm: 'x', server: 'y,server:z', value: 2 },
    ]);
  });
});

const HOSTILE: readonly [what: string, name: string, shown: string][] = [
  ['a quote', 'a"b', 'a"b'],
  ['a backslash', 'a\\b', 'a\\b'],
  ['a backslash at the end', 'a\\', 'a\\'],
  ['backslash and n', 'a\\nb', 'a\\nb'],
  ['a line feed', 'a\nb', 'a\nb'],
  ['a carriage return', 'a\rb', 'a\rb'],
  ['a NUL', 'a\0b', 'a\0b'],
  ['line separators of Unicode', 'a\u2028b\u0085c', 'a\u2028b\u0085c'],
  ['braces, commas and equals signs', '"} 1\n{x="y",', '"} 1\n{x="y",'],
  ['a comment', '# EOF', '# EOF'],
  ['Unicode', 'żółw 😀 日本', 'żółw 😀 日本'],
  ['a lone surrogate', 'a\ud800b', 'a\ufffdb'],
  ['the name of an object property', '__proto__', '__proto__'],
  ['300 characters', 'x'.repeat(300), labelOf('x'.repeat(300))],
  ['bytes that are not UTF-8', 'a\uDCFF', 'a%FF'],
  [
    '300 characters cut inside a pair',
    `${'x'.repeat(110)}${'😀'.repeat(95)}`,
    labelOf(`${'x'.repeat(110)}${'😀'.repeat(95)}`),
  ],
];

describe('escapeLabelValue', () => {
  it.each(HOSTILE)('makes a realm and a user with %s readable again', async (_, name, shown) => {
    const text = await new Scraped().begin({ realm: name, username: name }).text();
    const metrics = parseExposition(text);
    const [user, ...others] = metrics.select('coturn_user_sessions');
    expect(user?.labels).toEqual({ realm: shown, user: shown });
    expect(others).toEqual([]);
    expect(metrics.select('coturn_sessions').map(({ labels }) => labels['realm'])).toEqual([
      ...[shown, shown, shown],
    ]);
    expect(metrics.select('coturn_client_received_bytes_total')[0]?.labels).toEqual({
      realm: shown,
      server: '192.0.2.1',
    });
    expect(text.isWellFormed()).toBe(true);
    familiesOf(text);
  });

  it('passes promtool with all of them at once', async () => {
    const scraped = new Scraped();
    for (const [id, [, name]] of HOSTILE.entries())
      scraped.begin({ realm: name, username: name, id });
    const check = runPromtool(['check', 'metrics'], await scraped.text());
    expect(check).toEqual({ exitCode: 0, output: '' });
  });

  it.each([
    ['plain', 'plain'],
    ['', ''],
    ['a"b\\c\nd', 'a\\"b\\\\c\\nd'],
    ['\\n', '\\\\n'],
    ['""', '\\"\\"'],
  ])('makes of %j %j', (value, escaped) => {
    expect(escapeLabelValue(value)).toBe(escaped);
  });
});

describe('CONTENT_TYPES', () => {
  it('names version and charset of both formats', () => {
    expect(CONTENT_TYPES).toEqual({
      text: 'text/plain; version=0.0.4; charset=utf-8',
      openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
    });
  });
});

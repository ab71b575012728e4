import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdWatch } from '../../../src/domain/id-watch.ts';

const HERE = '192.0.2.1:3478';
const THERE = '192.0.2.1:5349';

function id(count: number, thread = 1): string {
  return `${String(thread).padStart(3, '0')}${String(count).padStart(15, '0')}`;
}

/** Ids that come at these seconds, and whether each was found to be of another process. */
function found(...starts: readonly (readonly [second: number, count: number, thread?: number])[]) {
  const watch = new IdWatch();
  return starts.map(([second, count, thread]) =>
    watch.note(HERE, id(count, thread), second * 1000),
  );
}

describe('IdWatch', () => {
  it.each([
    [
      'begins anew',
      [
        [0, 7],
        [300, 1],
      ],
      [false, true],
    ],
    [
      'begins anew after a busy day',
      [
        [0, 7],
        [130, 90_000],
        [260, 90_001],
        [261, 3],
      ],
      [false, false, false, true],
    ],
    [
      'gives an id a second time',
      [
        [0, 7],
        [300, 7],
      ],
      [false, true],
    ],
    [
      'counts up',
      [
        [0, 7],
        [300, 8],
        [600, 4000],
      ],
      [false, false, false],
    ],
    [
      'counts on after it began anew',
      [
        [0, 7],
        [300, 1],
        [301, 2],
        [302, 9],
      ],
      [false, true, false, false],
    ],
  ] as const)('tells that a coturn %s', (_what, starts, expected) => {
    expect(found(...starts)).toEqual(expected);
  });

  it('bears that a client waits before it allocates', () => {
    expect(found([0, 7], [59, 5], [60, 6], [119, 1])).toEqual([false, false, false, false]);
    expect(found([0, 7], [130, 50], [189, 8])).toEqual([false, false, false]);
  });

  it('keeps threads and endpoints apart', () => {
    expect(found([0, 7, 1], [300, 1, 2])).toEqual([false, false]);
    const watch = new IdWatch();
    expect(watch.note(HERE, id(7), 0)).toBe(false);
    expect(watch.note(THERE, id(1), 300_000)).toBe(false);
    expect(watch.note(HERE, id(1), 300_000)).toBe(true);
  });

  it('never doubts a process whose clients allocate within a minute', () => {
    const clients = fc.array(fc.record({ pauseMs: fc.nat(200_000), waitMs: fc.nat(60_000) }), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(clients, (drafts) => {
        let connectedMs = 0;
        const starts = drafts.map(({ pauseMs, waitMs }, at) => {
          connectedMs += pauseMs;
          return { count: at + 1, atMs: connectedMs + waitMs };
        });
        const watch = new IdWatch();
        for (const { count, atMs } of starts.sort((one, other) => one.atMs - other.atMs)) {
          expect(watch.note(HERE, id(count), atMs)).toBe(false);
        }
      }),
    );
  });
});

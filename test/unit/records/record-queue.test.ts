import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MAX_QUEUED_BYTES, RecordQueue, RecordStats } from '../../../src/records/record-queue.ts';
import { FakeRecordFile, type WriteResult } from './fake-record-file.ts';

const FULL = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
const BUSY = Object.assign(new Error('try again'), { code: 'EAGAIN' });
/** Longer than every pause between two attempts. */
const LONGEST_PAUSE_MS = 5_000;

class Scene {
  readonly file: FakeRecordFile;
  readonly stats = new RecordStats();
  readonly queue: RecordQueue;
  readonly spilled: string[] = [];
  /** What the log was told, in order. */
  readonly told: string[] = [];
  /** Names of the lines whose `onWritten` was called, in order. */
  readonly done: string[] = [];
  readonly #names: string[] = [];

  constructor(script: readonly WriteResult[] = []) {
    this.file = new FakeRecordFile(script);
    this.queue = new RecordQueue({
      file: this.file,
      stats: this.stats,
      log: {
        error: ({ err, count }: { err?: Error; count?: number }) =>
          this.told.push(err === undefined ? `spilled ${count}` : `failed: ${err.message}`),
        info: (_fields: object, message = '') =>
          this.told.push(message === 'records are written again' ? 'recovered' : message),
      },
      spill: (line) => this.spilled.push(line.toString()),
    });
  }

  push(...names: string[]): this {
    for (const name of names) {
      this.#names.push(name);
      this.queue.write(`${name}\n`);
      this.queue.whenWritten(() => {
        // Only once all of its bytes are somewhere.
        expect(this.file.files.join('') + this.spilled.join('')).toContain(`${name}\n`);
        this.done.push(name);
      });
    }
    return this;
  }

  get whole(): string {
    return this.#names.map((name) => `${name}\n`).join('');
  }
}

const flush = () => vi.advanceTimersByTimeAsync(0);
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('RecordQueue', () => {
  it('writes lines in the order in which they came, each once', async () => {
    const scene = new Scene().push('a', 'b', 'c');
    await flush();
    scene.push('d');
    await flush();
    expect(scene.file.text).toBe('a\nb\nc\nd\n');
    expect(scene.done).toEqual(['a', 'b', 'c', 'd']);
    expect(scene.stats).toMatchObject({ written: 4, failed: 0, queued: 0, spilled: 0 });
    expect(scene.told).toEqual([]);
  });

  it('has one write under way at a time and takes what waits together', async () => {
    const scene = new Scene(['stuck']).push('a').push('b');
    await flush();
    scene.push('c');
    await flush();
    expect(scene.file.writes).toEqual([4]);
    expect(scene.stats.queued).toBe(3);
  });

  it('writes no more than 256 KiB at a time', async () => {
    const scene = new Scene();
    const names = Array.from({ length: 300 }, (_, at) => `${at}-${'x'.repeat(10_000)}`);
    scene.push(...names);
    await flush();
    expect(scene.file.text).toBe(scene.whole);
    expect(Math.max(...scene.file.writes)).toBeLessThanOrEqual(256 * 1024);
    expect(scene.file.writes.length).toBeLessThan(20);
  });

  it('writes a line that alone is longer than a batch', async () => {
    const scene = new Scene().push('a', 'x'.repeat(300 * 1024), 'b');
    await flush();
    expect(scene.file.text).toBe(scene.whole);
    expect(scene.done).toHaveLength(3);
  });

  const LINES = ['żółw', '', 'b'.repeat(20), '😀'];
  const LENGTH = Buffer.byteLength(LINES.map((line) => `${line}\n`).join(''));

  it.each(Array.from({ length: LENGTH + 1 }, (_, cut) => cut))(
    'writes the same bytes when a write stops after byte %i',
    async (cut) => {
      // The first line is written alone, so that the cut may fall in any of the others too.
      for (const script of [[cut], [0, cut], [cut, FULL], [FULL, cut, FULL], [1, cut]]) {
        const scene = new Scene(script).push(...LINES);
        await pass(LONGEST_PAUSE_MS);
        expect(scene.file.text).toBe(scene.whole);
        expect(scene.done).toEqual(LINES);
        expect(scene.stats).toMatchObject({ written: 4, queued: 0, spilled: 0 });
      }
    },
  );

  it('writes the same bytes whatever is taken, refused and pushed meanwhile', async () => {
    const step = fc.oneof(
      fc.record({ take: fc.integer({ min: 0, max: 40 }) }),
      fc.record({ fail: fc.constant(true) }),
    );
    const line = fc
      .string({ unit: 'grapheme', maxLength: 12 })
      .map((text) => text.replaceAll('\n', ''));
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 20 }),
        fc.array(fc.tuple(line, fc.integer({ min: 0, max: 3_000 })), { maxLength: 12 }),
        async (steps, lines) => {
          const scene = new Scene(steps.map((one) => ('take' in one ? one.take : FULL)));
          for (const [text, pauseMs] of lines) {
            scene.push(text);
            await pass(pauseMs);
          }
          await pass(21 * LONGEST_PAUSE_MS);
          expect(scene.file.text).toBe(scene.whole);
          expect(scene.done).toEqual(lines.map(([text]) => text));
          expect(scene.stats).toMatchObject({ written: lines.length, queued: 0, spilled: 0 });
          expect(scene.stats.failed).toBeLessThanOrEqual(lines.length);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('tells a record written only when its last byte is', async () => {
    const scene = new Scene([3, FULL]).push('abcd', 'efgh');
    await flush();
    expect(scene.file.text).toBe('abc');
    expect(scene.done).toEqual([]);
    expect(scene.stats).toMatchObject({ written: 0, queued: 2 });
    await pass(LONGEST_PAUSE_MS);
    expect(scene.done).toEqual(['abcd', 'efgh']);
  });

  it('tries again after pauses that double up to 5 s', async () => {
    const scene = new Scene(Array.from({ length: 10 }, () => FULL)).push('a');
    const attempts: number[] = [];
    for (let ms = 0; ms <= 20_000; ms += 100) {
      attempts.push(scene.file.writes.length);
      await pass(100);
    }
    const startsMs = attempts.flatMap((count, at) =>
      count !== attempts[at - 1] ? [at * 100] : [],
    );
    expect(startsMs).toEqual([0, 100, 300, 700, 1_500, 3_100, 6_300, 11_300, 16_300]);
  });

  it('begins anew with short pauses after a success', async () => {
    const scene = new Scene([FULL, FULL, FULL, 2, FULL]).push('a');
    await pass(1_000);
    expect(scene.done).toEqual(['a']);
    scene.push('b');
    await pass(150);
    expect(scene.done).toEqual(['a', 'b']);
    expect(scene.told).toEqual([
      'failed: no space left',
      'recovered',
      'failed: no space left',
      'recovered',
    ]);
  });

  it('counts a record as failed once, however often its write fails', async () => {
    const scene = new Scene([FULL, FULL, FULL, FULL]).push('a');
    await pass(60_000);
    expect(scene.stats).toMatchObject({ written: 1, failed: 1, queued: 0, spilled: 0 });
  });

  it('counts every record whose write fails, also those that came later', async () => {
    const scene = new Scene([FULL, FULL]).push('a');
    await flush();
    expect(scene.stats.failed).toBe(1);
    scene.push('b', 'c');
    await pass(LONGEST_PAUSE_MS);
    expect(scene.stats).toMatchObject({ written: 3, failed: 3, queued: 0, spilled: 0 });
  });

  it('spills what does not fit into memory, and counts it', async () => {
    const scene = new Scene(['stuck']).push('first');
    const big = 'x'.repeat(MAX_QUEUED_BYTES / 4 - 100);
    scene.push(`1${big}`, `2${big}`, `3${big}`, `4${big}`);
    expect(scene.spilled).toEqual([]);
    scene.push(`5${big}`);
    expect(scene.spilled).toEqual([`5${big}\n`]);
    expect(scene.done).toEqual([`5${big}`]);
    expect(scene.told).toEqual(['spilled 1']);
    expect(scene.stats).toMatchObject({ written: 0, failed: 1, queued: 5, spilled: 1 });
    scene.push('small');
    expect(scene.stats.queued).toBe(6);
  });

  it('tells of thousands that are spilled one by one in a line a second', async () => {
    const scene = new Scene(['stuck']).push('first');
    scene.push(...['1', '2', '3', '4'].map((name) => name + 'x'.repeat(MAX_QUEUED_BYTES / 4 - 4)));
    const names = Array.from({ length: 3_000 }, (_, at) => `spilled-${at}`);
    scene.push(...names);
    expect(scene.told).toEqual(['spilled 1']);
    await pass(1_000);
    expect(scene.told).toEqual(['spilled 1', 'spilled 2999']);
    expect(scene.spilled.join('')).toBe(names.map((name) => `${name}\n`).join(''));
    await pass(10_000);
    expect(scene.told).toHaveLength(2);
  });

  it('has room again once records are written', async () => {
    const scene = new Scene([FULL]);
    const big = 'x'.repeat(MAX_QUEUED_BYTES / 2 - 100);
    scene.push(`1${big}`, `2${big}`);
    await pass(LONGEST_PAUSE_MS);
    scene.push(`3${big}`, `4${big}`);
    await pass(LONGEST_PAUSE_MS);
    expect(scene.stats).toMatchObject({ written: 4, spilled: 0 });
  });
});

describe('RecordQueue.room', () => {
  const BIG = 'x'.repeat(1024 * 1024);
  /** Whether there is room, looked at every ms. */
  function watch(scene: Scene, patienceMs: number): { readonly hasRoom: boolean } {
    const state = { hasRoom: false };
    void scene.queue.room(patienceMs).then(() => {
      state.hasRoom = true;
    });
    return state;
  }

  it('is there at once while little waits', async () => {
    const state = watch(new Scene().push('a'), 8_000);
    await flush();
    expect(state.hasRoom).toBe(true);
  });

  it('comes when the destination has taken enough', async () => {
    const scene = new Scene([100, 0]).push(BIG, BIG, BIG, BIG);
    const state = watch(scene, 8_000);
    await Promise.resolve();
    expect(state.hasRoom).toBe(false);
    await flush();
    expect(state.hasRoom).toBe(true);
    expect(scene.spilled).toEqual([]);
  });

  it('is not waited for where the destination fails', async () => {
    const scene = new Scene([FULL, FULL, FULL, FULL, FULL, FULL]).push(BIG, BIG, BIG, BIG);
    await flush();
    const state = watch(scene, 8_000);
    await flush();
    expect(state.hasRoom).toBe(true);
  });

  it('is waited for while a reader is slow, as long as there is patience', async () => {
    const script = Array.from({ length: 200 }, () => BUSY);
    const scene = new Scene(script).push(BIG, BIG, BIG, BIG);
    await flush();
    const state = watch(scene, 8_000);
    await pass(7_999);
    expect(state.hasRoom).toBe(false);
    await pass(1);
    expect(state.hasRoom).toBe(true);
    // Looked at every 100 ms, unlike a disk that is full.
    expect(scene.file.writes.length).toBeGreaterThan(75);
  });
});

describe('RecordQueue.reopen', () => {
  it('writes later lines to the new file', async () => {
    const scene = new Scene().push('a');
    await flush();
    scene.queue.reopen();
    scene.push('b');
    await flush();
    expect(scene.file.files.map(String)).toEqual(['a\n', 'b\n']);
  });

  it('makes the new file at once, also when there is nothing to write', async () => {
    const scene = new Scene();
    scene.queue.reopen();
    await flush();
    expect(scene.file.files).toHaveLength(2);
  });

  it('lets a write under way end in the old file', async () => {
    const scene = new Scene().push('a');
    while (scene.file.writes.length === 0) await Promise.resolve();
    scene.queue.reopen();
    scene.push('b');
    await flush();
    expect(scene.file.files.map(String)).toEqual(['a\n', 'b\n']);
  });

  it('says that it was done', async () => {
    const scene = new Scene();
    scene.queue.reopen();
    await flush();
    scene.file.hasFiles = false;
    scene.queue.reopen();
    await flush();
    expect(scene.told).toEqual([
      'SIGHUP: the record file is open anew',
      'SIGHUP: there is no record file to reopen',
    ]);
  });

  it.each([1, 2, 3, 4])('begins a line anew that was cut after byte %i', async (cut) => {
    const scene = new Scene([cut, FULL]).push('abcd', 'efgh');
    await flush();
    scene.queue.reopen();
    await flush();
    expect(scene.file.files.map(String)).toEqual(['abcd'.slice(0, cut), 'abcd\nefgh\n']);
    expect(scene.done).toEqual(['abcd', 'efgh']);
  });

  it('goes on with a cut line where there is no new file, as on stdout', async () => {
    const scene = new Scene([2, FULL]).push('abcd', 'efgh');
    scene.file.hasFiles = false;
    await flush();
    scene.queue.reopen();
    await flush();
    expect(scene.file.text).toBe('abcd\nefgh\n');
  });

  it('does not begin anew a line that is whole', async () => {
    const scene = new Scene([5, FULL]).push('abcd', 'efgh');
    await flush();
    scene.queue.reopen();
    await flush();
    expect(scene.file.files.map(String)).toEqual(['abcd\n', 'efgh\n']);
    expect(scene.done).toEqual(['abcd', 'efgh']);
  });

  it('ends the pause after a failure', async () => {
    const scene = new Scene([FULL, FULL, FULL, FULL, FULL]).push('a');
    await pass(1_600);
    const attempts = scene.file.writes.length;
    scene.queue.reopen();
    await flush();
    expect(scene.file.writes.length).toBe(attempts + 1);
  });

  it('tries again when the new file cannot be opened', async () => {
    const scene = new Scene().push('a');
    await flush();
    scene.file.openError = FULL;
    scene.queue.reopen();
    scene.push('b');
    await pass(1_000);
    expect(scene.done).toEqual(['a']);
    scene.file.openError = undefined;
    await pass(LONGEST_PAUSE_MS);
    expect(scene.file.files.map(String)).toEqual(['a\n', 'b\n']);
    expect(scene.stats).toMatchObject({ written: 2, failed: 1, queued: 0, spilled: 0 });
  });
});

describe('RecordQueue.close', () => {
  it('writes what waits and closes the destination', async () => {
    const scene = new Scene().push('a', 'b', 'c');
    const closed = scene.queue.close(8_000);
    await flush();
    await closed;
    expect(scene.file.text).toBe('a\nb\nc\n');
    expect(scene.file.isClosed).toBe(true);
    expect(scene.spilled).toEqual([]);
    expect(scene.stats).toMatchObject({ written: 3, failed: 0, queued: 0, spilled: 0 });
  });

  it('closes a queue that never held anything', async () => {
    const scene = new Scene();
    await scene.queue.close(8_000);
    expect(scene.file.isClosed).toBe(true);
    expect(scene.told).toEqual([]);
  });

  it('does not wait for the end of a pause', async () => {
    const scene = new Scene([FULL, FULL, FULL, FULL]).push('a');
    await pass(750);
    expect(scene.file.writes).toHaveLength(4);
    const closed = scene.queue.close(8_000);
    await flush();
    await closed;
    expect(scene.file.text).toBe('a\n');
    expect(scene.spilled).toEqual([]);
  });

  it('spills what still fails, each record once and whole', async () => {
    const scene = new Scene([2, FULL, FULL, FULL, FULL, FULL]).push('abcd', 'efgh');
    await flush();
    const closed = scene.queue.close(8_000);
    await pass(8_000);
    await closed;
    expect(scene.file.text).toBe('ab');
    expect(scene.spilled).toEqual(['abcd\nefgh\n']);
    expect(scene.done).toEqual(['abcd', 'efgh']);
    expect(scene.told).toEqual(['failed: no space left', 'spilled 2']);
    expect(scene.stats).toMatchObject({ written: 0, failed: 2, queued: 0, spilled: 2 });
  });

  it('spills at the deadline when a write never comes back', async () => {
    const scene = new Scene(['stuck']).push('a', 'b');
    let isClosed = false;
    void scene.queue.close(8_000).then(() => {
      isClosed = true;
    });
    await pass(7_999);
    expect(scene.spilled).toEqual([]);
    await pass(1);
    expect(scene.spilled).toEqual(['a\nb\n']);
    expect(isClosed).toBe(true);
    expect(scene.done).toEqual(['a', 'b']);
    expect(scene.stats).toMatchObject({ written: 0, failed: 2, queued: 0, spilled: 2 });
  });

  it('ends although the destination does not close', async () => {
    const scene = new Scene();
    scene.file.close = () => new Promise(() => undefined);
    let isClosed = false;
    void scene.queue.close(8_000).then(() => {
      isClosed = true;
    });
    await pass(100);
    expect(isClosed).toBe(true);
  });

  it('leaves no timer behind', async () => {
    const scene = new Scene([FULL]).push('a');
    await flush();
    const closed = scene.queue.close(8_000);
    await flush();
    await closed;
    expect(vi.getTimerCount()).toBe(0);
  });
});

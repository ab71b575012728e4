import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Session } from '../../../src/domain/session.ts';
import { SessionFinisher } from '../../../src/records/session-writer.ts';
import { LINGER_MS, Scraped, type Who } from '../metrics/scrape.ts';

const INTERVAL_MS = 100;
const SLICE = 500;

/** A finisher whose records are written when the test says so. */
class Scene {
  readonly scraped = new Scraped({ maxUsers: 10_000 });
  readonly waiting: { readonly session: Session; readonly onWritten: () => void }[] = [];
  readonly recorded: string[] = [];
  readonly observed: string[] = [];
  onRoom: () => void = () => undefined;
  readonly finisher: SessionFinisher;
  isPressed = false;

  constructor() {
    const { tracker, observer } = this.scraped;
    this.finisher = new SessionFinisher({
      tracker,
      records: {
        write: (session, onWritten) => this.waiting.push({ session, onWritten }),
        room: (patienceMs) => {
          expect(patienceMs).toBe(1_000);
          this.onRoom();
          return Promise.resolve();
        },
      },
      observer: {
        observe: (session) => {
          this.observed.push(session.id);
          observer.observe(session);
        },
      },
      nowMs: () => this.scraped.nowMs,
      isPressed: () => this.isPressed,
      onRecorded: (session) => this.recorded.push(session.id),
    });
  }

  /** Begins and ends this many sessions, all of them due at the next look. */
  finish(count: number): this {
    for (let id = 1; id <= count; id += 1) this.scraped.begin(user(id));
    for (let id = 1; id <= count; id += 1) this.scraped.end(user(id));
    this.scraped.nowMs += LINGER_MS + 1;
    return this;
  }

  writeAll(): void {
    for (const { onWritten } of this.waiting.splice(0)) onWritten();
  }

  liveUsers(): number {
    return this.scraped.tracker.users.count;
  }
}

function user(id: number): Who {
  return { realm: 'example.org', username: `user-${id}`, id };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('SessionFinisher', () => {
  it('does nothing before it is started', () => {
    const scene = new Scene().finish(1);
    vi.advanceTimersByTime(10 * INTERVAL_MS);
    expect(scene.waiting).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('observes and records a session once, when it has finished', () => {
    const scene = new Scene();
    scene.finisher.start();
    scene.scraped.begin(user(1));
    vi.advanceTimersByTime(INTERVAL_MS);
    expect(scene.observed).toEqual([]);
    scene.scraped.end(user(1));
    scene.scraped.nowMs += LINGER_MS + 1;
    vi.advanceTimersByTime(10 * INTERVAL_MS);
    expect(scene.observed).toEqual(['session-1']);
    expect(scene.waiting.map(({ session }) => session.id)).toEqual(['session-1']);
    scene.finisher.stop();
  });

  it('lets time pass every 100 ms', () => {
    const scene = new Scene();
    scene.finisher.start();
    scene.finish(1);
    vi.advanceTimersByTime(INTERVAL_MS - 1);
    expect(scene.waiting).toHaveLength(0);
    vi.advanceTimersByTime(1);
    expect(scene.waiting).toHaveLength(1);
    scene.finisher.stop();
  });

  it('keeps the series of a user until the record is written', async () => {
    const scene = new Scene().finish(1);
    scene.finisher.start();
    vi.advanceTimersByTime(INTERVAL_MS);
    expect(scene.liveUsers()).toBe(1);
    expect(await scene.scraped.userText()).toContain('user="user-1"');
    expect(scene.recorded).toEqual([]);
    scene.writeAll();
    expect(scene.liveUsers()).toBe(0);
    expect(await scene.scraped.userText()).toBe('');
    expect(scene.recorded).toEqual(['session-1']);
    scene.finisher.stop();
  });

  it('keeps the series of a user whose next session lives when the record is written', async () => {
    const scene = new Scene().finish(1);
    scene.finisher.start();
    vi.advanceTimersByTime(INTERVAL_MS);
    scene.scraped.begin(user(1));
    scene.writeAll();
    expect(scene.liveUsers()).toBe(1);
    scene.finisher.stop();
  });

  it('takes at most 500 sessions in one turn of the event loop', () => {
    const scene = new Scene().finish(2 * SLICE + 1);
    scene.finisher.start();
    const sizes: number[] = [];
    for (let turn = 0; turn < 5; turn += 1) {
      vi.advanceTimersToNextTimer();
      sizes.push(scene.waiting.length);
    }
    expect(sizes[0]).toBe(SLICE);
    for (const [turn, size] of sizes.entries()) {
      expect(size - (sizes[turn - 1] ?? 0)).toBeLessThanOrEqual(SLICE);
    }
    expect(sizes.at(-1)).toBe(2 * SLICE + 1);
    scene.finisher.stop();
  });

  it('works off a burst without waiting for the next interval', () => {
    const scene = new Scene().finish(3 * SLICE);
    scene.finisher.start();
    vi.advanceTimersByTime(INTERVAL_MS + INTERVAL_MS / 2);
    expect(scene.waiting).toHaveLength(3 * SLICE);
    expect(new Set(scene.observed).size).toBe(3 * SLICE);
    scene.finisher.stop();
  });

  it('takes no more than that every 100 ms while somebody waits for the metrics', () => {
    const scene = new Scene().finish(4 * SLICE);
    scene.isPressed = true;
    scene.finisher.start();
    vi.advanceTimersByTime(2 * INTERVAL_MS);
    expect(scene.waiting).toHaveLength(2 * SLICE);
    scene.isPressed = false;
    vi.advanceTimersByTime(INTERVAL_MS + INTERVAL_MS / 2);
    expect(scene.waiting).toHaveLength(4 * SLICE);
    scene.finisher.stop();
  });

  it('lets events in between two slices', () => {
    const scene = new Scene().finish(2 * SLICE);
    scene.finisher.start();
    vi.advanceTimersToNextTimer();
    let waitingAtEvent = 0;
    setImmediate(() => {
      waitingAtEvent = scene.waiting.length;
    });
    vi.advanceTimersByTime(INTERVAL_MS);
    expect(waitingAtEvent).toBeLessThanOrEqual(2 * SLICE);
    expect(waitingAtEvent).toBeGreaterThanOrEqual(SLICE);
    scene.finisher.stop();
  });

  it('is started once, however often it is told', () => {
    const scene = new Scene();
    scene.finisher.start();
    scene.finisher.start();
    expect(vi.getTimerCount()).toBe(1);
    scene.finisher.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('takes no more once stopped, also in the middle of a burst', () => {
    const scene = new Scene().finish(2 * SLICE);
    scene.finisher.start();
    vi.advanceTimersToNextTimer();
    scene.finisher.stop();
    vi.advanceTimersByTime(10 * INTERVAL_MS);
    expect(scene.waiting).toHaveLength(SLICE);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('drains everything that has finished, waiting for room between slices', async () => {
    const scene = new Scene().finish(2 * SLICE + 1);
    const seen: number[] = [];
    scene.onRoom = () => seen.push(scene.waiting.length);
    scene.scraped.tracker.expire(scene.scraped.nowMs);
    await scene.finisher.drain(() => 1_000);
    expect(scene.waiting).toHaveLength(2 * SLICE + 1);
    expect(scene.observed).toHaveLength(2 * SLICE + 1);
    expect(seen).toEqual([SLICE, 2 * SLICE, 2 * SLICE + 1]);
    await scene.finisher.drain(() => 1_000);
    expect(scene.waiting).toHaveLength(2 * SLICE + 1);
  });
});

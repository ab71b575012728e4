import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { USER_FAMILIES, UserMetrics } from '../../../src/metrics/user-metrics.ts';
import { parseExposition, type Sample } from '../../support/exposition.ts';
import { runPromtool } from '../../support/promtool.ts';
import { familiesOf, joinPieces, LINGER_MS, Scraped, WALL_OFFSET_MS, type Who } from './scrape.ts';

const REALM = 'example.org';

function who(username: string, id: number, realm = REALM): Who {
  return { realm, username, id };
}

/** `user` label to value, of one per-user gauge. */
async function shown(scraped: Scraped, name: string, realm = REALM): Promise<unknown> {
  const samples = parseExposition(await scraped.userText()).select(name, { realm });
  expect(new Set(samples.map(({ labels }) => labels['user'])).size).toBe(samples.length);
  return Object.fromEntries(samples.map(({ labels, value }) => [labels['user'], value]));
}

function seriesOf({ name, labels }: Sample): string {
  return JSON.stringify([name, Object.entries(labels).toSorted()]);
}

function repeated(samples: readonly Sample[]): string[] {
  const seen = new Set<string>();
  return samples.map(seriesOf).filter((series) => seen.size === seen.add(series).size);
}

describe('UserMetrics', () => {
  it('gives no text when there is no user', async () => {
    expect(await new Scraped().userText()).toBe('');
  });

  it('shows what a user holds and has relayed', async () => {
    const scraped = new Scraped()
      .begin(who('alice', 1))
      .relay(who('alice', 1), { received: 400, sent: 500 })
      .pass(2_000)
      .begin(who('alice', 2))
      .relay(who('alice', 2), { received: 100, sent: 200 })
      .begin(who('bob', 3));
    expect(await shown(scraped, 'coturn_user_sessions')).toEqual({ alice: 1, bob: 1 });
    expect(await shown(scraped, 'coturn_user_allocations')).toEqual({ alice: 2, bob: 1 });
    expect(await shown(scraped, 'coturn_user_session_received_bytes')).toEqual({
      alice: 500,
      bob: 0,
    });
    expect(await shown(scraped, 'coturn_user_session_sent_bytes')).toEqual({ alice: 700, bob: 0 });
    expect(await shown(scraped, 'coturn_user_session_start_time_seconds')).toEqual({
      alice: (WALL_OFFSET_MS + 1_000) / 1000,
      bob: (WALL_OFFSET_MS + 3_000) / 1000,
    });
  });

  it('keeps the series of a user until the session is recorded', async () => {
    const scraped = new Scraped().begin(who('alice', 1)).end(who('alice', 1));
    scraped.pass(LINGER_MS + 1, true);
    expect(await shown(scraped, 'coturn_user_allocations')).toEqual({ alice: 0 });
    const [alice] = [...scraped.tracker.users.withSeries()];
    for (const session of [...(alice?.sessions ?? [])]) scraped.tracker.users.leave(session);
    expect(await scraped.userText()).toBe('');
  });

  it('drops the series of a user with the last session', async () => {
    const scraped = new Scraped().begin(who('alice', 1)).begin(who('bob', 2)).end(who('alice', 1));
    scraped.pass(LINGER_MS + 1);
    expect(await shown(scraped, 'coturn_user_sessions')).toEqual({ bob: 1 });
  });

  it('keeps apart one name in two realms', async () => {
    const scraped = new Scraped().begin(who('alice', 1, 'a')).begin(who('alice', 2, 'b'));
    expect(await shown(scraped, 'coturn_user_sessions', 'a')).toEqual({ alice: 1 });
    expect(await shown(scraped, 'coturn_user_sessions', 'b')).toEqual({ alice: 1 });
  });

  it('shows an empty realm and an empty name', async () => {
    const scraped = new Scraped().begin(who('', 1, ''));
    expect(await shown(scraped, 'coturn_user_sessions', '')).toEqual({ '': 1 });
  });

  it('shows the user id of REST names and the names themselves when raw', async () => {
    const names = ['1795306257:alice', '1795306999:alice', 'bob'];
    for (const [label, expected] of [
      ['userid', { alice: 1, bob: 1 }],
      ['raw', { '1795306257:alice': 1, '1795306999:alice': 1, bob: 1 }],
    ] as const) {
      const scraped = new Scraped({ label });
      for (const [id, name] of names.entries()) scraped.begin(who(name, id + 1));
      expect(await shown(scraped, 'coturn_user_sessions')).toEqual(expected);
    }
  });

  it('sums users beyond the cap by realm, the start time being the earliest', async () => {
    const scraped = new Scraped({ maxUsers: 1 }).begin(who('first', 1)).pass(1_000);
    for (const [id, realm] of [
      [2, REALM],
      [3, REALM],
      [4, 'example.net'],
    ] as const) {
      const beyond = who(`beyond-${id}`, id, realm);
      scraped
        .begin(beyond)
        .relay(beyond, { received: id * 100, sent: id * 1_000 })
        .pass(1_000);
    }
    const other = (value: number) => ({ first: expect.anything(), '~other': value });
    expect(await shown(scraped, 'coturn_user_sessions')).toEqual(other(2));
    expect(await shown(scraped, 'coturn_user_allocations')).toEqual(other(2));
    expect(await shown(scraped, 'coturn_user_session_received_bytes')).toEqual(other(500));
    expect(await shown(scraped, 'coturn_user_session_sent_bytes')).toEqual(other(5_000));
    expect(await shown(scraped, 'coturn_user_session_start_time_seconds')).toEqual(
      other((WALL_OFFSET_MS + 2_000) / 1000),
    );
    expect(await shown(scraped, 'coturn_user_sessions', 'example.net')).toEqual({ '~other': 1 });
    const metrics = parseExposition(await scraped.text());
    expect(metrics.value('coturn_exporter_users')).toBe(4);
    expect(metrics.value('coturn_exporter_user_series_limit')).toBe(1);
  });

  it('sums a user named ~other with those beyond the cap', async () => {
    const scraped = new Scraped({ maxUsers: 2 });
    for (const [id, name] of ['~other', 'a', 'b', 'c'].entries()) scraped.begin(who(name, id + 1));
    expect(await shown(scraped, 'coturn_user_sessions')).toEqual({ a: 1, b: 1, '~other': 2 });
  });

  it('makes two series of two names that are the same up to the cut', async () => {
    const scraped = new Scraped()
      .begin(who(`${'x'.repeat(128)}a`, 1))
      .begin(who(`${'x'.repeat(128)}b`, 2));
    expect(Object.values(Object(await shown(scraped, 'coturn_user_sessions')))).toEqual([1, 1]);
  });

  it('shows a user once whose last session ends and first begins while it is written', async () => {
    const scraped = new Scraped({ maxUsers: 10_000 });
    for (let id = 1; id <= 2_500; id += 1) scraped.begin(who(`user-${id}`, id));
    const pieces = new UserMetrics(scraped.tracker.users).pieces(0, scraped.moment);
    const texts: string[] = Array.from(USER_FAMILIES, () => '');
    const take = async (): Promise<boolean> => {
      const { done, value } = await pieces.next();
      if (!done) texts[value.place] += value.text();
      return !done;
    };
    // The heads, and all of the first block.
    for (let count = 0; count < 2 * USER_FAMILIES.length; count += 1) await take();
    scraped
      .end(who('user-1', 1))
      .pass(LINGER_MS + 1)
      .begin(who('user-1', 9_999));
    while (await take());
    const { samples } = parseExposition(texts.join(''));
    expect(repeated(samples)).toEqual([]);
    expect(samples).toHaveLength(USER_FAMILIES.length * 2_500);
  });

  it('grants others their turn of the event loop', async () => {
    const scraped = new Scraped({ maxUsers: 10_000 });
    for (let id = 1; id <= 3_000; id += 1) scraped.begin(who(`user-${id}`, id));
    let turns = 0;
    let isWritten = false;
    const count = (): void => {
      turns += 1;
      if (!isWritten) setImmediate(count);
    };
    setImmediate(count);
    const text = await scraped.userText();
    isWritten = true;
    expect(turns).toBeGreaterThanOrEqual(5);
    expect(parseExposition(text).samples).toHaveLength(USER_FAMILIES.length * 3_000);
    expect(familiesOf(text).map(({ name }) => name)).toEqual(USER_FAMILIES.map(({ name }) => name));
  });

  it('grants them also in the middle of a user who holds very many allocations', async () => {
    const scraped = new Scraped();
    const count = 20_001;
    for (let id = 1; id <= count; id += 1) {
      scraped.begin(who('static', id)).relay(who('static', id), { received: 100, sent: 200 });
    }
    let turns = 0;
    let isWritten = false;
    const countTurn = (): void => {
      turns += 1;
      if (!isWritten) setImmediate(countTurn);
    };
    setImmediate(countTurn);
    expect(await shown(scraped, 'coturn_user_session_received_bytes')).toEqual({
      static: count * 100,
    });
    isWritten = true;
    expect(turns).toBeGreaterThanOrEqual(5);
    expect(await shown(scraped, 'coturn_user_session_sent_bytes')).toEqual({ static: count * 200 });
    expect(await shown(scraped, 'coturn_user_allocations')).toEqual({ static: count });
  });

  it('shows in a later scrape what a first one would, whoever came and left between', async () => {
    const scraped = new Scraped({ maxUsers: 1_900 });
    const metrics = new UserMetrics(scraped.tracker.users);
    const users = (begin: number, end: number): Who[] =>
      Array.from({ length: end - begin }, (_, at) => who(`user-${begin + at}`, begin + at + 1));
    const steps: (() => unknown)[] = [
      () => users(0, 1_200).map((user) => scraped.begin(user)),
      () => scraped.relay(who('user-700', 701), { received: 100, sent: 200 }),
      () => users(0, 400).map((user) => scraped.end(user)),
      () => scraped.pass(LINGER_MS + 1),
      // More than the cap: some of them beyond it.
      () => users(1_200, 2_500).map((user) => scraped.begin(user)),
      () => users(450, 1_800).map((user) => scraped.end(user)),
      () => scraped.pass(LINGER_MS + 1),
      () => users(0, 100).map((user) => scraped.begin(user)),
    ];
    for (const step of steps) {
      step();
      const lines = (await joinPieces(metrics.pieces(0, scraped.moment))).split('\n');
      expect(lines).toEqual((await scraped.userText()).split('\n'));
    }
  });

  it('gives the same key only for a text that is the same', async () => {
    const scraped = new Scraped({ maxUsers: 5_000 });
    for (let id = 1; id <= 2_000; id += 1) scraped.begin(who(`user-${id}`, id));
    const metrics = new UserMetrics(scraped.tracker.users);
    const texts = new Map<object, string>();
    /** Which blocks are new to us, by family. */
    const rendered = async (): Promise<number[]> => {
      const fresh = USER_FAMILIES.map(() => 0);
      for await (const { place, text, key } of metrics.pieces(0, scraped.moment)) {
        if (key === undefined) continue;
        const known = texts.get(key());
        if (known === undefined) fresh[place] = (fresh[place] ?? 0) + 1;
        else expect(text()).toBe(known);
        texts.set(key(), text());
      }
      return fresh;
    };
    expect(await rendered()).toEqual([4, 4, 4, 4, 4]);
    expect(await rendered()).toEqual([0, 0, 0, 0, 0]);
    scraped.relay(who('user-1', 1), { received: 100, sent: 0 });
    expect(await rendered()).toEqual([0, 0, 0, 1, 0]);
    scraped
      .begin(who('user-700', 9_001))
      .relay(who('user-1999', 1_999), { received: 0, sent: 100 });
    expect(await rendered()).toEqual([0, 1, 0, 0, 1]);
    scraped.end(who('user-1200', 1_200)).pass(LINGER_MS + 1);
    expect(await rendered()).toEqual([1, 1, 1, 1, 1]);
    scraped.begin(who('newcomer', 9_002));
    expect(await rendered()).toEqual([1, 1, 1, 1, 1]);
  });

  it('passes promtool', async () => {
    const text = await new Scraped({ maxUsers: 1 })
      .begin(who('a', 1))
      .begin(who('b', 2))
      .userText();
    expect(runPromtool(['check', 'metrics'], text)).toEqual({ exitCode: 0, output: '' });
  });
});

const hostileText = fc.oneof(
  fc.constantFrom('', '~other', 'other', 'a"', 'a\\', 'a\n', '__proto__', '\ud800', '\ufffd'),
  // Long names that differ behind the cut only, or in the pair that the cut goes through.
  fc
    .tuple(fc.integer({ min: 125, max: 129 }), fc.constantFrom('', 'a', 'b', '😀', '\ud83d'))
    .map(([length, end]) => 'x'.repeat(length) + end),
  fc.string({ unit: 'binary', maxLength: 140 }),
  fc.string({ unit: fc.constantFrom('\ud83d', '\ude00', 'a'), maxLength: 4 }),
);
// A realm cannot be told from the user when it holds this.
const realmText = hostileText.filter((text) => !text.includes('/user/'));

describe('an exposition', () => {
  it('has no series twice and every family in one piece, whoever the users are', async () => {
    const calls = fc.array(
      fc.record({ realm: realmText, username: hostileText, server: hostileText }),
      { maxLength: 12 },
    );
    const caps = fc.record({
      maxUsers: fc.integer({ min: 1, max: 6 }),
      maxRealms: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(calls, caps, async (given, options) => {
        const scraped = new Scraped(options);
        for (const [id, { realm, username, server }] of given.entries()) {
          const local = `${server.replaceAll(/, |^$/g, '-')}:3478`;
          const call = { realm, username, id, local };
          scraped.begin(call).relay(call, { received: 100, sent: 100 });
          if (id % 3 === 2) scraped.end(call).pass(LINGER_MS + 1);
        }
        const text = await scraped.text('text');
        familiesOf(text);
        familiesOf(await scraped.text('openmetrics'));
        const metrics = parseExposition(text);
        expect(repeated(metrics.samples)).toEqual([]);
        // No call is lost, however labels collide.
        expect(metrics.sum('coturn_user_sessions')).toBe(metrics.sum('coturn_sessions'));
        expect(metrics.sum('coturn_client_received_bytes_total')).toBe(given.length * 100);
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});

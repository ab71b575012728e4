import { describe, expect, it } from 'vitest';
import { type SessionProcess, sessionsByMinute } from '../../support/session-process.ts';
import { at } from './files.ts';
import { RULE_FILES, rulesOf } from './rule-files.ts';

const MINUTES_OF_A_YEAR = 525_600;
/** The average that the rule compares with: half an hour, ten minutes ago. */
const OFFSET = 10;
const WINDOW = 30;

const RULES = RULE_FILES.flatMap(rulesOf);
const RULE = RULES.find(({ name }) => name === 'CoturnSessionsDropped');
const LIMIT = RULES.find(({ name }) => name === 'coturn:sessions_before_drop:limit');

/** The numbers of the shipped rule; what was shipped before compared with half of it alone. */
const SHIPPED = {
  share: Number(/< ([\d.]+) \* \(/.exec(RULE?.expr ?? '')?.[1]),
  roots: Number(/offset 10m\)\)\) - (\d+)/.exec(RULE?.expr ?? '')?.[1]),
  least: Number(/^vector\((\d+)\)$/.exec(LIMIT?.expr ?? '')?.[1]),
  holdMinutes: Number(/^(\d+)m$/.exec(String(at(RULE?.rule, 'for')))?.[1]),
};
const FORMER = { share: 0.5, roots: Number.NEGATIVE_INFINITY, least: 10, holdMinutes: 3 };

const CALL = { minutes: 5, group: 1 };

describe('CoturnSessionsDropped', () => {
  it('has numbers that this test can read', () => {
    expect(SHIPPED).toEqual({ share: 0.5, roots: 5, least: 25, holdMinutes: 3 });
  });

  it('paged a healthy realm of ten several times a day when it compared with half alone', () => {
    const pages = pagesOf({ ...CALL, mean: 10, seed: 1 }, { rule: FORMER, minutes: 30 * 1440 });
    expect(pages / 30).toBeGreaterThan(2);
  });

  it.each([10, 15, 20, 30, 50, 100])(
    'never fires in a year of a healthy realm of %i sessions',
    (mean) => {
      expect(pagesOf({ ...CALL, mean, seed: mean }, { minutes: MINUTES_OF_A_YEAR })).toBe(0);
    },
  );

  it.each([20, 50])('never fires in a year of %i sessions that come and go in pairs', (mean) => {
    const pairs = { ...CALL, group: 2, mean, seed: 1000 + mean };
    expect(pagesOf(pairs, { minutes: MINUTES_OF_A_YEAR })).toBe(0);
  });

  it.each([
    [4, 5],
    [5, 30],
  ])(
    'fires in a healthy realm of 30 that holds conferences of %i, but at most %i times a year',
    (group, most) => {
      const pages = pagesOf({ ...CALL, group, mean: 30, seed: 7 }, { minutes: MINUTES_OF_A_YEAR });
      expect(pages).toBeLessThanOrEqual(most);
    },
  );

  it.each([5, 10])(
    'never fires in a year of conferences of %i, with a limit of a hundred of them',
    (group) => {
      const rule = { ...SHIPPED, least: 100 * group };
      const conferences = { ...CALL, group, mean: 105 * group, seed: group };
      expect(pagesOf(conferences, { rule, minutes: MINUTES_OF_A_YEAR })).toBe(0);
    },
  );

  it('fires within ten minutes whenever a realm of fifty dies', () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const sessions = sessionsByMinute({ ...CALL, mean: 50, seed });
      const seen = Array.from({ length: 60 }, () => sessions.next().value ?? 0);
      const after = Array.from({ length: 10 }, () => 0);
      expect(countPages([...seen, ...after]), `seed ${seed}`).toBe(1);
    }
  });
});

function pagesOf(
  process: SessionProcess,
  { rule = SHIPPED, minutes }: { rule?: typeof SHIPPED; minutes: number },
): number {
  const sessions = sessionsByMinute(process);
  function* take() {
    for (let minute = 0; minute < minutes; minute += 1) yield sessions.next().value ?? 0;
  }
  return countPages(take(), rule);
}

/** How often the rule begins to fire on these numbers of sessions, one a minute. */
function countPages(sessions: Iterable<number>, rule: typeof SHIPPED = SHIPPED): number {
  const seen = new Float64Array(64);
  let minute = 0;
  let sum = 0;
  let held = 0;
  let pages = 0;
  for (const now of sessions) {
    seen[minute & 63] = now;
    sum += minute >= OFFSET ? (seen[(minute - OFFSET) & 63] ?? 0) : 0;
    sum -= minute >= OFFSET + WINDOW ? (seen[(minute - OFFSET - WINDOW) & 63] ?? 0) : 0;
    const before = sum / WINDOW;
    const isLow =
      minute >= OFFSET + WINDOW &&
      before >= rule.least &&
      now < rule.share * before &&
      Math.sqrt(now) < Math.sqrt(before) - rule.roots;
    held = isLow ? held + 1 : 0;
    if (held === rule.holdMinutes + 1) pages += 1;
    minute += 1;
  }
  return pages;
}

/** Sessions that come and go independently of each other (M/M/∞), or in groups that do. */
export interface SessionProcess {
  /** How many there are on average. */
  readonly mean: number;
  /** How long one lasts on average, in minutes. */
  readonly minutes: number;
  /** How many begin and end together: 2 for calls whose both ends use the relay. */
  readonly group: number;
  readonly seed: number;
}

/** The number of sessions at every minute, for ever, by exact transition from minute to minute. */
export function* sessionsByMinute(process: SessionProcess): Generator<number> {
  const random = createRandom(process.seed);
  const stays = Math.exp(-1 / process.minutes);
  const groups = process.mean / process.group;
  let count = Math.round(groups);
  for (;;) {
    count = binomial(count, stays, random) + poisson(groups * (1 - stays), random);
    yield count * process.group;
  }
}

/** Numbers from 0 to 1, always the same for a seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A draw from the Poisson distribution. */
export function poisson(mean: number, random: () => number): number {
  if (mean > 30) return poisson(mean / 2, random) + poisson(mean / 2, random);
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) count += 1;
  return count;
}

function binomial(count: number, chance: number, random: () => number): number {
  if (count < 40) {
    let hits = 0;
    for (let index = 0; index < count; index += 1) if (random() < chance) hits += 1;
    return hits;
  }
  // Of many, the normal distribution is near enough, and a month takes seconds.
  const spread = Math.sqrt(count * chance * (1 - chance));
  const normal = Math.sqrt(-2 * Math.log(random() || 1e-300)) * Math.cos(2 * Math.PI * random());
  return Math.max(0, Math.min(count, Math.round(count * chance + spread * normal)));
}

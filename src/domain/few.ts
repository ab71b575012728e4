/** None, one, or a list of several in no order: a list of one would take 56 bytes more. */
export type Few<T> = T | T[] | undefined;

/** An element that knows its place among its like. */
interface Placed {
  slot: number;
}

/** All of them. */
export function listOf<T extends Placed>(few: Few<T>): readonly T[] {
  if (few === undefined) return [];
  return Array.isArray(few) ? few : [few];
}

/** Those and one more. */
export function addTo<T extends Placed>(few: Few<T>, entry: T): Few<T> {
  entry.slot = 0;
  if (few === undefined) return entry;
  if (!Array.isArray(few)) {
    entry.slot = 1;
    return [few, entry];
  }
  entry.slot = few.length;
  few.push(entry);
  return few;
}

/**
 * Those without one that is among them, in constant time: thousands may share one static user name,
 * and so one session.
 */
export function removeFrom<T extends Placed>(few: Few<T>, entry: T): Few<T> {
  if (!Array.isArray(few)) return undefined;
  const last = few.pop();
  if (last !== undefined && last !== entry) {
    few[entry.slot] = last;
    last.slot = entry.slot;
  }
  return few.length > 0 ? few : undefined;
}

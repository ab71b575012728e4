import type { Ledger } from '../../src/domain/ledger.ts';

/**
 * Counts each look at a pair of realm and server, by any walk over them.
 *
 * @returns the number so far
 */
export function countLooks(ledger: Ledger): () => number {
  let looks = 0;
  function* counted<T>(items: Iterable<T>): MapIterator<T> {
    for (const item of items) {
      looks += 1;
      yield item;
    }
    return undefined;
  }
  for (const { servers } of ledger.realms()) {
    const [entries, values] = [servers.entries.bind(servers), servers.values.bind(servers)];
    servers.entries = () => counted(entries());
    servers[Symbol.iterator] = servers.entries;
    servers.values = () => counted(values());
  }
  return () => looks;
}

/**
 * Follows a number that grows, from one turn of the event loop to the next.
 *
 * @returns ends it, and gives the most that it grew by in one turn
 */
export function mostInOneTurn(count: () => number): () => number {
  let before = count();
  let most = 0;
  const look = (): void => {
    const now = count();
    most = Math.max(most, now - before);
    before = now;
  };
  let next = setImmediate(function again() {
    look();
    next = setImmediate(again);
  });
  return () => {
    clearImmediate(next);
    look();
    return most;
  };
}

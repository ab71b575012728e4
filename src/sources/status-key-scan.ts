import type { Redis } from 'ioredis';

/** A status key and its value. */
export interface StatusEntry {
  readonly key: string;
  readonly value: string;
}

/** Matches status keys with and without a realm; `*` of Redis matches `/` too. */
const STATUS_KEYS = 'turn/*/allocation/*/status';

/** How many keys Redis looks at in one step, so that none takes it longer than about 1 ms. */
const STEP = 1000;

/**
 * Reads all status keys with their values, by SCAN, which unlike KEYS does not hold up Redis. A key
 * that appears or goes meanwhile may be missing; one may come twice.
 *
 * @throws what Redis or the network says
 */
export async function* scanStatusKeys(redis: Redis): AsyncGenerator<readonly StatusEntry[]> {
  let cursor = '0';
  do {
    // Bytes, since a key need not be valid UTF-8 and is asked for again by its name.
    const [next, keys]: [Buffer, Buffer[]] = await redis.scanBuffer(
      cursor,
      'MATCH',
      STATUS_KEYS,
      'COUNT',
      STEP,
    );
    if (keys.length > 0) yield entriesOf(keys, await redis.mgetBuffer(keys));
    cursor = next.toString();
  } while (cursor !== '0');
}

function entriesOf(keys: readonly Buffer[], values: readonly (Buffer | null)[]): StatusEntry[] {
  const entries: StatusEntry[] = [];
  for (const [index, key] of keys.entries()) {
    // A key that went between the two commands has no value.
    const value = values[index];
    if (value) entries.push({ key: key.toString(), value: value.toString() });
  }
  return entries;
}

import type { Redis } from 'ioredis';
import { STATUS_KEYS_PATTERN } from '../../coturn/patterns.ts';
import { keepBytes } from '../../coturn/text.ts';
import {
  type ConnectionContext,
  isAnswer,
  openConnection,
  type Place,
  selectDatabase,
} from './connection.ts';
import { clusterMasters } from './locate.ts';

/** A status key and its value. */
export interface StatusEntry {
  readonly key: string;
  readonly value: string;
}

/** How many keys Redis looks at in one step, so that none takes it longer than about 1 ms. */
const STEP = 1000;

/**
 * Reads the status keys of all databases of a source, or of all masters of a cluster, on connections
 * of their own, since a subscriber can ask nothing; made for each reading, so that there are none to
 * look after between them.
 *
 * @param place where the source is subscribed
 * @throws {Error} of the first failure
 */
export async function* readAllStatusKeys(
  place: Place,
  options: ConnectionContext,
): AsyncGenerator<readonly StatusEntry[]> {
  const { endpoint, dbs } = options.config;
  const redis = await openConnection(place, options);
  const cut = () => redis.disconnect();
  options.signal.addEventListener('abort', cut, { once: true });
  try {
    if (endpoint.kind === 'cluster') {
      for (const address of await clusterMasters(redis, place.address)) {
        yield* readNode({ address, role: 'Redis' }, options);
      }
      return;
    }
    for (const db of dbs) {
      await selectDatabase(redis, db, options.config);
      yield* scanStatusKeys(redis);
    }
  } finally {
    options.signal.removeEventListener('abort', cut);
    redis.disconnect();
  }
}

async function* readNode(
  place: Place,
  options: ConnectionContext,
): AsyncGenerator<readonly StatusEntry[]> {
  const redis = await openConnection(place, options);
  try {
    yield* scanStatusKeys(redis, { isCluster: true });
  } finally {
    redis.disconnect();
  }
}

/**
 * Reads all status keys with their values, by SCAN, which unlike KEYS does not hold up Redis. A key
 * that appears or goes meanwhile may be missing; one may come twice.
 *
 * @throws what Redis or the network says
 */
export async function* scanStatusKeys(
  redis: Redis,
  { isCluster = false }: { readonly isCluster?: boolean } = {},
): AsyncGenerator<readonly StatusEntry[]> {
  // Bytes, since a key need not be valid UTF-8 and is asked for again by its name.
  const steps = redis.scanBufferStream({ match: STATUS_KEYS_PATTERN, count: STEP });
  for await (const keys of steps as AsyncIterable<Buffer[]>) {
    if (keys.length === 0) continue;
    yield entriesOf(keys, await (isCluster ? getEach(redis, keys) : redis.mgetBuffer(keys)));
  }
}

/** One by one, in one round trip: keys of several slots may not be asked for together. */
async function getEach(redis: Redis, keys: readonly Buffer[]): Promise<(Buffer | null)[]> {
  return await Promise.all(
    keys.map((key) =>
      redis.getBuffer(key).catch((error: unknown) => {
        // It moved to another node, where the next reading finds it, or is no text.
        if (isAnswer(error) && /^(?:MOVED|ASK|WRONGTYPE)/.test(String((error as Error).message))) {
          return null;
        }
        throw error;
      }),
    ),
  );
}

function entriesOf(keys: readonly Buffer[], values: readonly (Buffer | null)[]): StatusEntry[] {
  const entries: StatusEntry[] = [];
  for (const [index, key] of keys.entries()) {
    // A key that went between the two commands has no value.
    const value = values[index];
    if (value) entries.push({ key: keepBytes(key.toString(), key), value: value.toString() });
  }
  return entries;
}

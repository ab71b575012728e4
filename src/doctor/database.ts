import type { Redis } from 'ioredis';
import type { ConnectionContext, Place } from '../sources/redis/connection.ts';
import { readAllStatusKeys, scanStatusKeys } from '../sources/redis/status-scan.ts';
import { messageOf } from './connect.ts';
import { type Finding, fail, ok, warn } from './report.ts';

/** How many databases Redis has unless told otherwise; looked at where INFO does not tell. */
const USUAL_DATABASES = 16;
/** The most status keys that are counted in one database. */
const MAX_KEYS = 100_000;
/** The most databases that are looked at. */
const MAX_DATABASES = 64;

/** What is known of the databases. */
export interface KeyEvidence {
  /** The numbers in the URL. */
  readonly dbs: readonly number[];
  /** Status keys there, without topic. */
  readonly here: ReadonlySet<string>;
  /** How many status keys are in other databases, by number. */
  readonly elsewhere: ReadonlyMap<number, number>;
  /** How many keys messages said are there; and how many of them are. */
  readonly expected: number;
  readonly present: number;
  /** Allocations that messages told of, by keys without topic. */
  readonly heard: ReadonlySet<string>;
}

/**
 * Looks for status keys in all databases.
 *
 * @param redis in the database of the URL; a connection of its own that nobody else uses
 */
export async function gatherKeys(
  redis: Redis,
  told: {
    readonly dbs: readonly number[];
    readonly expected: ReadonlySet<string>;
    readonly heard: ReadonlySet<string>;
  },
): Promise<KeyEvidence> {
  const { dbs, expected, heard } = told;
  const here = new Set<string>();
  let present = 0;
  for (const db of dbs) {
    if (dbs.length > 1) await redis.select(db);
    for (const key of await statusKeys(redis)) here.add(key);
    const values = expected.size === 0 ? [] : await redis.mget([...expected]);
    present += values.filter((value) => value !== null).length;
  }
  const elsewhere = new Map<number, number>();
  const numbers =
    (await databasesWithKeys(redis)) ?? Array.from({ length: USUAL_DATABASES }, (_, n) => n);
  for (const number of numbers.filter((other) => !dbs.includes(other)).slice(0, MAX_DATABASES)) {
    try {
      await redis.select(number);
    } catch {
      // There are fewer databases than usual.
      break;
    }
    const { size } = await statusKeys(redis);
    if (size > 0) elsewhere.set(number, size);
  }
  return { dbs, here, elsewhere, expected: expected.size, present, heard };
}

/** Whether the number in the URL is the one that coturn writes to. */
export function judgeKeys(evidence: KeyEvidence): Finding[] {
  const { dbs, here, elsewhere, expected, present } = evidence;
  const db = dbs.join(',');
  const what = 'database';
  const others = [...elsewhere]
    .map(([number, count]) => `${count} in database ${number}`)
    .join(', ');
  const [[best] = [undefined]] = [...elsewhere].sort(([, one], [, other]) => other - one);
  const isContradicted = expected > 0 && present === 0;
  if (isContradicted || (here.size === 0 && best !== undefined)) {
    const seen = isContradicted ? 'coturn tells of allocations whose keys are not there: ' : '';
    const finding = `${seen}${here.size} status keys in database ${db}, ${others || 'none elsewhere'}`;
    const fix =
      best === undefined
        ? 'end --redis.url in the dbname of redis-statsdb in turnserver.conf'
        : `end --redis.url in /${best}, as dbname=${best} of redis-statsdb in turnserver.conf`;
    return [isContradicted ? fail(what, finding, fix) : warn(what, finding, fix)];
  }
  if (here.size === 0) {
    return [
      warn(
        what,
        `no status keys in database ${db} nor in others, so the number is not proven`,
        'make a call while this runs with --doctor.wait 60s',
      ),
    ];
  }
  const found = `${here.size} status keys in database ${db}`;
  if (best !== undefined) {
    return [
      warn(
        what,
        `${found}, ${others}`,
        `give every coturn of this Redis dbname=${db}, if these are yours and live`,
      ),
      judgeSilence(evidence),
    ];
  }
  return [ok(what, found), judgeSilence(evidence)];
}

/** coturn reports an allocation every 4096 packets and at a refresh: silence proves nothing. */
function judgeSilence({ here, heard }: KeyEvidence): Finding {
  const silent = [...here].filter((key) => !heard.has(key)).length;
  if (silent === 0) return ok('silent keys', 'none, messages told of every allocation');
  return ok(
    'silent keys',
    `${silent} of ${here.size} had no message; quiet calls, or left by a coturn that crashed (the exporter lets these expire)`,
  );
}

/** How many status keys the masters of a cluster have together. */
export async function countClusterKeys(place: Place, context: ConnectionContext): Promise<Finding> {
  let count = 0;
  try {
    for await (const entries of readAllStatusKeys(place, context)) count += entries.length;
    return ok(
      'status keys',
      `${count} on the masters of the cluster (coturn sets only those of the node it talks to)`,
    );
  } catch (error) {
    return fail('status keys', `cannot be read, ${messageOf(error)}`, 'make every node reachable');
  }
}

/** Numbers of the databases that have keys, by INFO; undefined where that is not told. */
async function databasesWithKeys(redis: Redis): Promise<number[] | undefined> {
  try {
    return parseKeyspace(await redis.info('keyspace'));
  } catch {
    return undefined;
  }
}

/**
 * Reads the keyspace section of INFO.
 *
 *     db0:keys=3,expires=0,avg_ttl=0
 */
export function parseKeyspace(info: string): number[] {
  return [...info.matchAll(/^db(\d+):keys=[1-9]/gm)].map(([, number]) => Number(number));
}

async function statusKeys(redis: Redis): Promise<Set<string>> {
  const keys = new Set<string>();
  for await (const entries of scanStatusKeys(redis)) {
    for (const { key } of entries) keys.add(key.slice(0, -'/status'.length));
    if (keys.size >= MAX_KEYS) break;
  }
  return keys;
}

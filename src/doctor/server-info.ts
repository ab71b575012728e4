import type { Redis } from 'ioredis';
import { isDenied, messageOf } from './connect.ts';
import { type Finding, ok, warn } from './report.ts';

/** The oldest Redis whose ACL can keep an exporter from writing. */
const ACL_SINCE_MAJOR = 6;

/** Tells which Redis this is. */
export async function checkVersion(redis: Redis): Promise<Finding> {
  try {
    const info = await redis.info('server');
    return judgeVersion(info);
  } catch (error) {
    const why = isDenied(error) ? 'INFO is denied' : messageOf(error);
    return ok('version', `not told, ${why}; that does no harm`);
  }
}

/**
 * Judges the text of INFO.
 *
 *     redis_version:7.0.15
 */
export function judgeVersion(info: string): Finding {
  const valkey = /^valkey_version:(\S+)/m.exec(info)?.[1];
  if (valkey !== undefined) return ok('version', `Valkey ${valkey}`);
  const version = /^redis_version:(\S+)/m.exec(info)?.[1];
  if (version === undefined) return ok('version', 'not told');
  if (Number.parseInt(version, 10) >= ACL_SINCE_MAJOR) return ok('version', `Redis ${version}`);
  return warn(
    'version',
    `Redis ${version}, works but gets no security fixes`,
    'upgrade to a Redis or Valkey that is maintained',
  );
}

/** Numbers of the databases that have keys, by INFO; undefined where that is not told. */
export async function databasesWithKeys(redis: Redis): Promise<number[] | undefined> {
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

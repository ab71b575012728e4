import type { Redis } from 'ioredis';
import { isDenied, messageOf } from './connect.ts';
import { type Finding, ok, warn } from './report.ts';

/** The oldest Redis whose ACL can keep an exporter from writing. */
const ACL_SINCE_MAJOR = 6;

const MIB = 1024 * 1024;
/** Smaller limits than these may cut a subscriber off in a burst. */
const ENOUGH_HARD = 128 * MIB;
const ENOUGH_SOFT = 32 * MIB;

const NAMES = [
  'timeout',
  'tcp-keepalive',
  'client-output-buffer-limit',
  'maxmemory',
  'maxmemory-policy',
] as const;

type SettingName = (typeof NAMES)[number];

/** Settings of a Redis as it tells them; one that it does not know is missing. */
export type Settings = ReadonlyMap<SettingName, string>;

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

/** Reads the settings that matter to events and keys, and judges them. */
export async function checkSettings(redis: Redis): Promise<Finding[]> {
  const settings = new Map<SettingName, string>();
  try {
    for (const name of NAMES) {
      const [, value] = toTexts(await redis.call('CONFIG', 'GET', name));
      if (value !== undefined) settings.set(name, value);
    }
  } catch (error) {
    const why = isDenied(error) ? 'CONFIG is denied' : messageOf(error);
    return [
      warn(
        'settings',
        `cannot be read, ${why}`,
        'see in the console of a managed Redis that timeout is 0, tcp-keepalive 300 and client-output-buffer-limit pubsub 256mb 64mb 60, or permit +config|get',
      ),
    ];
  }
  return judgeSettings(settings);
}

/** What the settings mean for an exporter. */
export function judgeSettings(settings: Settings): Finding[] {
  return [
    ...judge(settings.get('timeout'), judgeTimeout),
    ...judge(settings.get('tcp-keepalive'), judgeKeepalive),
    ...judge(settings.get('client-output-buffer-limit'), judgeBuffer),
    ...judge(settings.get('maxmemory-policy'), (policy) =>
      judgeEviction(policy, settings.get('maxmemory') ?? '0'),
    ),
  ];
}

function judge(value: string | undefined, by: (value: string) => Finding): Finding[] {
  return value === undefined ? [] : [by(value)];
}

/**
 * Subscribers are exempt from `timeout` (networking.c, timeout.c of Redis 2.6 and later:
 * `CLIENT_PUBSUB`). Those who publish are not.
 */
function judgeTimeout(seconds: string): Finding {
  if (seconds === '0') return ok('timeout', '0, idle connections stay open');
  return warn(
    'timeout',
    `${seconds} s, closes the connections of an idle coturn, and what it publishes next may be lost (subscribers are exempt)`,
    'CONFIG SET timeout 0',
  );
}

function judgeKeepalive(seconds: string): Finding {
  if (seconds !== '0') return ok('tcp-keepalive', `${seconds} s`);
  return warn(
    'tcp-keepalive',
    '0, firewalls may forget silent connections and dead peers are never noticed',
    'CONFIG SET tcp-keepalive 300',
  );
}

/** `normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60`; 0 is no limit. */
function judgeBuffer(limits: string): Finding {
  const what = 'client-output-buffer-limit pubsub';
  const [, hard, soft, seconds] = /pubsub (\d+) (\d+) (\d+)/.exec(limits) ?? [];
  const isEnough =
    (Number(hard) === 0 || Number(hard) >= ENOUGH_HARD) &&
    (Number(soft) === 0 || Number(soft) >= ENOUGH_SOFT);
  const found = `${inMegabytes(hard)} ${inMegabytes(soft)} ${seconds ?? '?'}`;
  if (isEnough) return ok(what, found);
  return warn(
    what,
    `${found}, cuts off an exporter that a burst of events finds busy, and they are lost`,
    'CONFIG SET client-output-buffer-limit "pubsub 256mb 64mb 60"',
  );
}

/** coturn's keys have no expiry, so only the `allkeys` policies take them. */
function judgeEviction(policy: string, maxmemory: string): Finding {
  const what = 'maxmemory-policy';
  if (maxmemory === '0') return ok(what, `${policy}, without a maxmemory`);
  if (!policy.startsWith('allkeys-')) return ok(what, policy);
  return warn(
    what,
    `${policy} with ${inMegabytes(maxmemory)}, may evict keys of live allocations, which then look vanished`,
    'CONFIG SET maxmemory-policy noeviction',
  );
}

function inMegabytes(bytes: string | undefined): string {
  if (bytes === undefined) return '?';
  const number = Number(bytes);
  return number % MIB === 0 && number > 0 ? `${number / MIB}mb` : bytes;
}

function toTexts(reply: unknown): string[] {
  return Array.isArray(reply) ? reply.map(String) : [];
}

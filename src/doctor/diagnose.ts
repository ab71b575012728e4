import type { Redis } from 'ioredis';
import { formatDuration, formatHostPort } from '../config/values.ts';
import { KEEPALIVE_CHANNEL } from '../coturn/patterns.ts';
import type { Place } from '../sources/redis/connection.ts';
import {
  connect,
  contextOf,
  explainFailure,
  type Located,
  locateAll,
  messageOf,
  type Target,
} from './connect.ts';
import { countClusterKeys, gatherKeys, judgeKeys } from './database.ts';
import { Listener } from './listener.ts';
import { checkPermissions } from './permissions.ts';
import { type Diagnosis, type Finding, fail, ok } from './report.ts';
import { checkSettings, checkVersion } from './settings.ts';

/** coturn sets a key and publishes its status right after; how far apart they may be, in ms. */
const KEY_DELAY_MS = 250;

/** How one Redis is examined. */
export interface DiagnoseOptions {
  /** How long to listen for messages, in ms. */
  readonly waitMs: number;
  /** Ends the listening early. */
  readonly signal: AbortSignal;
}

/** Examines a Redis that coturn publishes to. Changes nothing there. Never throws. */
export async function diagnose(target: Target, options: DiagnoseOptions): Promise<Diagnosis> {
  const source = target.config.name;
  const open: Redis[] = [];
  const located: Located = await locateAll(contextOf(target)).catch((error: unknown) => ({
    findings: [explainFailure(error)],
  }));
  const { place, findings } = located;
  if (place === undefined) return { source, findings };
  try {
    const redis = await connect(place, contextOf(target));
    open.push(redis);
    const subscriber = await connect(place, contextOf(target));
    open.push(subscriber);
    const examined = await examine({ redis, subscriber, place }, target, options);
    return { source, findings: [...findings, ...examined] };
  } catch (error) {
    return { source, findings: [...findings, explainFailure(error)] };
  } finally {
    for (const redis of open) redis.disconnect();
  }
}

interface Connections {
  readonly redis: Redis;
  readonly subscriber: Redis;
  readonly place: Place;
}

async function examine(
  connections: Connections,
  target: Target,
  { waitMs, signal }: DiagnoseOptions,
): Promise<Finding[]> {
  const { redis, subscriber, place } = connections;
  const { config } = target;
  const isCluster = config.endpoint.kind === 'cluster';
  const listener = new Listener(subscriber);
  const findings = [
    ok('reachable', `answers at ${formatHostPort(place.address)}`),
    await checkVersion(redis),
  ];
  const permissions = await checkPermissions(connections, config);
  findings.push(...permissions.findings, ...(await checkSettings(redis)));
  if (permissions.canSubscribe) {
    // Only old versions of coturn send keepalives, and hearing them takes a permission of its own.
    await subscriber.subscribe(KEEPALIVE_CHANNEL).catch(() => undefined);
    await listener.untilStatus(waitMs, signal);
    findings.push(listener.judge(formatDuration(waitMs)));
  }
  if (permissions.canScan && isCluster) {
    findings.push(await countClusterKeys(place, contextOf(target)));
  } else if (permissions.canScan) {
    findings.push(...(await checkDatabase(redis, listener, config.dbs)));
  }
  return findings;
}

async function checkDatabase(
  redis: Redis,
  listener: Listener,
  dbs: readonly number[],
): Promise<Finding[]> {
  await new Promise((resolve) => setTimeout(resolve, KEY_DELAY_MS));
  const { expectedKeys: expected, heard } = listener;
  try {
    return judgeKeys(await gatherKeys(redis, { dbs, expected, heard }));
  } catch (error) {
    return [fail('database', `cannot be read, ${messageOf(error)}`, 'look at the log of Redis')];
  }
}

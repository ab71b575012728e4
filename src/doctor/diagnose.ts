import type { Redis } from 'ioredis';
import { formatDuration } from '../config/values.ts';
import { KEEPALIVE_CHANNEL } from '../coturn/patterns.ts';
import { addressOf, connect, explainFailure, messageOf, type Target } from './connect.ts';
import { gatherKeys, judgeKeys } from './database.ts';
import { Listener } from './listener.ts';
import { checkPermissions } from './permissions.ts';
import { type Diagnosis, type Finding, fail, ok } from './report.ts';
import { checkVersion } from './server-info.ts';
import { checkSettings } from './settings.ts';

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
  try {
    const redis = await connect(target);
    open.push(redis);
    const subscriber = await connect(target);
    open.push(subscriber);
    const findings = await examine({ redis, subscriber }, target, options);
    return { source, findings };
  } catch (error) {
    return { source, findings: [explainFailure(messageOf(error), target.config)] };
  } finally {
    for (const redis of open) redis.disconnect();
  }
}

interface Connections {
  readonly redis: Redis;
  readonly subscriber: Redis;
}

async function examine(
  connections: Connections,
  { config }: Target,
  { waitMs, signal }: DiagnoseOptions,
): Promise<Finding[]> {
  const { redis, subscriber } = connections;
  const listener = new Listener(subscriber);
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(waitMs)]);
  const findings = [ok('reachable', `answers at ${addressOf(config)}`), await checkVersion(redis)];
  const permissions = await checkPermissions(connections, config);
  findings.push(...permissions.findings, ...(await checkSettings(redis)));
  if (permissions.canSubscribe) {
    // Only old versions of coturn send keepalives, and hearing them takes a permission of its own.
    await subscriber.subscribe(KEEPALIVE_CHANNEL).catch(() => undefined);
    await listener.untilStatus(deadline);
    findings.push(listener.judge(formatDuration(waitMs)));
  }
  if (permissions.canScan) findings.push(...(await checkDatabase(redis, listener, config.db)));
  return findings;
}

async function checkDatabase(redis: Redis, listener: Listener, db: number): Promise<Finding[]> {
  await new Promise((resolve) => setTimeout(resolve, KEY_DELAY_MS));
  const { expectedKeys: expected, heard } = listener;
  try {
    return judgeKeys(await gatherKeys(redis, { db, expected, heard }));
  } catch (error) {
    return [fail('database', `cannot be read, ${messageOf(error)}`, 'look at the log of Redis')];
  }
}

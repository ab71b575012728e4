import type { Logger } from 'pino';
import type { ScanResult } from '../domain/key-scan.ts';
import type { SourceStats } from '../domain/source-stats.ts';

/** What the log says about one Redis source, and the counters that go with it. */
export interface RedisTelemetry {
  subscribed(gapMs: number): void;
  connectionFailed(why: string): void;
  disconnected(why: string): void;
  resynced(result: ScanResult, milliseconds: number): void;
  resyncFailed(why: string): void;
}

/** Passwords never get here: what Redis and the network say does not hold them. */
export function createRedisTelemetry(parentLog: Logger, stats: SourceStats): RedisTelemetry {
  const log = parentLog.child({ source: stats.name });
  let lastFailure = '';
  let isWarned = false;
  return {
    subscribed(gapMs) {
      lastFailure = '';
      if (gapMs > 0) {
        log.warn({ gapSeconds: gapMs / 1000 }, 'subscribed again, events of the gap are lost');
      } else {
        log.info('subscribed');
      }
    },
    connectionFailed(why) {
      // Attempts go on for ever: each new reason is told once, its repetitions at debug.
      const level = why === lastFailure ? 'debug' : 'warn';
      lastFailure = why;
      log[level]({ reason: why }, 'cannot receive events, trying again');
    },
    disconnected(why) {
      stats.disconnects += 1;
      lastFailure = why;
      log.warn({ reason: why }, 'connection lost, connecting again');
    },
    resynced(result, milliseconds) {
      log.debug({ ...result, milliseconds: Math.round(milliseconds) }, 'status keys are read');
      if (result.isWrongDatabase && !isWarned) {
        log.warn(
          'allocations live whose status keys are not there: the database number in --redis.url is probably not the dbname of redis-statsdb; missing keys mean nothing until some are found',
        );
      }
      isWarned = result.isWrongDatabase;
    },
    resyncFailed(why) {
      log.warn({ reason: why }, 'status keys cannot be read, live allocations may be missing');
    },
  };
}

import type { Logger } from 'pino';
import type { SourceStats } from '../domain/source-stats.ts';

/** What the log says about one Redis source, and the counters that go with it. */
export interface RedisTelemetry {
  subscribed(gapMs: number): void;
  connectionFailed(why: string): void;
  disconnected(why: string): void;
  scanned(keys: number, milliseconds: number): void;
  scanFailed(why: string): void;
}

/** Passwords never get here: what Redis and the network say does not hold them. */
export function createRedisTelemetry(parentLog: Logger, stats: SourceStats): RedisTelemetry {
  const log = parentLog.child({ source: stats.name });
  let lastFailure = '';
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
    scanned(keys, milliseconds) {
      stats.resyncs += 1;
      log.debug({ keys, milliseconds: Math.round(milliseconds) }, 'status keys are read');
    },
    scanFailed(why) {
      log.warn({ reason: why }, 'status keys cannot be read, live allocations may be missing');
    },
  };
}

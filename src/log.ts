import { type DestinationStream, type Logger, pino } from 'pino';
import { PinoPretty } from 'pino-pretty';
import type { LogFormat, LogLevel } from './config/options.ts';

const STDERR_FD = 2;

/** The exporter's own log, on stderr; records have their own way. */
export function createLog(options: { level: LogLevel; format: LogFormat }): Logger {
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination(options.format),
  );
}

/** Synchronous, so that the last words of a process that dies are not lost. */
function destination(format: LogFormat): DestinationStream {
  if (format === 'pretty') {
    return PinoPretty({ destination: STDERR_FD, sync: true, translateTime: 'SYS:HH:MM:ss.l' });
  }
  return pino.destination({ fd: STDERR_FD, sync: true });
}

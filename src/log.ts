import { isatty } from 'node:tty';
import type { DestinationStream, Logger } from 'pino';
import type { Config } from './config/config.ts';
import type { LogFormat } from './config/options.ts';

const STDERR_FD = 2;

/**
 * The exporter's own log, on stderr; records have their own way. What writes it is loaded only when
 * asked for: commands that answer at once need none.
 */
export async function createLog({ level, format }: Config['log']): Promise<Logger> {
  const { pino } = await import('pino');
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    await destination(format ?? (isatty(STDERR_FD) ? 'pretty' : 'json')),
  );
}

/** Synchronous, so that the last words of a process that dies are not lost. */
async function destination(format: LogFormat): Promise<DestinationStream> {
  if (format === 'pretty') {
    // It is a tenth of the time to start.
    const { PinoPretty } = await import('pino-pretty');
    return PinoPretty({ destination: STDERR_FD, sync: true, translateTime: 'SYS:HH:MM:ss.l' });
  }
  const { pino } = await import('pino');
  return pino.destination({ fd: STDERR_FD, sync: true });
}

/** The system's name for an error, such as `ENOENT` or `EADDRINUSE`; undefined when it has none. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error && 'code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

import type { Logger } from 'pino';

/** What the log says about the writing of session records. */
export interface RecordTelemetry {
  writeFailed(error: unknown): void;
  writeRecovered(): void;
  spilled(count: number): void;
}

/** @param destination for people: a path, or `stdout` */
export function createRecordTelemetry(log: Logger, destination: string): RecordTelemetry {
  return {
    writeFailed(error) {
      log.error({ err: error, destination }, 'records cannot be written, trying again');
    },
    writeRecovered() {
      log.info({ destination }, 'records are written again');
    },
    spilled(count) {
      log.error({ destination, count }, 'records went to stderr, their destination took none');
    },
  };
}

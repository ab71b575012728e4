import { pino } from 'pino';
import type { Session } from '../domain/session.ts';
import { createSessionRecord } from '../domain/session-record.ts';
import type { RecordQueue } from './record-queue.ts';

/** Makes records of finished sessions and puts them in line. */
export interface RecordLog {
  /** `onWritten` hears when the record is on its destination. */
  write(session: Session, onWritten: () => void): void;
}

/**
 * Records as lines of JSON, made by pino: `level`, `time`, then the fields of a `SessionRecord`.
 *
 * @param wallOffsetMs what to add to the tracker's time to get Unix time in ms
 */
export function createRecordLog(queue: RecordQueue, wallOffsetMs: () => number): RecordLog {
  let lastLine = '';
  const log = pino(
    {
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      // pino calls this before `info` returns, with the line as it is to be written.
      write(line: string) {
        lastLine = line;
      },
    },
  );
  return {
    write(session, onWritten) {
      log.info(createSessionRecord(session, wallOffsetMs()));
      queue.push(lastLine, onWritten);
    },
  };
}

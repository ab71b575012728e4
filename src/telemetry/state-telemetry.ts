import type { Logger } from 'pino';

/** What the log says about the state file. */
export interface StateTelemetry {
  restored(sessions: number, savedAt: string): void;
  saveFailed(error: unknown): void;
  saveRecovered(): void;
}

/** @param path of the state file */
export function createStateTelemetry(log: Logger, path: string): StateTelemetry {
  return {
    restored(sessions, savedAt) {
      log.info({ path, sessions, savedAt }, 'sessions of the process before go on');
    },
    saveFailed(error) {
      log.error({ err: error, path }, 'state cannot be saved, a restart would lose it');
    },
    saveRecovered() {
      log.info({ path }, 'state is saved again');
    },
  };
}

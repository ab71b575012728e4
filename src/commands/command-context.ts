import type { Writable } from 'node:stream';
import type { BuildInfo } from '../build-info.ts';
import type { Environment } from '../config/environment.ts';

/** What a command gets from the process it runs in. */
export interface CommandContext {
  readonly env: Environment;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly build: BuildInfo;
  /** Aborted by the first SIGTERM or SIGINT, with its name as the reason. */
  readonly signal: AbortSignal;
  /** Registers what a SIGHUP does; without it a SIGHUP ends the process. */
  readonly onHangUp: (listener: () => void) => void;
  /** Takes a record that its destination does not get: the last resort. */
  readonly spill: (line: Buffer) => void;
}

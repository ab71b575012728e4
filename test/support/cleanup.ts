/** Registers work to be done at the end; vitest's `onTestFinished` is one. */
export type Defer = (undo: () => Promise<void> | void) => void;

export interface Cleanup {
  readonly defer: Defer;
  /** Does the deferred work, last first, all of it even when some fails; then throws the failures. */
  run(): Promise<void>;
}

/** A stack of things to undo, for set-up that many tests of a file share. */
export function createCleanup(): Cleanup {
  const undos: Array<() => Promise<void> | void> = [];
  return {
    defer: (undo) => void undos.push(undo),
    async run() {
      const failures: unknown[] = [];
      for (let undo = undos.pop(); undo !== undefined; undo = undos.pop()) {
        try {
          await undo();
        } catch (failure) {
          failures.push(failure);
        }
      }
      if (failures.length > 0) throw new AggregateError(failures, 'Cleanup failed');
    },
  };
}

import { defineConfig } from 'vitest/config';

/** A safety net, not a measure: a busy machine is no failure. */
const TIMEOUTS = { testTimeout: 60_000, hookTimeout: 60_000 };

export default defineConfig({
  test: {
    // Tests of real programs mostly wait; more of them at once than there are cores is faster.
    maxWorkers: 4,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{unit,contract,replay}/**/*.test.ts'],
          // No module of the project holds state, so the files of a worker share them: most of the
          // time of a unit test used to go into importing.
          isolate: false,
          ...TIMEOUTS,
        },
      },
      {
        test: {
          name: 'programs',
          include: ['test/{abuse,calls,e2e,faults}/**/*.test.ts'],
          ...TIMEOUTS,
        },
      },
    ],
  },
});

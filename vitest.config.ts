import { defineConfig } from 'vitest/config';
import { isKept, VersionReporter } from './test/support/measured.ts';

/** A safety net, not a measure: a busy machine is no failure. */
const TIMEOUTS = { testTimeout: 60_000, hookTimeout: 60_000 };

const ALONE = ['test/abuse/**/*.test.ts', 'test/faults/{state-file,stop-with-many}.fault.test.ts'];

export default defineConfig({
  test: {
    // Tests of real programs mostly wait; more of them at once than there are cores is faster.
    maxWorkers: 4,
    reporters: isKept ? ['default', new VersionReporter()] : ['default'],
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
          include: ['test/{calls,e2e,faults}/**/*.test.ts'],
          exclude: ALONE,
          sequence: { groupOrder: 1 },
          ...TIMEOUTS,
        },
      },
      {
        test: {
          name: 'alone',
          include: ALONE,
          // They hold a program to bounds in seconds, which others would take from it.
          sequence: { groupOrder: 2 },
          maxWorkers: 1,
          ...TIMEOUTS,
        },
      },
    ],
  },
});

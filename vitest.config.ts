import { defineConfig } from 'vitest/config';
import { isKept, VersionReporter } from './test/support/measured.ts';

const EVERY_PROJECT = {
  // A safety net, not a measure: a busy machine is no failure.
  testTimeout: 60_000,
  hookTimeout: 60_000,
  // No module of the project holds state of a test, so the files of a worker share them: importing
  // used to take most of the time of a unit test.
  isolate: false,
};

const ALONE = [
  'test/abuse/{http,start,statsdb}.abuse.test.ts',
  'test/faults/stop-with-many.fault.test.ts',
];

export default defineConfig({
  test: {
    // Tests of real programs mostly wait; more of them at once than there are cores is faster.
    maxWorkers: 5,
    reporters: isKept ? ['default', new VersionReporter()] : ['default'],
    projects: [
      // In one group, in the order of their names: the units fill what the programs leave idle.
      {
        test: {
          name: 'programs',
          include: ['test/{abuse,calls,e2e,faults}/**/*.test.ts'],
          exclude: ALONE,
          ...EVERY_PROJECT,
        },
      },
      {
        test: {
          name: 'unit',
          include: ['test/{unit,contract,replay}/**/*.test.ts'],
          ...EVERY_PROJECT,
        },
      },
      {
        test: {
          name: 'alone',
          include: ALONE,
          // They hold a program to bounds in seconds, which others would take from it.
          sequence: { groupOrder: 1 },
          maxWorkers: 1,
          ...EVERY_PROJECT,
        },
      },
    ],
  },
});

import { defineConfig } from 'vitest/config';
import { EXECUTABLE } from './executable.ts';

/** Tests of what is shipped. They take minutes, and are no part of `npm test`. */
export default defineConfig({
  test: {
    include: ['test/package/**/*.package.test.ts', 'test/e2e/{statsdb-,}relay.e2e.test.ts'],
    // The relay tests are those of npm test, which runs them with the bundled script.
    env: { TEST_PROGRAM: process.env['TEST_PROGRAM'] ?? EXECUTABLE },
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
  },
});

import { defineConfig } from 'vitest/config';

/** Tests of what is shipped. They take minutes, and are no part of `npm test`. */
export default defineConfig({
  test: {
    include: ['test/package/**/*.package.test.ts', 'test/e2e/{statsdb-,}relay.e2e.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
  },
});

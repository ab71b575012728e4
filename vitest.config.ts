import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    // End-to-end tests mostly wait for servers; more of them at once than there are cores is faster.
    maxWorkers: 4,
  },
});

import { defineConfig } from 'vitest/config';

/** Unit and contract tests run once; the end-to-end suite runs once per way to run Darkroom. */
export default defineConfig({
  // Vite would take graphql's ESM build and Node gives its libraries the CommonJS one; two copies do not know each other's errors and types.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/e2e/**'] } },
      { extends: true, test: { name: 'embedded', include: ['test/e2e/**/*.test.ts'], env: { DARKROOM_TEST: 'embedded' } } },
      { extends: true, test: { name: 'redis', include: ['test/e2e/**/*.test.ts'], env: { DARKROOM_TEST: 'redis' } } },
    ],
  },
});

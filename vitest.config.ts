import { defineConfig } from 'vitest/config';

/** The end-to-end suite runs once for each way to run Darkroom; everything else runs once. */
const waysToRun = ['embedded', 'redis', 'postgres'] as const;

export default defineConfig({
  // Vite would take graphql's ESM build and Node gives its libraries the CommonJS one; two copies do not know each other's errors and types.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/e2e/**'] } },
      ...waysToRun.map((way) => ({ extends: true as const, test: { name: way, include: ['test/e2e/**/*.test.ts'], globalSetup: [`test/setup/${way}.ts`] } })),
    ],
  },
});

import { defineConfig } from 'vitest/config';

/** The end-to-end suite runs once for each way to run Darkroom; everything else runs once. */
const waysToRun = ['embedded', 'redis', 'postgres'] as const;
/** Suites about neither queue, events nor limits: Redis in place of memory is nothing to them. The first five are, and meet Redis beside Postgres. */
const notAboutRedis = ['cancel', 'crash', 'jobs', 'jobs-many', 'overlap', 'archives', 'azure', 'clone-voice', 'generate', 'model-3d', 'public', 'remove-background', 'renditions', 'search', 'storage-s3', 'uploads-direct', 'vectors', 'webhooks'];
/** Suites whose SQL is that of others, and whose time goes into pixels. */
const notAboutPostgres = ['archives', 'azure', 'clone-voice', 'generate', 'model-3d', 'remove-background', 'renditions'];
const leftOutOf = { embedded: [], redis: notAboutRedis, postgres: notAboutPostgres };

export default defineConfig({
  // Vite would take graphql's ESM build and Node gives its libraries the CommonJS one; two copies do not know each other's errors and types.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // A file leaves nothing behind in a module, so what it needs is loaded once for each worker and not for each file.
    isolate: false,
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/e2e/**'] } },
      ...waysToRun.map((way) => ({ extends: true as const, test: { name: way, include: ['test/e2e/**/*.test.ts'], exclude: leftOutOf[way].map((name) => `test/e2e/${name}.test.ts`), globalSetup: [`test/setup/${way}.ts`] } })),
    ],
  },
});

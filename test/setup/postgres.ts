import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startPostgres } from '../../bin/services/postgres.ts';
import { startRedis } from '../../bin/services/redis.ts';

/** Postgres and Redis: what a production system runs on. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = await mkdtemp(join(tmpdir(), 'darkroom-services-'));
  const redis = await startRedis({ dir: join(dir, 'redis'), appendonly: true });
  const postgres = await startPostgres({ dir: join(dir, 'postgres') });
  project.provide('settings', { REDIS_URL: redis.url });
  project.provide('template', null);
  project.provide('postgresUrl', postgres.url);
  return async () => {
    await postgres.stop();
    await redis.stop();
    await rm(dir, { recursive: true, force: true });
  };
}

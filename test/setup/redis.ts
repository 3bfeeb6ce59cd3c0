import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startRedis } from '../../bin/services/redis.ts';
import { createTemplate } from './embedded.ts';

/** PGlite, with Bee-Queue and events on a Redis of its own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = await mkdtemp(join(tmpdir(), 'darkroom-redis-'));
  const redis = await startRedis({ dir, appendonly: true });
  const { template, remove } = await createTemplate();
  project.provide('settings', { REDIS_URL: redis.url });
  project.provide('template', template);
  project.provide('postgresUrl', null);
  return async () => {
    await redis.stop();
    await remove();
    await rm(dir, { recursive: true, force: true });
  };
}

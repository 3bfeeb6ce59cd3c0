import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import pg from 'pg';

export interface RunningJob {
  id: string;
  globalId: string;
  /** Writes progress as a worker does, and rings for it. Gives the moment of the ring. */
  advance(): Promise<number>;
  close(): Promise<void>;
}

/** A job that a worker elsewhere runs, seen from its worker: one fenced update, two doorbells. */
export async function startRunningJob({ databaseUrl, redisUrl }: { databaseUrl: string; redisUrl: string }): Promise<RunningJob> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const redis = new Redis(redisUrl);
  const id = randomUUID();
  await client.query(
    `insert into job (id, owner_id, operation, provider, parameters, max_failures, cache_key) values ($1, 'local', 'analyze', 'local', '{}', 3, repeat('0', 64))`, [id]);
  await client.query(`update job set status = 'PROCESSING', attempt = 1, lease_until = now() + interval '1 hour', started_at = now() where id = $1`, [id]);
  let step = 0;
  return {
    id,
    globalId: Buffer.from(`Job:${id}`).toString('base64'),
    async advance() {
      await client.query(`update job set progress = $2, stage = $3 where id = $1 and attempt = 1 and status = 'PROCESSING'`, [id, Math.min(99, ++step), `step ${step}`]);
      const rungAt = performance.now();
      await Promise.all([redis.publish(`darkroom:event:job:${id}`, ''), redis.publish('darkroom:event:viewer:local', '')]);
      return rungAt;
    },
    async close() {
      await redis.quit();
      await client.end();
    },
  };
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { startRedis, type RedisServer } from '../../bin/services/redis.ts';
import { Redis } from '../../src/redis.ts';
import { startTestApp, type TestApp } from '../app.ts';
import { jobsOf } from '../fixtures/job-client.ts';
import { orderedPicture, orderedPictures, orderedTasks } from '../fixtures/ordered-picture.ts';
import { until } from '../until.ts';

describe.skipIf(!inject('settings').REDIS_URL)('jobs while Redis fails', () => {
  let folder: string;
  let redis: RedisServer;
  let darkroom: TestApp;
  let saboteur: Redis;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'darkroom-failing-redis-'));
    redis = await startRedis({ dir: folder });
    darkroom = await startTestApp({ REDIS_URL: redis.url, JOB_CONCURRENCY: '2', COMPUTE_PROCESSES: '3' }, orderedTasks);
    saboteur = new Redis(redis.url);
    saboteur.on('error', () => {});
  });
  afterAll(async () => {
    saboteur.disconnect();
    await darkroom.stop();
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Does harm again and again until the work is done. */
  async function meanwhile<T>(harm: () => Promise<unknown>, everyMs: number, work: () => Promise<T>): Promise<T> {
    const timer = setInterval(() => void harm().catch(() => undefined), everyMs);
    try {
      return await work();
    } finally {
      clearInterval(timer);
    }
  }
  /** The fastest of three, so that a busy machine is not taken for a slow law. */
  async function fastest(work: () => Promise<unknown>): Promise<number> {
    const times: number[] = [];
    for (let round = 0; round < 3; round++) {
      const startedAt = performance.now();
      await work();
      times.push(performance.now() - startedAt);
    }
    return Math.min(...times);
  }

  test('no subscriber misses an event while the connections of all listeners are cut every 60 ms (I16)', async () => {
    const client = await darkroom.client();
    const jobs = jobsOf(client);
    const held = await orderedPictures(8, 'hold');
    const started = await jobs.start(...held);
    let cuts = 0;
    const seen = await meanwhile(async () => { cuts += Number(await saboteur.call('client', 'kill', 'type', 'pubsub')); }, 60, async () => {
      const watched = started.map(async ({ jobId }) => {
        const [states, events] = await Promise.all([
          (async () => { const all = []; for await (const { job } of client.subscribe('subscription ($id: ID!) { job(id: $id) { status } }', { id: jobId })) all.push(job.status); return all; })(),
          jobs.events(jobId),
        ]);
        return { last: states.at(-1), seqs: events.map(({ seq }) => seq), end: events.at(-1).status };
      });
      await until('some cuts', () => cuts > 10 || cuts);
      held.forEach((picture) => picture.letGo());
      return Promise.all(watched);
    });
    for (const { last, seqs, end } of seen) {
      expect([last, end]).toEqual(['COMPLETED', 'COMPLETED']);
      expect(seqs).toEqual(seqs.map((_, index) => index + 1));
    }
  });

  test('what Redis keeps can be lost at any time: jobs end all the same (I10)', async () => {
    const jobs = jobsOf(await darkroom.client());
    const ends = await meanwhile(() => saboteur.flushall(), 20, async () => {
      const started = await jobs.start(...(await orderedPictures(10, 'measure')));
      return Promise.all(started.map(({ jobId }) => jobs.end(jobId)));
    });
    expect(ends.map(({ status }) => status)).toEqual(Array(10).fill('COMPLETED'));
  });

  test('requests succeed within 1.5 s while Redis is frozen', async () => {
    const jobs = jobsOf(await darkroom.client());
    const [image] = await jobs.start(await orderedPicture('measure'));
    await jobs.end(image!.jobId);
    const started: string[] = [];
    process.kill(redis.pid, 'SIGSTOP');
    try {
      expect(await fastest(async () => started.push((await jobs.analyze(image!.imageId, { useCache: false })).id))).toBeLessThan(1_500);
      expect(await fastest(async () => started.push(...(await jobs.start(...(await orderedPictures(5, 'measure')))).map(({ jobId }) => jobId)))).toBeLessThan(1_500);
    } finally {
      process.kill(redis.pid, 'SIGCONT');
    }
    for (const jobId of started) expect((await jobs.end(jobId)).status).toBe('COMPLETED');
  });

  test('uploads and mutations succeed within 1.5 s while Redis is stopped, and the jobs end when it is back (I17)', async () => {
    const jobs = jobsOf(await darkroom.client());
    const [image] = await jobs.start(await orderedPicture('measure'));
    await jobs.end(image!.jobId);
    await redis.stop();
    const started: string[] = [];
    expect(await fastest(async () => started.push((await jobs.analyze(image!.imageId, { useCache: false })).id))).toBeLessThan(1_500);
    expect(await fastest(async () => started.push(...(await jobs.start(...(await orderedPictures(2, 'measure')))).map(({ jobId }) => jobId)))).toBeLessThan(1_500);
    // A worker that was just looking for more work may have taken some without a ring; the rest waits.
    await jobs.cancel(started.pop()!);
    await redis.restart();
    const ends = await Promise.all(started.map((jobId) => jobs.end(jobId)));
    expect(ends.map(({ status, attempts }) => [status, attempts.length])).toEqual(started.map(() => ['COMPLETED', 1]));
  });
});

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startRedis, type RedisServer } from '../bin/services/redis.ts';
import { createLog } from '../src/log.ts';
import { beeQueue } from '../src/queue/bee.ts';
import { memoryQueue } from '../src/queue/memory.ts';
import type { Queue } from '../src/queue/queue.ts';
import { openRedis, type RedisConnections } from '../src/redis.ts';
import { holding, ringMany } from './holding.ts';
import { until } from './until.ts';

const log = createLog('silent');
let folder: string;
let server: RedisServer;
let redis: RedisConnections;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'darkroom-queue-'));
  server = await startRedis({ dir: folder });
  redis = await openRedis(server.url, log);
});
afterAll(async () => {
  await redis?.close();
  await server?.stop();
  await rm(folder, { recursive: true });
});

const siblings: [string, () => Promise<Queue>][] = [
  ['memory', async () => memoryQueue(log)],
  ['redis', () => beeQueue(redis, `test-${randomUUID()}`, log)],
];

describe.each(siblings)('queue: %s', (_name, open) => {
  test('a hundred rings of one nudge are one ring', async () => {
    const queue = await open();
    for (let ring = 0; ring < 100; ring++) await queue.ring({ jobId: 'one', attempt: 1 });
    expect(await queue.depth()).toBe(1);
    const held = holding();
    queue.work(held.handler, 4);
    await until('the nudge to be heard', () => held.heard.length === 1);
    expect(held.heard).toEqual([{ jobId: 'one', attempt: 1 }]);
    expect(await queue.depth()).toBe(0);
    held.open();
    await queue.close(1000);
  });

  test('the nudge of a later attempt is another nudge, also while the earlier one is being handled', async () => {
    const queue = await open();
    const held = holding();
    queue.work(held.handler, 4);
    await queue.ring({ jobId: 'one', attempt: 0 });
    await until('the first attempt to be heard', () => held.running === 1);
    await queue.ring({ jobId: 'one', attempt: 1 });
    await until('the second attempt to be heard', () => held.running === 2);
    expect(held.heard).toEqual([{ jobId: 'one', attempt: 0 }, { jobId: 'one', attempt: 1 }]);
    held.open();
    await queue.close(1000);
  });

  test('a nudge that was handled can be rung again', async () => {
    const queue = await open();
    const held = holding();
    held.open();
    queue.work(held.handler, 1);
    for (let round = 1; round <= 3; round++) {
      await until(`ring ${round} to be heard`, async () => {
        await queue.ring({ jobId: 'again', attempt: 0 });
        return held.heard.length >= round;
      });
    }
    await queue.close(1000);
  });

  test('what was rung before anyone worked is heard', async () => {
    const queue = await open();
    await ringMany(queue, 30);
    expect(await queue.depth()).toBe(30);
    const held = holding();
    held.open();
    queue.work(held.handler, 3);
    await until('thirty nudges to be heard', () => held.heard.length === 30 || held.heard.length);
    expect(new Set(held.heard.map(({ jobId }) => jobId)).size).toBe(30);
    await queue.close(1000);
  });

  test('at most `concurrency` nudges are handled at a time, and as many as that', async () => {
    const queue = await open();
    const held = holding();
    queue.work(held.handler, 5);
    await ringMany(queue, 40);
    await until('five at a time', () => held.running === 5);
    expect(await queue.depth()).toBe(35);
    while (held.heard.length < 40) {
      const before = held.heard.length;
      held.letGo();
      await until('the next ones', () => held.heard.length > before);
    }
    expect(held.most).toBe(5);
    held.open();
    await queue.close(1000);
  });

  test('a handler that rejects against its promise costs its ring and nothing else', async () => {
    const queue = await open();
    const heard: string[] = [];
    queue.work(async ({ jobId }) => {
      heard.push(jobId);
      throw new Error('broken promise');
    }, 1);
    await ringMany(queue, 3);
    await until('all three to be heard', () => heard.length === 3);
    expect(await queue.depth()).toBe(0);
    await queue.close(1000);
  });

  test('close stops listening, waits for what runs, and then refuses rings', async () => {
    const queue = await open();
    const held = holding();
    queue.work(held.handler, 2);
    await ringMany(queue, 5);
    await until('two to run', () => held.running === 2);
    let runningAtTheEnd = -1;
    const closing = queue.close(20_000).then(() => (runningAtTheEnd = held.running));
    for (let answer = 0; answer < 20; answer++) await redis.check();
    expect(runningAtTheEnd).toBe(-1);
    held.letGo();
    await closing;
    expect(runningAtTheEnd).toBe(0);
    expect(held.heard).toHaveLength(2);
    await expect(queue.ring({ jobId: 'late', attempt: 0 })).rejects.toThrow('closed');
  });

  test('close lets go of handlers that take longer, and they may still end', async () => {
    const queue = await open();
    const held = holding();
    queue.work(held.handler, 2);
    await ringMany(queue, 5);
    await until('two to run', () => held.running === 2);
    const start = Date.now();
    await queue.close(100);
    expect(Date.now() - start).toBeLessThan(5_000);
    expect(held.running).toBe(2);
    held.open();
    await until('both to end', () => held.running === 0);
    expect(held.heard).toHaveLength(2);
  });

  test('a queue on which nobody works closes at once', async () => {
    const queue = await open();
    await ringMany(queue, 2);
    await queue.close(5_000);
  });
});

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startRedis, type RedisServer } from '../bin/services/redis.ts';
import { createLog } from '../src/log.ts';
import { beeQueue } from '../src/queue/bee.ts';
import type { Queue } from '../src/queue/queue.ts';
import { openRedis, type RedisConnections } from '../src/redis.ts';
import { holding, ringMany } from './holding.ts';
import { until } from './until.ts';

const log = createLog('silent');
let folder: string;
let server: RedisServer;
let redis: RedisConnections;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'darkroom-queue-redis-'));
  server = await startRedis({ dir: folder, appendonly: true });
  redis = await openRedis(server.url, log);
});
afterAll(async () => {
  await redis?.close();
  await server?.stop();
  await rm(folder, { recursive: true });
});

describe('queue: redis, when Redis fails', () => {
  const healthy = async () => {
    await server.restart();
    await until('the connections to be back', () => redis.isUp());
    await redis.ask((commands) => commands.flushall());
  };

  test('while Redis is down a ring is refused within a second, and so is a count', async () => {
    const queue = await beeQueue(redis, 'down', log);
    await server.kill();
    await until('the outage to be noticed', () => redis.commands.status !== 'ready');
    const start = Date.now();
    await expect(queue.ring({ jobId: 'one', attempt: 0 })).rejects.toThrow('out of reach');
    await expect(queue.depth()).rejects.toThrow('out of reach');
    expect(Date.now() - start).toBeLessThan(1_500);
    await queue.close(100);
    await healthy();
  });

  test('while Redis is frozen a ring is refused within a second', async () => {
    const queue = await beeQueue(redis, 'frozen', log);
    process.kill(server.pid, 'SIGSTOP');
    try {
      const start = Date.now();
      await expect(queue.ring({ jobId: 'one', attempt: 0 })).rejects.toThrow('within 1000 ms');
      expect(Date.now() - start).toBeLessThan(2_500);
    } finally {
      process.kill(server.pid, 'SIGCONT');
    }
    await queue.close(100);
    await healthy();
  });

  /** I11: the same process, without a restart of its own. */
  async function expectFullStrength(queue: Queue, held: ReturnType<typeof holding>) {
    const name = randomUUID();
    await until('a ring to be accepted', () => queue.ring({ jobId: `${name}-0`, attempt: 0 }).then(() => true, (error: Error) => error.message));
    await ringMany(queue, 60, name);
    await until('twenty at a time', () => held.running === 20 || held.running);
    expect(held.most).toBe(20);
    while (new Set(held.heard.filter(({ jobId }) => jobId.startsWith(name)).map(({ jobId }) => jobId)).size < 60) {
      const before = held.heard.length;
      held.letGo();
      await until('the next ones', () => held.heard.length > before);
    }
    held.letGo();
    await until('all to end', () => {
      held.letGo();
      return held.running === 0;
    });
  }

  test('after Redis was killed and restarted, empty or not, the same process rings and works at full strength', async () => {
    const queue = await beeQueue(redis, 'restart', log);
    const held = holding();
    queue.work(held.handler, 20);
    await expectFullStrength(queue, held);
    for (const forget of [false, true]) {
      await server.kill();
      await until('the outage to be noticed', () => redis.commands.status !== 'ready');
      if (forget) await rm(join(folder, 'appendonlydir'), { recursive: true });
      await server.restart();
      await expectFullStrength(queue, held);
    }
    await queue.close(1000);
  });

  test('a Redis that is killed while twenty nudges are being handled costs at most the rings', async () => {
    const queue = await beeQueue(redis, 'midway', log);
    const held = holding();
    queue.work(held.handler, 20);
    await ringMany(queue, 30);
    await until('twenty at a time', () => held.running === 20);
    await server.kill();
    await until('the outage to be noticed', () => redis.commands.status !== 'ready');
    held.letGo();
    await server.restart();
    await until('the handlers to end', () => {
      held.letGo();
      return held.running === 0;
    });
    await expectFullStrength(queue, held);
    await queue.close(1000);
  });

  test('FLUSHALL and SCRIPT FLUSH cost at most the rings that waited', async () => {
    const queue = await beeQueue(redis, 'flush', log);
    const held = holding();
    queue.work(held.handler, 20);
    await ringMany(queue, 40);
    await until('twenty at a time', () => held.running === 20);
    await redis.ask((commands) => commands.flushall());
    await redis.ask((commands) => commands.script('FLUSH'));
    held.letGo();
    await until('the handlers to end', () => held.running === 0 || held.running);
    await expectFullStrength(queue, held);
    await queue.close(1000);
  });

  test('connections that are killed again and again cost no strength', async () => {
    const queue = await beeQueue(redis, 'kills', log);
    const held = holding();
    queue.work(held.handler, 20);
    for (let round = 0; round < 5; round++) {
      const { commands } = redis;
      await until('the kill to be accepted', () => commands.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes').then(() => true, () => false));
      await until('the connections to be back', () => redis.isUp());
    }
    await expectFullStrength(queue, held);
    await queue.close(1000);
  });

  test('a fault that all listeners meet at once costs a second, not days', async () => {
    const queue = await beeQueue(redis, 'fault', log);
    const held = holding();
    queue.work(held.handler, 20);
    await expectFullStrength(queue, held);
    const { commands } = redis;
    await commands.config('RESETSTAT');
    await commands.set('fault:nudges:waiting', 'not a list');
    await commands.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await until('all twenty to meet the fault', async () => Number(/WRONGTYPE:count=(\d+)/.exec(await commands.info('errorstats'))?.[1]) >= 20);
    await commands.del('fault:nudges:waiting');
    await expectFullStrength(queue, held);
    await queue.close(1000);
  });

  test('a first check for stalled nudges that fails does not keep the work from starting', async () => {
    const queue = await beeQueue(redis, 'check', log);
    await redis.commands.set('check:nudges:stalling', 'not a set');
    const held = holding();
    queue.work(held.handler, 20);
    await expectFullStrength(queue, held);
    await queue.close(1000);
  });

  test('what a killed worker had heard and not begun is heard again', async () => {
    const queue = await beeQueue(redis, 'stall', log);
    await queue.ring({ jobId: 'one', attempt: 0 });
    await redis.commands.rpoplpush('stall:nudges:waiting', 'stall:nudges:active');
    const held = holding();
    held.open();
    queue.work(held.handler, 2);
    await until('the nudge to be heard', async () => {
      // The interval between two checks, made short.
      await redis.commands.del('stall:nudges:stallBlock');
      return held.heard.length > 0;
    }, 20_000);
    await queue.close(1000);
  });

  test('a queue whose Redis is down closes in time', async () => {
    const queue = await beeQueue(redis, 'close', log);
    const held = holding();
    queue.work(held.handler, 2);
    await ringMany(queue, 2);
    await until('two to run', () => held.running === 2);
    await server.kill();
    await until('the outage to be noticed', () => redis.commands.status !== 'ready');
    held.open();
    const start = Date.now();
    await queue.close(300);
    expect(Date.now() - start).toBeLessThan(5_000);
    await healthy();
  });
});

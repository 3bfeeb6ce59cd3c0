import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startRedis, type RedisServer } from '../bin/services/redis.ts';
import { memoryEvents, redisEvents, wakeups, type Events } from '../src/events.ts';
import { createLog } from '../src/log.ts';
import { openRedis, type RedisConnections } from '../src/redis.ts';
import { until } from './until.ts';

const log = createLog('silent');
let folder: string;
let server: RedisServer;
let redis: RedisConnections;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'darkroom-events-'));
  server = await startRedis({ dir: folder });
  redis = await openRedis(server.url, log);
});
afterAll(async () => {
  await redis?.close();
  await server?.stop();
  await rm(folder, { recursive: true });
});

const siblings: [string, (prefix?: string) => Events][] = [
  ['memory', () => memoryEvents(log)],
  ['redis', (prefix = `test-${randomUUID()}`) => redisEvents(redis, prefix, log)],
];

/** A listener that counts. */
function counter() {
  const bell = () => void bell.count++;
  bell.count = 0;
  return bell;
}

describe.each(siblings)('events: %s', (name, open) => {
  test('a ring after the subscription is heard, by every listener of that topic and by no other', async () => {
    const events = open();
    const [one, two, other] = [counter(), counter(), counter()];
    await events.subscribe('job:1', one);
    await events.subscribe('job:1', two);
    await events.subscribe('job:11', other);
    await events.publish('job:1');
    await until('both to hear', () => one.count === 1 && two.count === 1);
    await events.publish('job:11');
    await until('the other to hear', () => other.count === 1);
    expect([one.count, two.count]).toEqual([1, 1]);
    await events.close();
  });

  test('of a topic that changes all the time the first ring comes at once and the last one in time; those between come together', async () => {
    const events = open();
    const [bell, other] = [counter(), counter()];
    await events.subscribe('often', bell);
    await events.subscribe('other', other);
    events.publishOften('often');
    await until('the first ring', () => bell.count === 1);
    const startedAt = performance.now();
    let asked = 0;
    while (performance.now() < startedAt + 300) {
      events.publishOften('often');
      asked++;
      await sleep(1);
    }
    events.publishOften('other');
    await until('the other topic, which did not rest', () => other.count === 1);
    const before = bell.count;
    events.publishOften('often');
    await until('the last ring', () => bell.count > before);
    expect(asked).toBeGreaterThan(20);
    expect(bell.count).toBeLessThan(12);
    await events.close();
  });

  test('rings that rest are rung at the end', async () => {
    const events = open('ending');
    const listening = name === 'memory' ? events : open('ending');
    const bell = counter();
    await listening.subscribe('often', bell);
    for (let count = 0; count < 5; count++) events.publishOften('often');
    await events.close();
    await until('the first and the last', () => bell.count === 2);
    await listening.close();
  });

  test('a topic that nobody listens to can be rung', async () => {
    const events = open();
    await expect(events.publish('nobody')).resolves.toBeUndefined();
    await events.close();
  });

  test('one listener subscribed twice hears twice, and each subscription ends alone', async () => {
    const events = open();
    const bell = counter();
    const [endOne, endTwo] = [await events.subscribe('twice', bell), await events.subscribe('twice', bell)];
    await events.publish('twice');
    await until('two calls', () => bell.count === 2);
    await endOne();
    await endOne();
    await events.publish('twice');
    await until('a third call', () => bell.count === 3);
    await endTwo();
    await events.publish('twice');
    const last = counter();
    await events.subscribe('last', last);
    await events.publish('last');
    await until('the last ring', () => last.count === 1);
    expect(bell.count).toBe(3);
    await events.close();
  });

  test('who unsubscribes and subscribes again hears', async () => {
    const events = open();
    for (let round = 0; round < 20; round++) {
      const bell = counter();
      const end = await events.subscribe('churn', bell);
      await events.publish('churn');
      await until('the ring', () => bell.count === 1);
      void end();
    }
    await events.close();
  });

  test('a listener that throws keeps nobody else from hearing, nor itself from the next ring', async () => {
    const events = open();
    const [before, after] = [counter(), counter()];
    let thrown = 0;
    await events.subscribe('throw', before);
    await events.subscribe('throw', () => {
      thrown++;
      throw new Error('a listener at fault');
    });
    await events.subscribe('throw', after);
    await events.publish('throw');
    await events.publish('throw');
    await until('all to hear both', () => before.count === 2 && thrown === 2 && after.count === 2);
    await events.close();
  });

  test('nobody hears anything after close', async () => {
    const events = open();
    const bell = counter();
    await events.subscribe('closed', bell);
    await events.close();
    await events.publish('closed');
    await redis.check();
    expect(bell.count).toBe(0);
  });

  test('a bell that works says so', async () => {
    const events = open();
    await expect(events.check()).resolves.toBeUndefined();
    await events.close();
  });

  test('a reader that listens first, then looks, misses nothing, however the rings fall', async () => {
    const events = open();
    let truth = 0;
    const readers = Array.from({ length: 50 }, async () => {
      let seen = -1;
      for await (const _ of wakeups(events, ['truth'], { pollMs: 60_000 })) {
        seen = truth;
        if (seen === 200) return seen;
      }
      return seen;
    });
    while (truth < 200) {
      truth++;
      await events.publish('truth');
    }
    expect(await Promise.all(readers)).toEqual(Array.from({ length: 50 }, () => 200));
    await events.close();
  });

  test('a stalled reader gets one wake-up for a thousand rings and holds up nobody', async () => {
    const events = open();
    const stalled = wakeups(events, ['busy'], { pollMs: 60_000 });
    await stalled.next();
    const healthy = counter();
    await events.subscribe('busy', healthy);
    for (let ring = 0; ring < 1000; ring++) await events.publish('busy');
    await until('the healthy one to hear all', () => healthy.count === 1000 || healthy.count);
    expect(await stalled.next()).toEqual({ value: undefined, done: false });
    const next = stalled.next();
    await events.publish('other');
    expect(await Promise.race([next, redis.check().then(() => 'nothing more')])).toBe('nothing more');
    await stalled.return();
    expect(await next).toEqual({ value: undefined, done: true });
    await events.close();
  });

  test('without a ring a reader still looks, every poll', async () => {
    const events = open();
    let looks = 0;
    for await (const _ of wakeups(events, ['silent'], { pollMs: 5 })) if (++looks === 5) break;
    expect(looks).toBe(5);
    await events.close();
  });

  test.each(['return', 'abort'])('a reader ends at once by %s while it waits, and leaves no listener', async (how) => {
    const events = open();
    const controller = new AbortController();
    const reader = wakeups(events, ['end'], { pollMs: 60_000, signal: controller.signal });
    await reader.next();
    const waiting = reader.next();
    const start = Date.now();
    if (how === 'abort') controller.abort();
    else await reader.return();
    expect(await waiting).toEqual({ value: undefined, done: true });
    expect(await reader.next()).toEqual({ value: undefined, done: true });
    expect(Date.now() - start).toBeLessThan(1_000);
    expect(await redis.commands.pubsub('CHANNELS', '*end')).toEqual([]);
    await events.close();
  });

  test('a reader whose signal was aborted before, or that is returned before its first look, never subscribes', async () => {
    const events = open();
    expect(await wakeups(events, ['never'], { pollMs: 60_000, signal: AbortSignal.abort() }).next()).toEqual({ value: undefined, done: true });
    const reader = wakeups(events, ['never'], { pollMs: 60_000 });
    await reader.return();
    expect(await reader.next()).toEqual({ value: undefined, done: true });
    await events.close();
  });
});

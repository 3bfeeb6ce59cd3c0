import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startRedis, type RedisServer } from '../bin/services/redis.ts';
import { redisEvents, wakeups, type Events } from '../src/events.ts';
import { createLog } from '../src/log.ts';
import { openRedis, type RedisConnections } from '../src/redis.ts';
import { until } from './until.ts';

const log = createLog('silent');
let folder: string;
let server: RedisServer;
let redis: RedisConnections;
let prefix: string;
let events: Events;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'darkroom-events-redis-'));
  server = await startRedis({ dir: folder });
  redis = await openRedis(server.url, log);
});
beforeEach(async () => {
  await until('the connections to be back', () => redis.check().then(() => redis.subscriber.ping()).then(() => true, () => false));
  prefix = `test-${randomUUID()}`;
  events = redisEvents(redis, prefix, log);
  return () => events.close();
});
afterAll(async () => {
  await redis?.close();
  await server?.stop();
  await rm(folder, { recursive: true });
});

const channels = () => redis.ask((commands) => commands.pubsub('CHANNELS', `${prefix}:*`));
async function outage() {
  await server.kill();
  await until('the outage to be noticed', () => redis.commands.status !== 'ready' && redis.subscriber.status !== 'ready');
}
async function back() {
  await server.restart();
  await until('the connections to be back', () => redis.isUp());
}

describe('events: redis, when Redis fails', () => {
  test('a thousand listeners of one topic are one subscription, and none when all have gone', async () => {
    const ends = await Promise.all(Array.from({ length: 1000 }, () => events.subscribe('one', () => {})));
    expect(await channels()).toEqual([`${prefix}:event:one`]);
    expect(await redis.commands.pubsub('NUMSUB', `${prefix}:event:one`)).toEqual([`${prefix}:event:one`, 1]);
    await Promise.all(ends.map((end) => end()));
    expect(await channels()).toEqual([]);
  });

  test('two processes hear each other', async () => {
    const other = await openRedis(server.url, log);
    const theirs = redisEvents(other, prefix, log);
    let heard = 0;
    await events.subscribe('hello', () => heard++);
    await theirs.publish('hello');
    await until('the ring', () => heard === 1);
    await theirs.close();
    await other.close();
  });

  test('no reader misses the truth while the pub/sub connections are killed again and again', async () => {
    let truth = 0;
    const readers = Array.from({ length: 100 }, async (_, index) => {
      for await (const _wake of wakeups(events, [`truth-${index % 10}`], { pollMs: 600_000 })) if (truth === 20) return;
    });
    const change = () => Promise.all(Array.from({ length: 10 }, (_, topic) => events.publish(`truth-${topic}`)));
    const kill = () => redis.ask((commands) => commands.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
    while (truth < 20) {
      await until('a connection to kill', async () => Number(await kill()) > 0);
      truth++;
      await change();
    }
    await Promise.all(readers);
  });

  test('what was rung during an outage is made good by a resync when Redis is back', async () => {
    let heard = 0;
    let resyncs = 0;
    await events.subscribe('outage', () => heard++);
    const off = events.onResync(() => resyncs++);
    await outage();
    const start = Date.now();
    await events.publish('outage');
    expect(Date.now() - start).toBeLessThan(1_500);
    await expect(events.check()).rejects.toThrow('out of reach');
    expect([heard, resyncs]).toEqual([0, 0]);
    await back();
    await until('the resync', () => (heard === 1 && resyncs === 1) || [heard, resyncs]);
    await events.publish('outage');
    await until('a ring after the outage', () => heard === 2);
    expect(resyncs).toBe(1);
    off();
    await redis.commands.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await until('the next resync', () => heard === 3);
    expect(resyncs).toBe(1);
  });

  test('a subscription made during an outage does not hang and takes force when Redis is back', async () => {
    await outage();
    let heard = 0;
    const start = Date.now();
    const end = await events.subscribe('early', () => heard++);
    expect(Date.now() - start).toBeLessThan(1_500);
    await back();
    await until('the resync', () => heard === 1);
    await events.publish('early');
    await until('a ring after the outage', () => heard === 2);
    await end();
    expect(await channels()).toEqual([]);
  });

  test('a subscription ended during an outage stays ended', async () => {
    let heard = 0;
    const end = await events.subscribe('gone', () => heard++);
    await outage();
    await end();
    await back();
    await events.subscribe('here', () => {});
    expect(await channels()).toEqual([`${prefix}:event:here`]);
    await events.publish('gone');
    expect(heard).toBe(0);
  });

  test('a subscription made while Redis is frozen resolves within a second, and its late force is announced', async () => {
    let heard = 0;
    let looked = false;
    const reader = wakeups(events, ['frozen-reader'], { pollMs: 600_000 });
    process.kill(server.pid, 'SIGSTOP');
    try {
      const first = reader.next().then(() => (looked = true));
      for (let turn = 0; turn < 20; turn++) await setImmediate();
      expect(looked).toBe(false);
      const start = Date.now();
      await Promise.all([events.subscribe('frozen', () => heard++), first]);
      expect(Date.now() - start).toBeLessThan(4_000);
      expect(heard).toBe(0);
    } finally {
      process.kill(server.pid, 'SIGCONT');
    }
    await reader.next();
    await reader.return();
    await until('the announcement', () => heard > 0);
    const before = heard;
    await until('a ring', async () => {
      await events.publish('frozen');
      return heard > before;
    });
  });

  test('a reader that starts during an outage looks at once, and again when Redis is back', async () => {
    await outage();
    const reader = wakeups(events, ['reader'], { pollMs: 600_000 });
    await reader.next();
    const next = reader.next();
    await back();
    expect(await next).toEqual({ value: undefined, done: false });
    await reader.return();
  });

  test('an outage is one line in the log, and so is its end', async () => {
    const lines: string[] = [];
    const listening = createLog('info');
    const remember = (line: string) => void lines.push(line);
    const heard = await openRedis(server.url, Object.assign(Object.create(listening), { warn: remember, info: remember }));
    await outage();
    await until('a few attempts to have failed', () => heard.subscriber.status === 'reconnecting' || heard.subscriber.status);
    await back();
    await until('the end in the log', () => lines.length >= 2 || lines);
    expect(lines).toEqual([expect.stringMatching(/^Redis at 127\.0\.0\.1:\d+ is out of reach/), expect.stringMatching(/is back after \d+ s$/)]);
    await heard.close();
    expect(lines).toHaveLength(2);
  });
});

describe('the connections to Redis', () => {
  test('a Redis that is not there is said with host and port, and without the password', async () => {
    const opening = openRedis(`redis://user:open-sesame@127.0.0.1:1/0`, log, 1_000);
    await expect(opening).rejects.toThrow(/^Expected Redis at 127\.0\.0\.1:1 to answer within 1 s but it did not \(connect ECONNREFUSED/);
    await expect(opening).rejects.not.toThrow('sesame');
  });

  test('after close nothing is left that keeps the process running', async () => {
    const own = await openRedis(server.url, log);
    await own.close();
    await until('both to have ended', () => own.commands.status === 'end' && own.subscriber.status === 'end');
  });
});

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startRedis, type RedisServer } from '../bin/services/redis.ts';
import { memoryRates, redisRates, type Rates } from '../src/rates.ts';
import { openRedis, type RedisConnections } from '../src/redis.ts';
import { memorySeats, redisSeats, type Seats } from '../src/seats.ts';
import { until } from './until.ts';

const lines: string[] = [];
const log = pino({ level: 'debug' }, new Writable({ write: (chunk, _, done) => { lines.push(String(chunk)); done(); } }));
const budget = { name: 'points', points: 10, seconds: 60 };
let folder: string;
let server: RedisServer;
let one: RedisConnections;
let other: RedisConnections;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'darkroom-rates-'));
  server = await startRedis({ dir: folder });
  [one, other] = await Promise.all([openRedis(server.url, log), openRedis(server.url, log)]);
});
afterAll(async () => {
  await Promise.all([one.close(), other.close()]);
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const siblings: [string, () => Rates, () => Seats][] = [
  ['memory', memoryRates, memorySeats],
  ['redis', () => redisRates(one, 'contract', log), () => redisSeats(one, 'contract', log)],
];

describe.each(siblings)('%s', (_name, openRates, openSeats) => {
  test('of many who take at once no more get points than there are', async () => {
    const rates = openRates();
    const key = randomUUID();
    const balances = await Promise.all(Array.from({ length: 25 }, () => rates.take(budget, key, 1)));
    expect(balances.filter(({ isEnough }) => isEnough)).toHaveLength(10);
    expect(await rates.look(budget, key)).toMatchObject({ left: 0 });
    expect(await rates.take(budget, randomUUID(), 10)).toMatchObject({ isEnough: true, left: 0 });
  });

  test('what was refused costs nothing, and points are back when the time is over', async () => {
    const rates = openRates();
    const key = randomUUID();
    const short = { name: 'short', points: 10, seconds: 1 };
    await rates.take(short, key, 4);
    expect(await rates.take(short, key, 7)).toMatchObject({ isEnough: false, left: 6 });
    expect(await rates.take(short, key, 6)).toMatchObject({ isEnough: true, left: 0 });
    const { resetMs } = await rates.look(short, key);
    expect(resetMs).toBeGreaterThan(0);
    expect(resetMs).toBeLessThanOrEqual(1_000);
    await until('the points are back', async () => (await rates.look(short, key)).left === 10);
  });

  test('a seat is free again when it was let go, once however often', async () => {
    const seats = openSeats();
    const key = randomUUID();
    const [first, second] = [await seats.take(key, 2), await seats.take(key, 2)];
    expect(await seats.take(key, 2)).toBeNull();
    expect(await seats.taken(key)).toBe(2);
    first!();
    first!();
    await until('one is free', async () => (await seats.taken(key)) === 1);
    expect(await seats.take(key, 2)).not.toBeNull();
    expect(await seats.take(key, 2)).toBeNull();
    second!();
    await seats.close();
  });
});

test('processes share points and seats through Redis, and a process that closes leaves no seat behind', async () => {
  const key = randomUUID();
  const [rates, theirs] = [redisRates(one, 'shared', log), redisRates(other, 'shared', log)];
  await rates.take(budget, key, 6);
  expect(await theirs.take(budget, key, 6)).toMatchObject({ isEnough: false, left: 4 });
  const [seats, others] = [redisSeats(one, 'shared', log), redisSeats(other, 'shared', log)];
  await seats.take(key, 1);
  expect(await others.take(key, 1)).toBeNull();
  await seats.close();
  expect(await others.take(key, 1)).not.toBeNull();
  await others.close();
});

test('while Redis is silent nobody is locked out and nobody has no limit, and the log says so once', async () => {
  const key = randomUUID();
  const rates = redisRates(one, 'outage', log);
  const seats = redisSeats(one, 'outage', log);
  await rates.take(budget, key, 1);
  lines.length = 0;
  process.kill(server.pid, 'SIGSTOP');
  try {
    const balances = await Promise.all(Array.from({ length: 25 }, () => rates.take(budget, key, 1)));
    expect(balances.filter(({ isEnough }) => isEnough)).toHaveLength(10);
    expect(await seats.take(key, 1)).not.toBeNull();
    expect(await seats.take(key, 1)).toBeNull();
    expect(lines.filter((line) => line.includes('this process counts limits by itself'))).toHaveLength(1);
  } finally {
    process.kill(server.pid, 'SIGCONT');
  }
  await until('Redis counts again', async () => {
    await rates.look(budget, key);
    return lines.some((line) => line.includes('counted in Redis again'));
  });
  await seats.close();
});

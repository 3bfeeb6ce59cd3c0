import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startRedis } from '../bin/services/redis.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'darkroom-redis-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('an append-only Redis still has its keys after a kill and a restart on the same port', async () => {
  const server = await startRedis({ dir: join(dir, 'kept'), appendonly: true });
  const first = server.pid;
  const redis = new Redis(server.url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
  redis.on('error', () => {});
  await redis.set('name', 'darkroom');
  await server.kill();
  expect(isAlive(first)).toBe(false);
  await server.restart();
  expect(server.pid).not.toBe(first);
  expect(await redis.get('name')).toBe('darkroom');
  redis.disconnect();
  await server.stop();
  expect(isAlive(server.pid)).toBe(false);
});

test.runIf(process.platform === 'linux')('a Redis ends with the process that started it, even when that is killed', async () => {
  const module = new URL('../bin/services/redis.ts', import.meta.url).href;
  const program = `const { startRedis } = await import('${module}'); const server = await startRedis({ dir: '${join(dir, 'orphan')}' }); console.log(server.pid); setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  expect(isAlive(pid)).toBe(true);
  parent.kill('SIGKILL');
  const deadline = Date.now() + 5000;
  while (isAlive(pid) && Date.now() < deadline) await wait(20);
  expect(isAlive(pid)).toBe(false);
});

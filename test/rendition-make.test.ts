import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRenditionMaker, type MakeRendition } from '../src/assets/make-rendition.ts';
import { openRenditionCache, type RenditionCache } from '../src/assets/rendition-cache.ts';
import { createCompute, type Compute } from '../src/compute/pool.ts';
import type { Recipe } from '../src/compute/render.ts';
import { readConfig } from '../src/config.ts';
import { createLog } from '../src/log.ts';
import { diskStorage } from '../src/storage/disk.ts';
import { until } from './until.ts';

const log = createLog('silent');
const recipe: Recipe = { crop: null, width: 30, height: 20, fit: 'fill', format: 'PNG', quality: 80 };
const here = () => new AbortController().signal;
let root: string;
let cache: RenditionCache;
let compute: Compute;
let make: MakeRendition;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'darkroom-make-'));
  const storage = await diskStorage({ root: join(root, 'objects'), publicUrl: () => 'http://here', secret: 'unused' });
  const bytes = await sharp({ create: { width: 300, height: 200, channels: 3, background: 'teal' } }).jpeg().toBuffer();
  for (const key of ['originals/one', 'originals/two', 'originals/three']) await storage.put(key, bytes, { byteSize: bytes.length, contentType: 'image/jpeg' });
  await storage.put('originals/broken', Buffer.from('no image'), { byteSize: 8, contentType: 'image/jpeg' });
  cache = await openRenditionCache({ folder: join(root, 'cache'), maxBytes: 1e9, knownImages: async (ids) => ids, log });
  compute = createCompute({ processes: 1, memoryLimitBytes: 1e9, log, tasksUrl: new URL('./fixtures/rendition-tasks.ts', import.meta.url).href });
  make = createRenditionMaker({ compute, storage, config: readConfig({ COMPUTE_PROCESSES: '1' }) }, cache);
});
afterEach(async () => {
  await compute.close();
  await cache.close();
  await rm(root, { recursive: true });
});

const hold = join('cache', '.hold');
const holdBack = () => writeFileSync(join(root, hold), '');
const letGo = () => rmSync(join(root, hold));
const renders = () => {
  const file = join(root, 'cache', '.renders');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
};

test('fifty who ask for one rendition at the same time have it made once', async () => {
  await Promise.all(Array.from({ length: 50 }, () => make('a.jpg', 'originals/one', recipe, here())));
  expect(renders()).toHaveLength(1);
  expect((await cache.find('a.jpg'))?.byteSize).toBeGreaterThan(0);
  expect(readdirSync(cache.work)).toEqual([]);
});

test('no more are under way than compute has processes, and what nobody waits for any more is not begun', async () => {
  holdBack();
  const left = new AbortController();
  const first = make('a.jpg', 'originals/one', recipe, here());
  const leaver = make('b.jpg', 'originals/two', { ...recipe, width: 40 }, left.signal);
  const stayer = make('c.jpg', 'originals/three', { ...recipe, width: 50 }, here());
  const shared = [make('d.jpg', 'originals/three', { ...recipe, width: 60 }, left.signal), make('d.jpg', 'originals/three', { ...recipe, width: 60 }, here())] as const;
  await until('the first to be under way', () => renders().length === 1);
  left.abort();
  await expect(leaver).rejects.toThrow(/aborted/);
  await expect(shared[0]).rejects.toThrow(/aborted/);
  letGo();
  await Promise.all([first, stayer, shared[1]]);
  expect(renders().map((line) => line.split(' ')[1])).toEqual(['30', '50', '60']);
  expect(await cache.find('b.jpg')).toBeNull();
});

test('who comes after those who left gets it all the same', async () => {
  holdBack();
  const left = new AbortController();
  const first = make('a.jpg', 'originals/one', recipe, here());
  const leaver = make('b.jpg', 'originals/two', recipe, left.signal);
  left.abort();
  await expect(leaver).rejects.toThrow(/aborted/);
  const comer = make('b.jpg', 'originals/two', recipe, here());
  letGo();
  await Promise.all([first, comer]);
  expect(await cache.find('b.jpg')).not.toBeNull();
});

test('a failure reaches everybody who waits, leaves nothing behind, and stops nobody after it', async () => {
  const failed = await Promise.allSettled([make('a.jpg', 'originals/broken', recipe, here()), make('a.jpg', 'originals/broken', recipe, here())]);
  expect(failed.map((one) => one.status === 'rejected' && one.reason.code)).toEqual(['UNSUPPORTED_TYPE', 'UNSUPPORTED_TYPE']);
  await expect(make('n.jpg', 'originals/none', recipe, here())).rejects.toThrow('No object under originals/none');
  expect(readdirSync(cache.work)).toEqual([]);
  await make('a.jpg', 'originals/one', recipe, here());
  expect(await cache.find('a.jpg')).not.toBeNull();
});

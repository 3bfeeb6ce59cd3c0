import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { openRenditionCache, type RenditionCache } from '../src/assets/rendition-cache.ts';
import { createLog } from '../src/log.ts';
import { until } from './until.ts';

let folder: string;
let deleted: Set<string>;
const opened: RenditionCache[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'darkroom-renditions-'));
  deleted = new Set();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((cache) => cache.close()));
  await rm(folder, { recursive: true });
});

async function openCache(maxBytes = 10_000): Promise<RenditionCache> {
  const cache = await openRenditionCache({ folder, maxBytes, knownImages: async (ids) => ids.filter((id) => !deleted.has(id)), log: createLog('silent') });
  opened.push(cache);
  await cache.tidy();
  return cache;
}
const keep = (cache: RenditionCache, name: string, byteSize = 1000) => cache.keep(name, (path) => writeFile(path, 'x'.repeat(byteSize)));
const pathOf = (name: string) => join(folder, name.slice(0, 2), name);
const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000);
const textOf = async (bytes: Readable | Uint8Array) => (bytes instanceof Uint8Array ? Buffer.from(bytes).toString() : text(bytes));
const files = () => readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map(({ name }) => name).sort();

test('what is kept is found, whole or in part, also by a process that starts later', async () => {
  const cache = await openCache(1e6);
  const later = await openCache(1e6);
  for (const [name, byteSize] of [['aa.small.jpg', 1000], ['aa.large.jpg', 200_000]] as const) {
    await cache.keep(name, (path) => writeFile(path, '0123456789'.repeat(byteSize / 10)));
    const file = await later.find(name);
    expect(file?.byteSize).toBe(byteSize);
    expect(await textOf(await file!.read())).toBe('0123456789'.repeat(byteSize / 10));
    expect(await textOf(await file!.read({ start: 13, end: 22 }))).toBe('3456789012');
  }
  expect(await later.find('aa.none.jpg')).toBeNull();
});

test('what could not be made whole leaves nothing', async () => {
  const cache = await openCache();
  await expect(cache.keep('aa.one.jpg', async (path) => {
    await writeFile(path, 'half');
    throw new Error('the child was killed');
  })).rejects.toThrow('the child was killed');
  expect(await cache.find('aa.one.jpg')).toBeNull();
  expect(files()).toEqual([]);
});

test('what a power cut emptied is not there', async () => {
  const cache = await openCache();
  await keep(cache, 'aa.one.jpg', 0);
  expect(await cache.find('aa.one.jpg')).toBeNull();
});

test('above its limit the cache loses what was not used for the longest time', async () => {
  const cache = await openCache();
  for (let index = 0; index < 9; index++) {
    await keep(cache, `a${index}.jpg`);
    await utimes(pathOf(`a${index}.jpg`), ago(100 - index), ago(100 - index));
  }
  await cache.tidy();
  expect(files()).toHaveLength(9);
  await cache.find('a0.jpg'); // the oldest, but used now
  await keep(cache, 'b0.jpg');
  await cache.tidy();
  expect(files()).toEqual(['a0.jpg', 'a3.jpg', 'a4.jpg', 'a5.jpg', 'a6.jpg', 'a7.jpg', 'a8.jpg', 'b0.jpg']);
});

test('the limit holds without anybody asking for a tidying', async () => {
  const cache = await openCache();
  for (let index = 0; index < 100; index++) {
    await keep(cache, `${index}.a.jpg`);
    await until('the limit to hold', () => files().length <= 10 || files().length);
  }
  expect(files().length).toBeGreaterThan(4);
});

test('what is kept while a tidying is under way is counted by another, which comes by itself', async () => {
  let meanwhile = async () => {};
  const cache = await openRenditionCache({ folder, maxBytes: 10_000, knownImages: async (ids) => (await meanwhile(), ids), log: createLog('silent') });
  opened.push(cache);
  for (let index = 0; index < 8; index++) await keep(cache, `a${index}.jpg`);
  await cache.tidy();
  meanwhile = async () => {
    meanwhile = async () => {};
    for (let index = 0; index < 4; index++) await keep(cache, `z${index}.jpg`);
  };
  await cache.tidy();
  await until('the limit to hold', () => files().length <= 10 || files().length);
});

test('what is left of a deleted image goes with the next tidying', async () => {
  const cache = await openCache();
  for (const name of ['aa.one.jpg', 'aa.two.jpg', 'ab.one.jpg']) await keep(cache, name);
  deleted.add('aa');
  await cache.tidy();
  expect(files()).toEqual(['ab.one.jpg']);
});

test('what a crash left half-made goes, and what somebody is making now stays', async () => {
  const cache = await openCache();
  const [old, fresh] = [join(cache.work, 'old'), join(cache.work, 'fresh')];
  await writeFile(old, 'half');
  await writeFile(fresh, 'half');
  await utimes(old, ago(61), ago(61));
  await openCache();
  expect([existsSync(old), existsSync(fresh)]).toEqual([false, true]);
});

test('what is read often needs no file, and its use still counts', async () => {
  const cache = await openCache(1e6);
  await keep(cache, 'aa.one.jpg');
  await cache.find('aa.one.jpg');
  await rm(pathOf('aa.one.jpg'));
  expect(await textOf(await (await cache.find('aa.one.jpg'))!.read({ start: 0, end: 2 }))).toBe('xxx');

  await keep(cache, 'aa.two.jpg');
  await cache.find('aa.two.jpg');
  await utimes(pathOf('aa.two.jpg'), ago(100), ago(100));
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 });
  onTestFinished(() => void vi.useRealTimers());
  await cache.find('aa.one.jpg');
  await cache.find('aa.two.jpg');
  expect((await stat(pathOf('aa.two.jpg'))).mtimeMs).toBeGreaterThan(Date.now() - 10_000);
});

test('memory holds 16 MB of them, those that were used last', async () => {
  const cache = await openCache(1e9);
  const names = Array.from({ length: 161 }, (_, index) => `aa.${index}.jpg`);
  for (const name of names) {
    await keep(cache, name, 100_000);
    await cache.find(name);
  }
  await rm(join(folder, 'aa'), { recursive: true });
  const found = await Promise.all(names.map((name) => cache.find(name)));
  expect(found.map((file) => file !== null)).toEqual([false, ...Array.from({ length: 160 }, () => true)]);
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { diskStorage } from '../src/storage/disk.ts';
import { ObjectMissing } from '../src/storage/storage.ts';
import { bytesFor } from './fixtures/put-forever.ts';
import { badKeys } from './storage-contract.ts';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'darkroom-disk-'))));
afterAll(() => rm(folder, { recursive: true }));

const open = (name: string) => diskStorage({ root: join(folder, name), publicUrl: () => 'http://localhost', secret: 'unused' });
const everything = async () => (await readdir(folder, { recursive: true })).sort();

describe('storage: disk', () => {
  test('an object is a plain file with exactly its bytes', async () => {
    const storage = await open('plain');
    await storage.put('originals/one', Buffer.from('bytes'), { byteSize: 5, contentType: 'image/png' });
    expect(await readFile(join(folder, 'plain/originals/one/image%2Fpng'), 'utf8')).toBe('bytes');
    expect(await storage.pathOf!('originals/one')).toBe(join(folder, 'plain/originals/one/image%2Fpng'));
    await storage.delete(['originals/one']);
    await expect(storage.pathOf!('originals/one')).rejects.toThrow(ObjectMissing);
    expect(await readdir(join(folder, 'plain/originals'))).toEqual([]);
  });

  test('a delete leaves no empty folder, in whatever order the keys come', async () => {
    const storage = await open('pieces');
    const pieces = ['uploads/one/0-5', 'uploads/one/5-10'];
    const put = (keys: string[]) => Promise.all(keys.map((key) => storage.put(key, Buffer.from('bytes'), { byteSize: 5, contentType: 'image/png' })));
    await put([...pieces, 'uploads/two/0-5']);
    await storage.delete(['uploads/one', ...pieces]);
    expect(await readdir(join(folder, 'pieces/uploads'))).toEqual(['two']);
    await storage.delete(['uploads/two/0-5', 'uploads/two']);
    expect(await readdir(join(folder, 'pieces/uploads'))).toEqual([]);
    await put(['uploads/three', 'uploads/three/0-5']);
    await storage.delete(['uploads/three/0-5']);
    expect((await storage.stat('uploads/three'))?.byteSize).toBe(5);
  });

  test('the root may be a relative path', async () => {
    const storage = await diskStorage({ root: relative(process.cwd(), join(folder, 'relative')), publicUrl: () => 'http://localhost', secret: 'unused' });
    await storage.put('a/b/c', Buffer.from('bytes'), { byteSize: 5, contentType: 'image/png' });
    expect(await buffer(await storage.get('a/b/c'))).toEqual(Buffer.from('bytes'));
  });

  test('no bad key makes anything, inside the root or out of it', async () => {
    const storage = await open('bad');
    const before = await everything();
    for (const key of badKeys) {
      await expect(storage.put(key, Buffer.from('x'), { byteSize: 1, contentType: 'image/png' })).rejects.toThrow('Expected a key');
      await expect(storage.delete([key])).rejects.toThrow('Expected a key');
    }
    expect(await everything()).toEqual(before);
  });

  test('a refused put leaves no temporary file', async () => {
    const storage = await open('refused');
    for (const byteSize of [4, 6]) await expect(storage.put('a', Buffer.from('bytes'), { byteSize, contentType: 'image/png' })).rejects.toThrow('bytes for a');
    expect(await readdir(join(folder, 'refused/.incoming'))).toEqual([]);
  });

  test('opening removes what a crash left, and spares what somebody is writing now', async () => {
    await open('crash');
    const [left, fresh] = [join(folder, 'crash/.incoming/left'), join(folder, 'crash/.incoming/fresh')];
    for (const path of [left, fresh]) await writeFile(path, 'half a pict');
    const twoHoursAgo = new Date(Date.now() - 7_200_000);
    await utimes(left, twoHoursAgo, twoHoursAgo);
    await open('crash');
    expect(await readdir(join(folder, 'crash/.incoming'))).toEqual(['fresh']);
  });

  test('of several types of one object the newest counts, and all go with it', async () => {
    const storage = await open('types');
    await mkdir(join(folder, 'types/a'), { recursive: true });
    for (const [name, seconds] of [['image%2Fpng', 1000], ['image%2Fwebp', 2000], ['image%2Favif', 1500]] as const) {
      await writeFile(join(folder, 'types/a', name), name);
      await utimes(join(folder, 'types/a', name), seconds, seconds);
    }
    expect(await storage.stat('a')).toEqual({ byteSize: 12, contentType: 'image/webp' });
    expect((await buffer(await storage.get('a'))).toString()).toBe('image%2Fwebp');
    await storage.delete(['a']);
    expect(await storage.stat('a')).toBeNull();
    expect(await readdir(join(folder, 'types'))).toEqual(['.incoming']);
  });

  test('a store whose folder is gone says so', async () => {
    const storage = await open('gone');
    await rm(join(folder, 'gone'), { recursive: true });
    await expect(storage.check()).rejects.toThrow('ENOENT');
  });

  test('whenever a writer is killed, every object is whole and every acknowledged one is there', async () => {
    const root = join(folder, 'killed');
    const acknowledged = new Set<string>();
    for (let round = 0; round < 5; round++) {
      const child = spawn(process.execPath, ['--import', 'tsx', join(import.meta.dirname, 'fixtures/put-forever.ts'), root], { stdio: ['ignore', 'pipe', 'inherit'] });
      const enough = acknowledged.size + 5 + round * 3;
      for await (const key of createInterface({ input: child.stdout })) {
        acknowledged.add(key);
        if (acknowledged.size >= enough && !child.killed) setTimeout(() => child.kill('SIGKILL'), round);
      }
      if (child.signalCode === null) await once(child, 'exit');
      expect(child.signalCode).toBe('SIGKILL');
    }
    const storage = await open('killed');
    const listed: string[] = [];
    for await (const key of storage.list('')) listed.push(key);
    expect(listed).toEqual(expect.arrayContaining([...acknowledged]));
    for (const key of listed) {
      expect((await buffer(await storage.get(key))).equals(bytesFor(key))).toBe(true);
      expect((await storage.stat(key))?.contentType).toMatch(/^image\/(png|webp)$/);
    }
    expect((await stat(root)).isDirectory()).toBe(true);
  });
});

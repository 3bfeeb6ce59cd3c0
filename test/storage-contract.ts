import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ObjectMissing, type Storage } from '../src/storage/storage.ts';

/** Keys that we never make: none of them may reach the store. */
export const badKeys = [
  '../../etc/passwd', '/etc/passwd', 'a/../../b', 'a/..', '..', '.', './a', 'a\\..\\b', '..%2f..%2fetc', 'a%2fb', 'a\0b', 'C:\\x', 'a//b', 'a/', '.env',
  'a/.env', '', ' ', 'a b', 'a\nb', `a\u202egnp.exe`, 'ключ', 'k'.repeat(600), '.incoming/x', 'a?b', 'a#b', 'a:b',
];

/** What every storage promises, whoever it is. */
export function describeStorage(name: string, open: () => Promise<{ storage: Storage; close(): Promise<void> }>): void {
  describe(`storage: ${name}`, () => {
    let storage: Storage;
    let close: () => Promise<void>;
    let folder: string;
    beforeAll(async () => {
      ({ storage, close } = await open());
      folder = await mkdtemp(join(tmpdir(), 'darkroom-download-'));
    });
    afterAll(async () => {
      await close();
      await rm(folder, { recursive: true });
    });

    const png = (bytes: Uint8Array) => ({ byteSize: bytes.length, contentType: 'image/png' });
    const newKey = () => `processed/${randomUUID()}`;
    async function listed(prefix: string) {
      const keys: string[] = [];
      for await (const key of storage.list(prefix)) keys.push(key);
      return keys.sort();
    }
    async function stored(bytes: Uint8Array = randomBytes(1000)) {
      const key = newKey();
      await storage.put(key, bytes, png(bytes));
      return { key, bytes };
    }

    test('what was put comes back byte for byte, with its size and type', async () => {
      const { key, bytes } = await stored();
      expect(await buffer(await storage.get(key))).toEqual(bytes);
      expect(await storage.stat(key)).toEqual({ byteSize: 1000, contentType: 'image/png' });
    });

    test('a stream of several megabytes is stored as it comes', async () => {
      const parts = Array.from({ length: 50 }, () => randomBytes(100_000));
      const key = newKey();
      await storage.put(key, Readable.from(parts), { byteSize: 5_000_000, contentType: 'model/gltf-binary' });
      expect((await buffer(await storage.get(key))).equals(Buffer.concat(parts))).toBe(true);
      expect(await storage.stat(key)).toEqual({ byteSize: 5_000_000, contentType: 'model/gltf-binary' });
    });

    test('a local file is stored as it is, and stays', async () => {
      const bytes = randomBytes(300_000);
      const path = join(folder, 'local');
      await writeFile(path, bytes);
      const key = newKey();
      await storage.upload(key, path, png(bytes));
      await writeFile(path, 'other words');
      expect((await buffer(await storage.get(key))).equals(bytes)).toBe(true);
      expect(await storage.stat(key)).toEqual({ byteSize: 300_000, contentType: 'image/png' });
      await expect(storage.upload(newKey(), join(folder, 'nothing'), png(bytes))).rejects.toThrow('ENOENT');
    });

    test('an object may be empty', async () => {
      const { key } = await stored(new Uint8Array());
      expect(await buffer(await storage.get(key))).toHaveLength(0);
      expect((await storage.stat(key))?.byteSize).toBe(0);
    });

    test('a range includes both its ends', async () => {
      const { key, bytes } = await stored();
      expect(await buffer(await storage.get(key, { start: 0, end: 0 }))).toEqual(bytes.subarray(0, 1));
      expect(await buffer(await storage.get(key, { start: 10, end: 19 }))).toEqual(bytes.subarray(10, 20));
      expect(await buffer(await storage.get(key, { start: 990, end: 999 }))).toEqual(bytes.subarray(990));
    });

    test('what is not there is said before the first byte', async () => {
      await expect(storage.get(newKey())).rejects.toBeInstanceOf(ObjectMissing);
      await expect(storage.get(newKey(), { start: 0, end: 1 })).rejects.toBeInstanceOf(ObjectMissing);
      await expect(storage.download(newKey(), join(folder, 'missing'))).rejects.toBeInstanceOf(ObjectMissing);
      expect(await storage.stat(newKey())).toBeNull();
    });

    test.each([['fewer', 999], ['more', 1001]])('%s bytes than announced are refused, and nothing is left', async (_word, announced) => {
      const path = join(folder, `${announced}`);
      await writeFile(path, randomBytes(1000));
      const info = { byteSize: announced, contentType: 'image/png' };
      for (const body of [randomBytes(1000), Readable.from([randomBytes(500), randomBytes(500)]), path]) {
        const key = newKey();
        const stored = typeof body === 'string' ? storage.upload(key, body, info) : storage.put(key, body, info);
        await expect(stored).rejects.toThrow(`Expected ${announced} bytes for ${key} but received`);
        expect(await storage.stat(key)).toBeNull();
        expect(await listed(key)).toEqual([]);
      }
    });

    test('a body that breaks half-way leaves what was there before', async () => {
      const { key, bytes } = await stored();
      const broken = Readable.from((async function* () {
        yield randomBytes(500);
        throw new Error('the line went dead');
      })());
      await expect(storage.put(key, broken, { byteSize: 1000, contentType: 'image/png' })).rejects.toThrow('the line went dead');
      expect(await buffer(await storage.get(key))).toEqual(bytes);
    });

    test('the last of two puts wins', async () => {
      const { key } = await stored();
      const bytes = randomBytes(10);
      await storage.put(key, bytes, png(bytes));
      expect(await buffer(await storage.get(key))).toEqual(bytes);
      expect(await storage.stat(key)).toEqual(png(bytes));
      expect(await listed(key)).toEqual([key]);
    });

    test('many puts at once under one key, of whatever type, leave one of them whole', async () => {
      const key = newKey();
      const bodies = Array.from({ length: 10 }, (_, index) => Buffer.alloc(50_000, index));
      await Promise.all(bodies.map((body, index) => storage.put(key, body, { byteSize: body.length, contentType: index % 2 ? 'image/png' : 'image/webp' })));
      const left = await buffer(await storage.get(key));
      expect(bodies.some((body) => body.equals(left))).toBe(true);
    });

    test('a reader that is under way survives the delete', async () => {
      const { key, bytes } = await stored(randomBytes(3_000_000));
      const reader = await storage.get(key);
      await storage.delete([key]);
      expect((await buffer(reader)).equals(bytes)).toBe(true);
    });

    test('a download is a new file with the same bytes', async () => {
      const { key, bytes } = await stored();
      const path = join(folder, randomUUID());
      await storage.download(key, path);
      expect(await readFile(path)).toEqual(bytes);
      await writeFile(path, 'changed');
      expect(await buffer(await storage.get(key))).toEqual(bytes);
    });

    test('deleting takes away what is named and nothing else, and may be repeated', async () => {
      const [one, two, three] = await Promise.all([stored(), stored(), stored()]);
      await storage.delete([one.key, two.key, newKey()]);
      await storage.delete([one.key]);
      await storage.delete([]);
      expect(await storage.stat(one.key)).toBeNull();
      expect(await storage.stat(two.key)).toBeNull();
      expect(await buffer(await storage.get(three.key))).toEqual(three.bytes);
    });

    test('a deleted key can be put again', async () => {
      const { key } = await stored();
      await storage.delete([key]);
      const bytes = randomBytes(5);
      await storage.put(key, bytes, png(bytes));
      expect(await buffer(await storage.get(key))).toEqual(bytes);
    });

    test('a list holds every key with the prefix, also keys below keys', async () => {
      const base = randomUUID();
      const keys = [`list/${base}-a`, `list/${base}-a/b`, `list/${base}-a/b/c.png`, `list/${base}-b`, `list2/${base}-a`];
      for (const key of keys) await storage.put(key, new Uint8Array([1]), { byteSize: 1, contentType: 'image/png' });
      expect(await listed(`list/${base}`)).toEqual(keys.slice(0, 4).sort());
      expect(await listed(`list/${base}-a/`)).toEqual(keys.slice(1, 3).sort());
      expect(await listed(`list/${base}-b`)).toEqual([`list/${base}-b`]);
      expect((await listed('list')).filter((key) => key.includes(base))).toEqual([...keys].sort());
      expect(await listed('nothing/')).toEqual([]);
      await storage.delete([`list/${base}-a`]);
      expect(await listed(`list/${base}-a`)).toEqual(keys.slice(1, 3).sort());
    });

    test('a list from above the root is empty', async () => {
      expect(await listed('../')).toEqual([]);
      expect(await listed('/')).toEqual([]);
      expect((await listed('')).some((key) => key.startsWith('.'))).toBe(false);
    });

    test.each(badKeys.map((key) => [JSON.stringify(key.slice(0, 20)), key]))('the key %s is refused', async (_shown, key) => {
      const before = await listed('');
      const sentence = 'Expected a key';
      await expect(storage.put(key, new Uint8Array([1]), { byteSize: 1, contentType: 'image/png' })).rejects.toThrow(sentence);
      await expect(storage.get(key)).rejects.toThrow(sentence);
      await expect(storage.stat(key)).rejects.toThrow(sentence);
      await expect(storage.download(key, join(folder, 'bad'))).rejects.toThrow(sentence);
      await expect(storage.delete([key])).rejects.toThrow(sentence);
      await expect(async () => storage.signedUrl(key, { expiresInSeconds: 60 })).rejects.toThrow(sentence);
      await expect(storage.signedPut(key, new Date(Date.now() + 60_000))).rejects.toThrow(sentence);
      expect(await listed('')).toEqual(before);
    });

    test.each(['', 'image', 'image/png\r\nSet-Cookie: a=b', '../x', 'a/b/c', 'image/png; charset="x"', `image/${'x'.repeat(200)}`])('the content type %j is refused', async (contentType) => {
      await expect(storage.put(newKey(), new Uint8Array([1]), { byteSize: 1, contentType })).rejects.toThrow('Expected a content type');
    });

    test('a content type may have a parameter', async () => {
      const key = newKey();
      await storage.put(key, Buffer.from('{}'), { byteSize: 2, contentType: 'application/json; charset=utf-8' });
      expect(await storage.stat(key)).toEqual({ byteSize: 2, contentType: 'application/json; charset=utf-8' });
    });

    test('a signed URL is the same for a while and names the object', async () => {
      const { key } = await stored();
      const url = await storage.signedUrl(key, { expiresInSeconds: 3600 });
      expect(URL.canParse(url)).toBe(true);
      expect(url).toContain(key);
    });

    test('a store that works says so', async () => {
      await expect(storage.check()).resolves.toBeUndefined();
    });
  });
}

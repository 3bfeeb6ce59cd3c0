import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { Client } from 'minio';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createLog } from '../src/log.ts';
import { patience } from '../src/storage/exchange.ts';
import { s3Storage } from '../src/storage/s3.ts';
import { ObjectMissing, StorageUnavailable, type Storage } from '../src/storage/storage.ts';
import { startStrictS3, type Fault, type StrictS3 } from './fixtures/strict-s3.ts';
import { until } from './until.ts';

const quick = { ...patience, connectMs: 1000, silenceMs: 1000, firstPauseMs: 5 };
const log = createLog('silent');
let store: StrictS3;
let storage: Storage;
let folder: string;
beforeAll(async () => {
  store = await startStrictS3();
  folder = await mkdtemp(join(tmpdir(), 'darkroom-s3-'));
});
beforeEach(async () => (storage = await open()));
afterEach(async () => {
  store.fault = () => undefined;
  await storage.close();
});
afterAll(async () => {
  await store.close();
  await rm(folder, { recursive: true });
});

const open = (changes: object = {}) => s3Storage({ ...store, publicEndpoint: store.endpoint, region: 'us-east-1', pathStyle: true, encryption: 'none', ...changes }, log, quick);
const newKey = () => `originals/${randomUUID()}`;
async function stored(byteSize: number) {
  const [key, bytes] = [newKey(), randomBytes(byteSize)];
  await storage.put(key, bytes, { byteSize, contentType: 'image/png' });
  return { key, bytes };
}
async function listed(prefix: string) {
  const keys: string[] = [];
  for await (const key of storage.list(prefix)) keys.push(key);
  return keys;
}
/** The fault for the first so many requests that fit. */
function failing(times: number, fault: Fault, pattern: RegExp): void {
  store.fault = (request) => (pattern.test(request) && times-- > 0 ? fault : undefined);
}
const asked = (pattern: RegExp) => store.requests.filter((request) => pattern.test(request)).length;

describe('S3 that fails', () => {
  test.each<[Fault]>([['busy'], ['reset'], ['stall'], ['lose-the-answer']])('what goes wrong once (%s) is done again: put, stat, get, list, delete', async (fault) => {
    const [key, bytes] = [newKey(), randomBytes(1000)];
    failing(1, fault, /^PUT/);
    await storage.put(key, bytes, { byteSize: 1000, contentType: 'image/png' });
    failing(1, fault, /^HEAD/);
    expect(await storage.stat(key)).toEqual({ byteSize: 1000, contentType: 'image/png' });
    failing(1, fault, /^GET/);
    expect(await buffer(await storage.get(key))).toEqual(bytes);
    failing(1, fault, /^GET/);
    expect(await listed(key)).toEqual([key]);
    failing(1, fault, /^POST/);
    await storage.delete([key]);
    expect(await storage.stat(key)).toBeNull();
  });

  test.each<[RegExp]>([[/^POST .*uploads/], [/^PUT .*partNumber=2/], [/^POST .*uploadId/]])('a big body survives one lost answer to %s', async (pattern) => {
    failing(1, 'lose-the-answer', pattern);
    const { key, bytes } = await stored(20_000_000);
    expect((await buffer(await storage.get(key))).equals(bytes)).toBe(true);
    store.uploads.clear();
  });

  test.each<[Fault, RegExp]>([['busy', /it answered 503 SlowDown/], ['reset', /ECONNRESET|socket hang up/], ['stall', /nothing came for 1000 ms/]])('what stays wrong (%s) is given up in a sentence with the place and without a secret', async (fault, reason) => {
    const before = store.requests.length;
    failing(Infinity, fault, /./);
    const error: unknown = await storage.get(newKey()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StorageUnavailable);
    expect(String(error)).toContain(`The bucket pictures at ${store.endpoint} is not available: `);
    expect(String(error)).toMatch(reason);
    expect(inspect(error, { depth: null })).not.toContain(store.secretKey);
    expect(store.requests.length - before).toBe(patience.tries);
  });

  test('a store that nobody reaches is unavailable, within the time to connect', async () => {
    const silent = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = silent.address();
    if (!address || typeof address === 'string') throw new Error('Expected a port');
    await expect(open({ endpoint: `https://127.0.0.1:${address.port}` })).rejects.toThrow('no connection within 1000 ms');
    await new Promise((resolve) => silent.close(resolve));
    await expect(open({ endpoint: `https://127.0.0.1:${address.port}` })).rejects.toThrow(/ECONNREFUSED.*; check S3_ENDPOINT/);
  });

  test.each([
    ['bucket', { bucket: 'nobody-made-this' }, 'NoSuchBucket, It says so.; make the bucket, or correct S3_BUCKET'],
    ['secret', { secretKey: 'wrong' }, 'SignatureDoesNotMatch'],
    ['key', { accessKey: 'AKIANOBODY' }, 'InvalidAccessKeyId'],
    ['region', { region: 'mars-north-1' }, 'check S3_ENDPOINT and S3_REGION'],
  ])('a wrong %s is refused at once, and what was signed is in no log', async (_word, changes, help) => {
    const before = store.requests.length;
    const error: unknown = await open(changes).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StorageUnavailable);
    expect(String(error)).toContain(help);
    expect(inspect(error, { depth: null })).not.toMatch(/secret text|AKIANOBODY/);
    expect(store.requests.length - before).toBe(1);
  });

  test('a download that breaks is done again, and one that goes on breaking leaves no file', async () => {
    const { key, bytes } = await stored(3_000_000);
    failing(1, 'reset-in-the-middle', /^GET/);
    await storage.download(key, join(folder, 'whole'));
    expect((await readFile(join(folder, 'whole'))).equals(bytes)).toBe(true);
    failing(Infinity, 'reset-in-the-middle', /^GET/);
    await expect(storage.download(key, join(folder, 'broken'))).rejects.toBeInstanceOf(StorageUnavailable);
    await expect(storage.download(newKey(), join(folder, 'missing'))).rejects.toBeInstanceOf(ObjectMissing);
    expect(await readdir(folder)).toEqual(['whole']);
    await expect(storage.download(key, join(folder, 'whole'))).rejects.toThrow('EEXIST');
    expect((await readFile(join(folder, 'whole'))).equals(bytes)).toBe(true);
    await expect(buffer(await storage.get(key))).rejects.toThrow();
  });

  test('a reader that takes its time is no silence of the store', async () => {
    const { key, bytes } = await stored(8_000_000);
    const reader = await storage.get(key);
    await sleep(3 * quick.silenceMs);
    expect((await buffer(reader)).equals(bytes)).toBe(true);
  });

  test('a store that keeps less than it was given is found out, and nothing is left', async () => {
    failing(Infinity, 'keep-half', /^PUT/);
    const key = newKey();
    await expect(storage.put(key, randomBytes(1000), { byteSize: 1000, contentType: 'image/png' })).rejects.toThrow(`was given 1000 bytes for ${key} and kept 500`);
    expect(await storage.stat(key)).toBeNull();
  });

  test('a big body goes in parts of eight mebibytes, and one that breaks or is refused leaves no part', async () => {
    const before = asked(/partNumber/);
    const { key, bytes } = await stored(20_000_000);
    expect(asked(/partNumber/) - before).toBe(3);
    const broken = Readable.from((async function* () {
      yield randomBytes(18_000_000);
      throw new Error('the line went dead');
    })());
    await expect(storage.put(key, broken, { byteSize: 20_000_000, contentType: 'image/png' })).rejects.toThrow('the line went dead');
    await expect(storage.put(key, randomBytes(20_000_001), { byteSize: 20_000_000, contentType: 'image/png' })).rejects.toThrow(`Expected 20000000 bytes for ${key} but received more`);
    failing(Infinity, 'busy', /^PUT .*partNumber=2/);
    await expect(storage.put(key, randomBytes(20_000_000), { byteSize: 20_000_000, contentType: 'image/png' })).rejects.toBeInstanceOf(StorageUnavailable);
    expect(store.uploads.size).toBe(0);
    expect((await buffer(await storage.get(key))).equals(bytes)).toBe(true);
  });

  test('of twenty bodies at once eight are in memory', async () => {
    let read = 0;
    const put = () => {
      const body = Readable.from((function* () {
        read++;
        yield randomBytes(1000);
      })());
      return storage.put(newKey(), body, { byteSize: 1000, contentType: 'image/png' });
    };
    const before = asked(/^PUT/);
    failing(Infinity, 'stall', /^PUT/);
    const puts = Promise.all(Array.from({ length: 20 }, put));
    await until('eight to be asked', () => asked(/^PUT/) - before >= 8);
    expect(read).toBe(8);
    store.fault = () => undefined;
    await puts;
    expect(read).toBe(20);
  });

  test('a file that cannot be read is the fault of the file, also when it breaks before its turn', async () => {
    for (const byteSize of [10, 20_000_000]) {
      const puts = Array.from({ length: 12 }, () => storage.put(newKey(), createReadStream(join(folder, 'nothing')), { byteSize, contentType: 'image/png' }));
      for (const put of await Promise.allSettled(puts)) expect(put).toMatchObject({ status: 'rejected', reason: { code: 'ENOENT' } });
    }
    expect(store.uploads.size).toBe(0);
  });

  test('opening takes back the uploads that a crash has left, and spares those of today', async () => {
    const upload = { key: newKey(), headers: {}, parts: new Map() };
    store.uploads.set('yesterday=', { ...upload, initiated: new Date(Date.now() - 25 * 3_600_000) });
    store.uploads.set('today=', { ...upload, initiated: new Date() });
    await (await open()).close();
    expect([...store.uploads.keys()]).toEqual(['today=']);
    store.uploads.clear();
  });

  test('every object is encrypted where that is set, and a store that does not do it is refused', async () => {
    const encrypting = await open({ encryption: 'AES256' });
    for (const byteSize of [1000, 9_000_000]) {
      const key = newKey();
      await encrypting.put(key, randomBytes(byteSize), { byteSize, contentType: 'image/png' });
      expect((await fetch(await encrypting.signedUrl(key, { expiresInSeconds: 60 }))).headers.get('x-amz-server-side-encryption')).toBe('AES256');
    }
    await encrypting.close();
    failing(Infinity, 'forget-encryption', /./);
    await expect(open({ encryption: 'AES256' })).rejects.toThrow('it was asked to encrypt (S3_ENCRYPTION=AES256) but did not');
  });

  test('what we never make is in no list', async () => {
    const { hostname, port } = new URL(store.endpoint);
    const client = new Client({ endPoint: hostname, port: Number(port), useSSL: false, accessKey: store.accessKey, secretKey: store.secretKey, region: 'us-east-1' });
    for (const name of ['foreign/a b', 'foreign/ü', 'foreign/ours']) await client.putObject(store.bucket, name, Buffer.from('x'));
    expect(await listed('foreign/')).toEqual(['foreign/ours']);
  });
});

describe('a signed URL of S3', () => {
  test('costs no request, stays the same for a while, and starts where clients reach the store', async () => {
    const { key } = await stored(10);
    const elsewhere = await open({ publicEndpoint: 'https://pictures.example.org' });
    const before = store.requests.length;
    const urls = new Set<string>();
    for (let count = 0; count < 20; count++) urls.add(await elsewhere.signedUrl(key, { expiresInSeconds: 3600 }));
    expect(urls.size).toBeLessThanOrEqual(2); // the end of a window may come between
    expect([...urls][0]).toMatch(new RegExp(`^https://pictures.example.org/pictures/${key}\\?`));
    expect(store.requests.length).toBe(before);
    await elsewhere.close();
  });

  test('works until it expires, and not as anything else', async () => {
    const { key, bytes } = await stored(10);
    const url = await storage.signedUrl(key, { expiresInSeconds: 1, downloadAs: 'a.png' });
    const response = await fetch(url);
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes);
    expect(response.headers.get('content-disposition')).toBe(`attachment; filename="a.png"; filename*=UTF-8''a.png`);
    expect(response.headers.get('cache-control')).toBe('private, max-age=1, immutable');
    expect((await fetch(url.replace('attachment', 'inline'))).status).toBe(403);
    expect((await fetch(url, { method: 'PUT', body: 'x' })).status).toBe(403);
    await until('the URL to expire', async () => (await fetch(url)).status === 403, 5000);
  });

  test('lives as long as asked, at most a quarter longer, and never longer than a store allows', async () => {
    const key = newKey();
    for (const seconds of [60, 3600, 86_400, 500_000, 604_500, 604_800]) {
      const query = new URL(await storage.signedUrl(key, { expiresInSeconds: seconds })).searchParams;
      const signedAt = Date.parse((query.get('X-Amz-Date') ?? '').replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));
      const life = Number(query.get('X-Amz-Expires'));
      expect(life).toBeLessThanOrEqual(604_800);
      const lives = (signedAt - Date.now()) / 1000 + life;
      expect(lives).toBeGreaterThanOrEqual(seconds);
      expect(lives).toBeLessThanOrEqual(seconds * 1.25 + 1);
      expect(signedAt).toBeLessThanOrEqual(Date.now() + 1000);
    }
  });

  test('of an original is an attachment, of a picture that we made is shown, of anything else is an attachment', async () => {
    const dispositionOf = async (key: string, contentType: string) => {
      await storage.put(key, Buffer.from('x'), { byteSize: 1, contentType });
      return (await fetch(await storage.signedUrl(key, { expiresInSeconds: 60 }))).headers.get('content-disposition');
    };
    expect(await dispositionOf(newKey(), 'image/png')).toBe('attachment');
    expect(await dispositionOf(`processed/${randomUUID()}`, 'image/png')).toBe('inline');
    expect(await dispositionOf(`processed/${randomUUID()}`, 'text/html')).toBe('attachment');
    expect(await dispositionOf(`processed/${randomUUID()}`, 'image/svg+xml')).toBe('attachment');
  });
});

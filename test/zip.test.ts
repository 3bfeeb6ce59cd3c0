import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { createServer, request as send, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fromBufferPromise } from 'yauzl';
import { signedRoute } from '../src/assets/signed-route.ts';
import { createZip, type ZipEntry } from '../src/assets/zip.ts';
import { createLog } from '../src/log.ts';
import { diskStorage } from '../src/storage/disk.ts';
import type { Storage } from '../src/storage/storage.ts';
import { until } from './until.ts';

const files = new Map<string, Buffer>();
let root: string;
let storage: Storage;
let server: Server;
let entries: ZipEntry[];
/** How many objects have been opened. */
let opened = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'darkroom-zip-'));
  const disk = await diskStorage({ root, publicUrl: () => 'http://here', secret: 'unused' });
  storage = { ...disk, get: async (key, range) => (opened++, disk.get(key, range)) };
  const route = signedRoute({
    prefix: '/',
    log: createLog('silent'),
    verify: () => ({ grant: {} }),
    find: async () => ({
      cacheControl: 'no-store',
      open: async () => {
        const { byteSize, read } = createZip(storage, entries);
        return { byteSize, headers: {}, read: async () => read() };
      },
    }),
  });
  server = createServer((request, response) => void route(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  for (const [name, bytes] of [['one', randomBytes(5_000)], ['two', randomBytes(30_000_000)], ['three', Buffer.alloc(200_000, 'text')], ['none', Buffer.alloc(0)]] as const) {
    files.set(name, bytes);
    await disk.put(`processed/${name}`, bytes, { byteSize: bytes.length, contentType: 'image/png' });
  }
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(root, { recursive: true });
});

const entry = (key: string, filename: string, contentType = 'image/png'): ZipEntry => ({ storageKey: `processed/${key}`, filename, contentType, byteSize: files.get(key)?.length ?? 100, createdAt: new Date('2026-03-01T12:30:00Z') });
const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

/** What another program finds in it: it checks names, sizes and checksums. */
async function unzip(bytes: Buffer) {
  const zip = await fromBufferPromise(bytes, { strictFileNames: true });
  const found = [];
  for await (const one of zip.eachEntry()) {
    found.push({ name: one.fileName, method: one.compressionMethod, at: one.getLastModDate(), bytes: await buffer(await zip.openReadStreamPromise(one)) });
  }
  return found;
}

test('another program finds every file whole, under its name and time; what is compressed already is stored', async () => {
  entries = [entry('one', 'červen/../a.png'), entry('three', 'model.glb', 'model/gltf-binary'), entry('none', 'empty.png'), entry('two', 'b.png')];
  const response = await fetch(url());
  expect([response.status, response.headers.get('content-length'), response.headers.get('accept-ranges'), response.headers.get('cache-control'), response.headers.get('etag')]).toEqual([200, null, 'none', 'no-store', null]);
  const found = await unzip(Buffer.from(await response.arrayBuffer()));
  expect(found.map(({ name, method }) => [name, method])).toEqual([['červen_.._a.png', 0], ['model.glb', 8], ['empty.png', 0], ['b.png', 0]]);
  expect(found[0]!.at.toISOString()).toBe('2026-03-01T12:30:00.000Z');
  for (const [index, key] of ['one', 'three', 'none', 'two'].entries()) expect(found[index]!.bytes.equals(files.get(key)!)).toBe(true);
});

test('names that would be one file to some system are numbered', async () => {
  entries = ['a.png', 'A.PNG', 'a.png', 'a (2).png', 'cafe\u0301.png', 'café.png', '../a.png', 'C:\\con.png', 'x'.repeat(300)].map((name) => entry('none', name));
  const names = (await unzip(await buffer(createZip(storage, entries).read()))).map(({ name }) => name);
  expect(names.slice(0, 8)).toEqual(['a.png', 'A (2).PNG', 'a (3).png', 'a (2) (2).png', 'café.png', 'café (2).png', '_a.png', 'C__con.png']);
  expect(names[8]).toHaveLength(150);
});

test('where all is stored the size is said before, to who asks for the head alone without a byte read', async () => {
  entries = [entry('one', 'a.png'), entry('two', 'b.png')];
  const before = opened;
  const head = await fetch(url(), { method: 'HEAD' });
  expect(opened).toBe(before);
  const whole = await fetch(url(), { headers: { Range: 'bytes=0-9' } });
  const bytes = Buffer.from(await whole.arrayBuffer());
  expect([head.headers.get('content-length'), whole.status, bytes.length]).toEqual([String(bytes.length), 200, Number(whole.headers.get('content-length'))]);
});

test('where an object is missing or has another size the connection breaks: no archive is short without a word', async () => {
  const faults = [[entry('one', 'a.png'), entry('gone', 'b.png')], [entry('one', 'a.png'), { ...entry('three', 'c.png'), byteSize: 100 }], [entry('one', 'a.png'), entry('gone', 'b.glb', 'model/gltf-binary')]];
  for (const fault of faults) {
    entries = fault;
    await expect(fetch(url()).then(async (response) => (await response.arrayBuffer()).byteLength)).rejects.toThrow(/terminated|fetch failed/);
  }
});

test.skipIf(!existsSync('/proc/self/fd'))('one object is open at a time, a client that does not read costs no memory, and one that leaves leaves nothing open', async () => {
  const openFiles = async () => (await Promise.all((await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))).filter((path) => path.startsWith(root)).length;
  entries = Array.from({ length: 20 }, (_, index) => entry('two', `${index}.png`));
  const [before, memory] = [opened, process.memoryUsage().rss];
  const request = send(url()).end();
  request.on('error', () => undefined);
  (await once(request, 'response') as [NodeJS.ReadableStream])[0].pause();
  await until('the first file to be open', async () => (await openFiles()) === 1 || openFiles());
  expect(opened - before).toBe(1);
  expect(process.memoryUsage().rss - memory).toBeLessThan(100_000_000);
  request.destroy();
  await until('no file to be open', async () => (await openFiles()) === 0 || openFiles());
  expect(opened - before).toBe(1);
});

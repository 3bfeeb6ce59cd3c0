import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { createServer, request as send, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveFiles } from '../src/assets/serve.ts';
import { createLog } from '../src/log.ts';
import { diskStorage } from '../src/storage/disk.ts';
import { signGrant, type Grant } from '../src/storage/signature.ts';
import type { Storage } from '../src/storage/storage.ts';
import { until } from './until.ts';

const secret = 'a secret of the tests, long enough';
const picture = randomBytes(10_000);
const big = randomBytes(30_000_000);
let root: string;
let storage: Storage;
let server: Server;
let base: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'darkroom-serve-'));
  storage = await diskStorage({ root, publicUrl: () => base, secret });
  const serve = serveFiles({ storage, log: createLog('silent') }, secret);
  server = createServer((request, response) => void serve(request, response).then((served) => served || response.writeHead(418).end()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const put = (key: string, bytes: Uint8Array, contentType: string) => storage.put(key, bytes, { byteSize: bytes.length, contentType });
  await put('processed/one', picture, 'image/png');
  await put('originals/one', picture, 'image/png');
  await put('processed/page', Buffer.from('<script>alert(1)</script>'), 'text/html');
  await put('processed/vector', Buffer.from('<svg onload="alert(1)"/>'), 'image/svg+xml');
  await put('processed/model', picture, 'model/gltf-binary');
  await put('processed/empty', new Uint8Array(), 'image/png');
  await put('processed/big', big, 'image/png');
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(root, { recursive: true });
});

const signed = (key: string, downloadAs?: string) => storage.signedUrl(key, { expiresInSeconds: 3600, downloadAs });
const get = async (key: string, headers: Record<string, string> = {}) => fetch(await signed(key), { headers });
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());
const inAnHour = () => Math.floor(Date.now() / 1000) + 3600;
const grantUrl = (grant: Partial<Grant>) => base + signGrant(secret, { key: 'processed/one', expires: inAnHour(), inline: true, ...grant });

describe('serving stored files', () => {
  test('whoever holds the URL gets the bytes, with headers that let nothing run', async () => {
    const response = await get('processed/one');
    expect(response.status).toBe(200);
    expect(await bytesOf(response)).toEqual(picture);
    const headers = Object.fromEntries(response.headers);
    expect(headers).toMatchObject({
      'content-type': 'image/png',
      'content-length': '10000',
      'content-disposition': 'inline',
      'accept-ranges': 'bytes',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
      'cross-origin-resource-policy': 'cross-origin',
      'access-control-allow-origin': '*',
    });
    const maxAge = Number(/^private, max-age=(\d+), immutable$/.exec(headers['cache-control'] ?? '')?.[1]);
    expect(maxAge).toBeGreaterThan(3500);
    expect(maxAge).toBeLessThanOrEqual(3900);
  });

  test('HEAD answers the same without a body', async () => {
    const url = await signed('processed/one');
    const [whole, head] = [await fetch(url), await fetch(url, { method: 'HEAD', headers: { Range: 'bytes=0-1' } })];
    expect(head.status).toBe(200);
    expect(await bytesOf(head)).toHaveLength(0);
    for (const name of ['content-type', 'content-length', 'content-disposition', 'etag', 'accept-ranges']) expect(head.headers.get(name)).toBe(whole.headers.get(name));
  });

  test('an empty file is served', async () => {
    const response = await get('processed/empty');
    expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([200, '0', '']);
  });

  test.each([
    ['originals/one', 'attachment'],
    ['processed/page', 'attachment'],
    ['processed/vector', 'attachment'],
    ['processed/model', 'attachment'],
    ['processed/one', 'inline'],
  ])('%s without a name is served as %s', async (key, disposition) => {
    expect((await get(key)).headers.get('content-disposition')).toBe(disposition);
  });

  test('a URL that says inline does not make a page of what could run', async () => {
    const response = await fetch(grantUrl({ key: 'processed/page' }));
    expect(response.headers.get('content-disposition')).toBe('attachment');
  });

  test.each([
    ['cat.png', `attachment; filename="cat.png"; filename*=UTF-8''cat.png`],
    ['Žluťoučký kůň 🐎.png', `attachment; filename="_lu_ou_k_ k__ __.png"; filename*=UTF-8''%C5%BDlu%C5%A5ou%C4%8Dk%C3%BD%20k%C5%AF%C5%88%20%F0%9F%90%8E.png`],
    ['a"b\\c;d%.png', `attachment; filename="a_b_c;d_.png"; filename*=UTF-8''a_b_c%3Bd%25.png`],
    ["it's (1)*.png", `attachment; filename="it's (1)_.png"; filename*=UTF-8''it%27s%20%281%29_.png`],
    ['a\u2028b\u061c\ufeff.png', `attachment; filename="ab.png"; filename*=UTF-8''ab.png`],
    ['com1.tar.gz', `attachment; filename="_com1.tar.gz"; filename*=UTF-8''_com1.tar.gz`],
    ['LPT¹', `attachment; filename="_LPT_"; filename*=UTF-8''_LPT%C2%B9`],
    ['nul .png', `attachment; filename="_nul.png"; filename*=UTF-8''_nul.png`],
    ['C:\\a?.png. . ', `attachment; filename="C__a_.png"; filename*=UTF-8''C__a_.png`],
    ['../../etc/passwd', `attachment; filename="_.._etc_passwd"; filename*=UTF-8''_.._etc_passwd`],
    ['a\r\nSet-Cookie: b=c', `attachment; filename="aSet-Cookie_ b=c"; filename*=UTF-8''aSet-Cookie_%20b%3Dc`],
    ['photo\u202egnp.exe', `attachment; filename="photognp.exe"; filename*=UTF-8''photognp.exe`],
    ['lone \ud800 surrogate', `attachment; filename="lone _ surrogate"; filename*=UTF-8''lone%20%EF%BF%BD%20surrogate`],
    ['   ', `attachment; filename="download"; filename*=UTF-8''download`],
    ['', `attachment; filename="download"; filename*=UTF-8''download`],
  ])('the name %j arrives as the name of one file', async (name, disposition) => {
    const response = await fetch(await signed('processed/one', name));
    expect(response.headers.get('content-disposition')).toBe(disposition);
    expect(response.headers.get('set-cookie')).toBeNull();
    expect(await bytesOf(response)).toEqual(picture);
  });

  test('a very long name is cut to what every file system takes, and keeps its extension', async () => {
    const response = await fetch(await signed('processed/one', `${'🐎'.repeat(400)}.png`));
    expect(response.headers.get('content-disposition')).toBe(`attachment; filename="${'__'.repeat(49)}.png"; filename*=UTF-8''${'%F0%9F%90%8E'.repeat(49)}.png`);
  });

  test('not one character of the URL can be changed, added or left out', async () => {
    const url = await signed('processed/one', 'cat.png');
    const path = url.slice(base.length);
    const changed = [...path].map((_, at) => at).slice('/files/'.length).map((at) => path.slice(0, at) + (path[at] === 'x' ? 'y' : 'x') + path.slice(at + 1));
    const others = [
      path.replace('processed/one', 'processed/big'),
      path.replace('&signature', '&inline=true&signature'),
      `${path}&inline=true`,
      `${path}=`,
      path.replace(/&signature=.*/, ''),
      path.replace(/signature=.*/, 'signature='),
      path.replace(/signature=.*/, `signature=${'A'.repeat(43)}`),
      path.replace('cat.png', 'cat.exe'),
      path.replace(/expires=\d+/, 'expires=99999999999'),
      path.replace(/expires=\d+&/, ''),
      `/files/processed/big?${path.split('?')[1]}`,
      '/files/',
      '/files/processed/one',
      '/files/..%2f..%2fetc%2fpasswd',
      '/files//etc/passwd?expires=99999999999&signature=x',
    ];
    for (const wrong of [...changed, ...others]) {
      const response = await fetch(base + wrong);
      expect(`${wrong} ${response.status}`).toBe(`${wrong} 403`);
      expect(await response.text()).toMatch(/^This link is not valid/);
      expect(response.headers.get('cache-control')).toBe('no-store');
    }
    expect((await fetch(url)).status).toBe(200);
  });

  test('a URL signed with another secret is refused', async () => {
    const path = signGrant('another secret', { key: 'processed/one', expires: inAnHour(), inline: true });
    expect((await fetch(base + path)).status).toBe(403);
  });

  test('a URL that has expired says so', async () => {
    const response = await fetch(grantUrl({ expires: Math.floor(Date.now() / 1000) }));
    expect(response.status).toBe(403);
    expect(await response.text()).toMatch(/^This link has expired/);
  });

  test('a file that is gone is 404', async () => {
    const response = await get('processed/never');
    expect([response.status, await response.text()]).toEqual([404, 'This file is no longer here.\n']);
  });

  test('other paths are left to others', async () => {
    for (const path of ['/', '/graphql', '/files', '/filesystem']) expect((await fetch(base + path)).status).toBe(418);
  });

  test('other methods are refused, and a preflight is answered', async () => {
    const url = await signed('processed/one');
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const response = await fetch(url, { method });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS']);
    }
    const preflight = await fetch(url, { method: 'OPTIONS', headers: { Origin: 'https://app.example', 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': 'range' } });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*');
    expect(preflight.headers.get('access-control-allow-headers')).toMatch(/\bRange\b/);
  });

  test('who has the bytes already is told so', async () => {
    const etag = (await get('processed/one')).headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[\w-]{22}"$/);
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const response = await get('processed/one', { 'If-None-Match': known });
      expect([known, response.status, await response.text(), response.headers.get('etag')]).toEqual([known, 304, '', etag]);
    }
    for (const unknown of ['"other"', 'nonsense', (await get('originals/one')).headers.get('etag') ?? '']) expect((await get('processed/one', { 'If-None-Match': unknown })).status).toBe(200);
  });

  test.each([
    ['bytes=0-0', 0, 0],
    ['bytes=10-19', 10, 19],
    ['bytes=9990-', 9990, 9999],
    ['bytes=9990-999999999999999999999999', 9990, 9999],
    ['bytes=-5', 9995, 9999],
    ['bytes=-20000', 0, 9999],
    ['Bytes= 1-2', 1, 2],
  ])('the range %s is served', async (range, start, end) => {
    const response = await get('processed/one', { Range: range });
    expect([response.status, response.headers.get('content-range'), response.headers.get('content-length')]).toEqual([206, `bytes ${start}-${end}/10000`, String(end - start + 1)]);
    expect(await bytesOf(response)).toEqual(picture.subarray(start, end + 1));
  });

  test.each(['bytes=10000-', 'bytes=10000-10001', 'bytes=-0', 'bytes=99999999999999999999-'])('the range %s is outside', async (range) => {
    const response = await get('processed/one', { Range: range });
    expect([response.status, response.headers.get('content-range')]).toEqual([416, 'bytes */10000']);
  });

  test.each(['bytes=0-1,5-6', 'bytes=5-2', 'bytes=-', 'bytes=a-b', 'items=0-1', 'bytes=1--1', ''])('the range %j is answered whole', async (range) => {
    const response = await get('processed/one', { Range: range });
    expect(response.status).toBe(200);
    expect(await bytesOf(response)).toEqual(picture);
  });

  test('every range of an empty file is outside', async () => {
    for (const range of ['bytes=0-', 'bytes=0-0', 'bytes=-1']) expect((await get('processed/empty', { Range: range })).status).toBe(416);
  });

  test('a range is only served to who has the same bytes', async () => {
    const etag = (await get('processed/one')).headers.get('etag') ?? '';
    expect((await get('processed/one', { Range: 'bytes=0-1', 'If-Range': etag })).status).toBe(206);
    for (const other of ['"other"', `W/${etag}`, 'Wed, 21 Oct 2026 07:28:00 GMT']) expect((await get('processed/one', { Range: 'bytes=0-1', 'If-Range': other })).status).toBe(200);
  });

  test('a big file comes whole to many at once', async () => {
    const url = await signed('processed/big');
    const all = await Promise.all(Array.from({ length: 4 }, async () => bytesOf(await fetch(url))));
    expect(all.every((bytes) => bytes.equals(big))).toBe(true);
  });

  test.skipIf(!existsSync('/proc/self/fd'))('a client that stops reading costs no memory, and one that leaves leaves no open file', async () => {
    const openFiles = async () => (await Promise.all((await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))).filter((path) => path.startsWith(root)).length;
    const url = await signed('processed/big');
    const before = process.memoryUsage().rss;
    const clients = await Promise.all(Array.from({ length: 10 }, () => new Promise<() => void>((resolve, reject) => {
      const request = send(url, (response) => {
        response.pause();
        resolve(() => request.destroy());
      });
      request.on('error', reject).end();
    })));
    await until('ten files to be open', async () => (await openFiles()) === 10 || openFiles());
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
    for (const leave of clients) leave();
    await until('no file to be open', async () => (await openFiles()) === 0 || openFiles());
  });

  test('a storage that fails is 500 without its words', async () => {
    const broken = serveFiles({ storage: { ...storage, stat: () => Promise.reject(new Error('the password is sesame')) }, log: createLog('silent') }, secret);
    const other = createServer((request, response) => void broken(request, response));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const path = (await signed('processed/one')).slice(base.length);
    const response = await fetch(`http://127.0.0.1:${(other.address() as AddressInfo).port}${path}`);
    expect([response.status, await response.text()]).toEqual([500, 'Something went wrong on our side. Try again later.\n']);
    other.closeAllConnections();
    other.close();
  });
});

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { drawSample } from '../../src/compute/draw.ts';
import { startTestApp, type TestApp } from '../app.ts';
import type { TestClient } from '../client.ts';
import { until } from '../until.ts';

let darkroom: TestApp;
beforeAll(async () => (darkroom = await startTestApp()));
afterAll(() => darkroom.stop());

const chrome = { accept: 'image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8' };
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());
const cached = (imageId: string) =>
  readdirSync(join(darkroom.app.config.DATA_DIR, 'cache', 'renditions'), { recursive: true, encoding: 'utf8' }).filter((name) => name.includes(rowId(imageId)));
const rowId = (globalId: string) => Buffer.from(globalId, 'base64').toString().split(':')[1]!;

async function store(client: TestClient, name: string, bytes: Uint8Array): Promise<string> {
  const { results } = await client.upload([{ name, bytes }], { run: [] });
  return results[0].image.id;
}
async function rendition(client: TestClient, id: string, parameters: string) {
  const { image } = await client.get(`query ($id: ID!) { image(id: $id) { rendition(${parameters}) { url expiresAt width height contentType } } }`, { id });
  return image.rendition;
}

test('a picture comes in the size that was said, in the best format that the browser shows', async () => {
  const client = await darkroom.client();
  const id = await store(client, 'red car.jpg', await drawSample('red-car.jpg', { width: 480 }));
  const { url, width, height, contentType } = await rendition(client, id, 'width: 300, height: 300, fit: COVER');
  expect({ width, height, contentType }).toEqual({ width: 300, height: 300, contentType: null });

  for (const [accept, type] of [[chrome.accept, 'image/avif'], ['image/webp,*/*', 'image/webp'], ['*/*', 'image/jpeg']] as const) {
    const response = await fetch(url, { headers: { accept } });
    expect([response.status, response.headers.get('content-type'), response.headers.get('vary')]).toEqual([200, type, 'Accept']);
    expect(await sharp(await bytesOf(response)).metadata()).toMatchObject({ width: 300, height: 300 });
  }

  const png = await rendition(client, id, 'height: 100, format: PNG');
  const response = await fetch(png.url, { headers: chrome });
  expect([response.headers.get('content-type'), response.headers.get('vary'), png.contentType]).toEqual(['image/png', null, 'image/png']);
  expect(await sharp(await bytesOf(response)).metadata()).toMatchObject({ width: png.width, height: 100 });
});

test('a picture with transparency keeps it, also for who shows neither AVIF nor WebP', async () => {
  const client = await darkroom.client();
  const id = await store(client, 'glass.webp', await sharp({ create: { width: 80, height: 60, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } } }).webp().toBuffer());
  const { url } = await rendition(client, id, 'width: 40');
  const response = await fetch(url);
  expect(response.headers.get('content-type')).toBe('image/png');
  expect((await sharp(await bytesOf(response)).stats()).isOpaque).toBe(false);
});

test('whoever holds the URL gets it inline, with headers that let caches keep it and nothing run', async () => {
  const client = await darkroom.client();
  const id = await store(client, 'a.jpg', await drawSample('red-car.jpg', { width: 320 }));
  const { url, expiresAt } = await rendition(client, id, 'width: 200');
  const first = await fetch(url, { headers: chrome });
  const bytes = await bytesOf(first);
  expect(Object.fromEntries(first.headers)).toMatchObject({
    'content-disposition': 'inline',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'cross-origin',
    'accept-ranges': 'bytes',
    'content-length': String(bytes.length),
  });
  const maxAge = Number(/^private, max-age=(\d+), immutable$/.exec(first.headers.get('cache-control') ?? '')?.[1]);
  expect(Math.abs(Date.parse(expiresAt) - Date.now() - maxAge * 1000)).toBeLessThan(20_000);

  const etag = first.headers.get('etag') ?? '';
  const known = await fetch(url, { headers: { ...chrome, 'if-none-match': etag } });
  expect([known.status, known.headers.get('etag'), known.headers.get('vary')]).toEqual([304, etag, 'Accept']);
  // Another format is other bytes.
  expect((await fetch(url, { headers: { accept: 'image/webp', 'if-none-match': etag } })).status).toBe(200);

  const part = await fetch(url, { headers: { ...chrome, range: 'bytes=10-19', 'if-range': etag } });
  expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 10-19/${bytes.length}`]);
  expect(await bytesOf(part)).toEqual(bytes.subarray(10, 20));
  const head = await fetch(url, { method: 'HEAD', headers: chrome });
  expect([head.status, head.headers.get('content-length')]).toEqual([200, String(bytes.length)]);

  expect((await fetch(url.replace('width=200', 'width=201'))).status).toBe(403);
  expect((await fetch(url.replace('/renditions/', '/files/'))).status).toBe(403);
});

test('where it was taken and with what does not leave with a rendition, and it stands upright', async () => {
  const client = await darkroom.client();
  const exif = { IFD0: { Model: 'Box Brownie' }, IFD3: { GPSLatitude: '52/1 30/1 0/1', GPSLatitudeRef: 'N', GPSLongitude: '13/1 24/1 0/1', GPSLongitudeRef: 'E' } };
  const original = await sharp({ create: { width: 640, height: 480, channels: 3, background: 'teal' } }).withExif(exif).withMetadata({ orientation: 6 }).jpeg().toBuffer();
  const { url, width, height } = await rendition(client, await store(client, 'side.jpg', original), 'width: 240, format: JPEG');
  const metadata = await sharp(await bytesOf(await fetch(url))).metadata();
  expect([metadata.width, metadata.height, width, height]).toEqual([240, 320, 240, 320]);
  expect([metadata.exif, metadata.orientation]).toEqual([undefined, undefined]);
});

test('a download is saved under the name of the file with the extension of its format', async () => {
  const bytes = await sharp({ create: { width: 80, height: 60, channels: 3, background: 'teal' } }).png().toBuffer();
  const disposition = async (name: string, parameters: string) => {
    const client = await darkroom.client();
    const { url } = await rendition(client, await store(client, name, bytes), parameters);
    return (await fetch(url, { headers: chrome })).headers.get('content-disposition');
  };
  expect(await disposition('Žluťoučký kůň.final.png', 'width: 40, download: true')).toBe(`attachment; filename="_lu_ou_k_ k__.final.avif"; filename*=UTF-8''%C5%BDlu%C5%A5ou%C4%8Dk%C3%BD%20k%C5%AF%C5%88.final.avif`);
  expect(await disposition('photo.exe', 'width: 40, format: JPEG, download: true')).toContain('filename="photo.jpg"');
  expect(await disposition(`${'x'.repeat(250)}.png`, 'width: 40, format: WEBP, download: true')).toMatch(/filename="x{100,}\.webp"/);
  expect(await disposition('photo.png', 'width: 40')).toBe('inline');
});

test('fifty renditions in one query cost one call to the database, for the image, and none to the storage', async () => {
  const client = await darkroom.client();
  const id = await store(client, 'many.jpg', await drawSample('red-car.jpg', { width: 320 }));
  const { app } = darkroom;
  const { db, storage } = app;
  const calls: string[] = [];
  app.db = db.$extends({ query: { $allOperations: ({ model, operation, args, query }) => { calls.push(`${model} ${operation}`); return query(args); } } }) as unknown as typeof db;
  app.storage = new Proxy(storage, { get: (target, name, receiver) => { calls.push(`storage ${String(name)}`); return Reflect.get(target, name, receiver); } });
  try {
    const fields = Array.from({ length: 50 }, (_, index) => `r${index}: rendition(width: ${index + 10}) { url width }`);
    const { image } = await client.get(`query ($id: ID!) { image(id: $id) { ${fields.join(' ')} srcSet(widths: [100, 200, 320, 640]) { width url } } }`, { id });
    expect(new Set(Object.values(image).flat().map((one) => (one as { url: string }).url)).size).toBe(53);
    expect(image.srcSet.map((one: { width: number }) => one.width)).toEqual([100, 200, 320]);
    expect(calls).toEqual(['Asset findFirst']);
    expect(cached(id)).toEqual([]);
  } finally {
    Object.assign(app, { db, storage });
  }
});

test('many who ask at once all get the same bytes, and one file is kept', async () => {
  const client = await darkroom.client();
  const id = await store(client, 'popular.jpg', await drawSample('red-car.jpg', { width: 480 }));
  const { url } = await rendition(client, id, 'width: 320, format: WEBP');
  const all = await Promise.all(Array.from({ length: 20 }, async () => bytesOf(await fetch(url))));
  expect(all.every((bytes) => bytes.length > 0 && bytes.equals(all[0]!))).toBe(true);
  expect(cached(id)).toHaveLength(1);
});

test('a damaged original still gives what can be decoded', async () => {
  const client = await darkroom.client();
  const whole = await drawSample('red-car.jpg', { width: 480 });
  const id = await store(client, 'torn.jpg', whole.subarray(0, Math.round(whole.length * 0.7)));
  const { url } = await rendition(client, id, 'width: 200, format: JPEG');
  expect(await sharp(await bytesOf(await fetch(url))).metadata()).toMatchObject({ format: 'jpeg', width: 200 });
});

test('a deleted image is gone although its rendition is cached, whoever asks for it and however', async () => {
  const client = await darkroom.client();
  const id = await store(client, 'gone.jpg', await drawSample('red-car.jpg', { width: 320 }));
  const { url } = await rendition(client, id, 'width: 100');
  const etag = (await fetch(url)).headers.get('etag') ?? '';
  expect(cached(id)).toHaveLength(1);
  await client.get('mutation ($ids: [ID!]!) { deleteImages(ids: $ids) { deletedIds } }', { ids: [id] });
  // Through Redis the news takes its way.
  await until('the rendition to be gone', async () => (await fetch(url)).status === 404, 2_000);
  expect((await fetch(url, { headers: { 'if-none-match': etag } })).status).toBe(404);
  expect(await (await fetch(url)).text()).toBe('This file is no longer here.\n');
});

test('more than a picture has comes to all it has, and another format needs no size', async () => {
  const client = await darkroom.client();
  const id = await store(client, 'a.jpg', await drawSample('red-car.jpg', { width: 320 }));
  const { width: whole, height } = await rendition(client, id, 'format: WEBP');
  expect(whole).toBe(320);
  expect(await rendition(client, id, 'width: 5000, format: WEBP')).toMatchObject({ width: whole, height });
  const { image } = await client.get('query ($id: ID!) { image(id: $id) { srcSet(widths: [160, 320, 5000]) { width } } }', { id });
  expect(image.srcSet).toEqual([{ width: 160 }, { width: 320 }]);
});

test('a rendition that cannot be is refused in a sentence', async () => {
  const client = await darkroom.client();
  const id = await store(client, 'a.jpg', await drawSample('red-car.jpg', { width: 320 }));
  for (const [field, message] of [
    ['rendition(width: 0) { url }', 'Expected width of at least 1 pixel for a rendition but received 0'],
    ['srcSet(widths: []) { url }', 'Expected 1 to 20 widths for srcSet but received 0'],
  ]) {
    const { errors } = await client.ask(`query ($id: ID!) { image(id: $id) { ${field} } }`, { id });
    expect(errors?.[0]).toMatchObject({ message, extensions: { code: 'INVALID_INPUT' } });
  }
});

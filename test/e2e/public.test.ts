import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { drawSample } from '../../src/compute/draw.ts';
import { type Darkroom, startDarkroom } from '../../src/darkroom.ts';
import { createLog } from '../../src/log.ts';
import { startTestApp, type TestApp } from '../app.ts';
import type { TestClient } from '../client.ts';
import { until } from '../until.ts';

const cdn = 'https://cdn.example.com';
const setVisibility = 'mutation ($ids: [ID!]!, $visibility: Visibility!) { setVisibility(ids: $ids, visibility: $visibility) { assets { id visibility publicUrl } refusals { id code message } } }';
const read = `query ($id: ID!) { image(id: $id) { visibility publicUrl
  publicRendition(width: 100, height: 100, fit: COVER, focus: { x: 0, y: 0.5 }) { url width height contentType } auto: publicRendition(height: 60, format: AUTO) { url contentType } publicSrcSet(widths: [50, 100, 900]) { url width } } }`;
const isEmbedded = inject('settings').REDIS_URL === undefined && inject('postgresUrl') === null;

async function store(client: TestClient, name: string, options: object = {}): Promise<{ id: string; bytes: Buffer }> {
  const bytes = await drawSample('red-car.jpg', { width: 200 });
  const { results } = await client.upload([{ name, bytes }], { run: [], ...options });
  return { id: results[0].image.id, bytes };
}

describe.skipIf(!isEmbedded)('what is public', () => {
  let darkroom: TestApp;
  beforeAll(async () => (darkroom = await startTestApp({ CDN_BASE_URL: cdn, PUBLIC_MAX_AGE: '10m' })));
  afterAll(() => darkroom.stop());
  /** As the CDN asks us. */
  const fetchOrigin = (url: string, init?: RequestInit) => fetch(url.replace(cdn, darkroom.url), init);

  test('is shown to everybody by URLs of the CDN that stay the same, and by none while it is private', async () => {
    const client = await darkroom.client();
    const { id, bytes } = await store(client, 'red car.jpg');
    expect((await client.get(read, { id })).image).toEqual({ visibility: 'PRIVATE', publicUrl: null, publicRendition: null, auto: null, publicSrcSet: [] });
    expect((await client.get(setVisibility, { ids: [id], visibility: 'PUBLIC' })).setVisibility).toMatchObject({ assets: [{ id, visibility: 'PUBLIC' }], refusals: [] });
    const { image } = await client.get(read, { id });
    expect((await client.get(read, { id })).image).toEqual(image);
    expect(image.publicSrcSet.map(({ width }: { width: number }) => width)).toEqual([50, 100, 200]);
    expect(image.publicRendition).toMatchObject({ width: 100, height: 100, contentType: 'image/webp' });
    expect(image.publicRendition.url).toMatch(/^https:\/\/cdn\.example\.com\/public\/[\w-]{43}\/[\w-]{36}\/100x100_fill_80_[\d-]+\.webp$/);

    const shown = await fetchOrigin(image.publicRendition.url);
    expect([shown.status, shown.headers.get('content-type'), shown.headers.get('content-disposition'), shown.headers.get('vary')]).toEqual([200, 'image/webp', 'inline', null]);
    expect(shown.headers.get('cache-control')).toBe('public, max-age=600, stale-while-revalidate=60, immutable');
    expect(await sharp(Buffer.from(await shown.arrayBuffer())).metadata()).toMatchObject({ width: 100, height: 100 });
    expect((await fetchOrigin(image.publicRendition.url, { headers: { 'if-none-match': shown.headers.get('etag')! } })).status).toBe(304);
    const auto = await fetchOrigin(image.auto.url, { headers: { accept: 'image/avif' } });
    expect([image.auto.contentType, auto.headers.get('content-type'), auto.headers.get('vary')]).toEqual([null, 'image/avif', 'Accept']);

    // The upload itself is a stranger's bytes: saved, never shown.
    const file = await fetchOrigin(image.publicUrl, { headers: { range: 'bytes=0-99' } });
    expect([file.status, file.headers.get('content-type')]).toEqual([206, 'image/jpeg']);
    expect(file.headers.get('content-disposition')).toBe(`attachment; filename="red car.jpg"; filename*=UTF-8''red%20car.jpg`);
    expect(Buffer.from(await file.arrayBuffer()).equals(bytes.subarray(0, 100))).toBe(true);
  });

  test('is nothing but what was signed: no other size, image, type or query', async () => {
    const client = await darkroom.client();
    const { id } = await store(client, 'a.jpg', { visibility: 'PUBLIC' });
    const { url } = (await client.get(read, { id })).image.publicRendition;
    for (const wrong of [url.replace('100x100', '101x100'), url.replace('.webp', '.avif'), `${url}?1`, url.replace(/\/public\/./, (start: string) => `/public/${start.endsWith('A') ? 'B' : 'A'}`), url.replace('fill', 'cover'), `${cdn}/public/`]) {
      expect([wrong, (await fetchOrigin(wrong)).status]).toEqual([wrong, 403]);
    }
  });

  test('is gone at once when it is private again, also for who asks whether it has changed, and back at the same URLs', async () => {
    const client = await darkroom.client();
    const { id } = await store(client, 'a.jpg', { visibility: 'PUBLIC' });
    const { image } = await client.get(read, { id });
    const urls = [image.publicUrl, image.publicRendition.url];
    const etags = await Promise.all(urls.map(async (url) => (await fetchOrigin(url)).headers.get('etag')!));
    await client.get(setVisibility, { ids: [id], visibility: 'PRIVATE' });
    for (const [index, url] of urls.entries()) {
      const gone = await fetchOrigin(url, { headers: { 'if-none-match': etags[index]! } });
      expect([gone.status, gone.headers.get('cache-control')]).toEqual([404, 'no-store']);
    }
    await client.get(setVisibility, { ids: [id], visibility: 'PUBLIC' });
    expect((await fetchOrigin(urls[1])).status).toBe(200);
    await client.get('mutation ($ids: [ID!]!) { deleteImages(ids: $ids) { missing } }', { ids: [id] });
    expect((await fetchOrigin(urls[1])).status).toBe(404);
  });

  test('is made so by its owner alone: another\'s file is not there', async () => {
    const [client, stranger] = [await darkroom.client(), await darkroom.client()];
    const [own, other] = [await store(stranger, 'own.jpg'), await store(client, 'other.jpg')];
    expect((await stranger.get(setVisibility, { ids: [other.id, own.id], visibility: 'PUBLIC' })).setVisibility).toMatchObject({
      assets: [{ id: own.id }], refusals: [{ id: other.id, code: 'NOT_FOUND', message: 'There is no file with this id' }],
    });
    expect((await client.get(read, { id: other.id })).image.visibility).toBe('PRIVATE');
    const { errors } = await client.ask(setVisibility, { ids: Array.from({ length: 101 }, () => own.id), visibility: 'PUBLIC' });
    expect(errors?.[0]?.message).toBe('Expected at most 100 ids but received 101');
  });
});

describe.skipIf(inject('postgresUrl') === null)('with several API processes', () => {
  let darkroom: TestApp;
  let other: Darkroom;
  beforeAll(async () => {
    darkroom = await startTestApp();
    other = await startDarkroom({ ...darkroom.app.config, ROLE: 'api' }, createLog('silent'));
  });
  afterAll(async () => {
    await other.stop();
    await darkroom.stop();
  });

  test('what was made private by one is private at the others too, long before they would ask again', async () => {
    const client = await darkroom.client();
    const { id } = await store(client, 'a.jpg', { visibility: 'PUBLIC' });
    const { publicUrl } = (await client.get(read, { id })).image;
    const elsewhere = publicUrl.replace(darkroom.url, other.url);
    for (const [visibility, count] of [['PUBLIC', 1], ['PRIVATE', 0]]) {
      expect((await client.get('query ($filter: ImageFilter) { images(filter: $filter) { nodes { id } } }', { filter: { visibility } })).images.nodes).toHaveLength(count as number);
    }
    for (const [visibility, status] of [['PRIVATE', 404], ['PUBLIC', 200]] as const) {
      expect((await fetch(elsewhere)).status).toBe(status === 200 ? 404 : 200);
      await client.get(setVisibility, { ids: [id], visibility });
      await until(`the other to answer ${status}`, async () => (await fetch(elsewhere)).status === status, 2_000);
    }
  });
});

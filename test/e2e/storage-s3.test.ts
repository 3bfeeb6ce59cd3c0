import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { drawSample } from '../../src/compute/draw.ts';
import { startTestApp, type TestApp } from '../app.ts';
import { jobsOf } from '../fixtures/job-client.ts';
import { sha256, uploadsOf } from '../fixtures/upload-client.ts';
import { startStrictS3 } from '../fixtures/strict-s3.ts';
import { openSwiftBucket } from '../fixtures/swift.ts';
import { until } from '../until.ts';

interface ObjectStore {
  endpoint: string;
  bucket: string;
  accessKey: string;
  secretKey: string;
  goDown(): Promise<unknown>;
  comeBack(): Promise<unknown>;
  close(): Promise<void>;
}

/** OpenStack Swift, or where that cannot run our strict store. */
async function openStore(): Promise<ObjectStore> {
  const swift = await openSwiftBucket();
  if (swift) return { ...swift.server, bucket: swift.bucket, goDown: () => swift.server.kill(), comeBack: () => swift.server.restart(), close: () => swift.close() };
  const strict = await startStrictS3();
  const fail = async (fails: boolean) => (strict.fault = () => (fails ? 'reset' : undefined));
  return { ...strict, goDown: () => fail(true), comeBack: () => fail(false) };
}

// The other ways to run Darkroom differ in what S3 does not touch.
describe.skipIf(inject('settings').REDIS_URL !== undefined || inject('postgresUrl') !== null)('files in an object store', () => {
  let store: ObjectStore;
  let darkroom: TestApp;
  beforeAll(async () => {
    store = await openStore();
    darkroom = await startTestApp({ S3_ENDPOINT: store.endpoint, S3_BUCKET: store.bucket, S3_ACCESS_KEY: store.accessKey, S3_SECRET_KEY: store.secretKey, IMPORT_PREFIX: 'incoming/{viewer}/' });
  });
  afterAll(async () => {
    await darkroom.stop();
    await store.close();
  });

  const listed = async () => {
    const keys: string[] = [];
    for await (const key of darkroom.app.storage.list('')) keys.push(key);
    return keys;
  };

  test('a picture is uploaded, analysed, fetched from the store itself, shown smaller, and deleted with its bytes', async () => {
    const client = await darkroom.client();
    const bytes = await drawSample('red-car.jpg', { width: 480 });
    const id = (await client.uploadAndAnalyze([{ name: 'red car.jpg', bytes }])).get('red car.jpg');
    const { image } = await client.get('query ($id: ID!) { image(id: $id) { url(download: true) { url } rendition(width: 100) { url } analysis { tags { name } } } }', { id });
    expect(image.analysis.tags.length).toBeGreaterThan(0);
    expect(image.url.url.startsWith(`${store.endpoint}/${store.bucket}/originals/`)).toBe(true);

    const response = await fetch(image.url.url);
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
    expect(response.headers.get('content-disposition')).toBe(`attachment; filename="red car.jpg"; filename*=UTF-8''red%20car.jpg`);
    const rendition = await fetch(image.rendition.url);
    expect(rendition.headers.get('content-type')).toMatch(/^image\//);

    // What this server sends itself comes from the store as well.
    const published = await client.get('mutation ($ids: [ID!]!) { setVisibility(ids: $ids, visibility: PUBLIC) { assets { publicUrl } } }', { ids: [id] });
    expect(Buffer.from(await (await fetch(published.setVisibility.assets[0].publicUrl)).arrayBuffer()).equals(bytes)).toBe(true);
    const { archive } = await client.get('query ($ids: [ID!]!) { archive(ids: $ids) { url } }', { ids: [id] });
    const zip = Buffer.from(await (await fetch(archive.url)).arrayBuffer());
    expect([zip.includes('red car.jpg'), zip.includes(bytes)]).toEqual([true, true]);

    expect(await listed()).toHaveLength(1);
    await client.get('mutation ($ids: [ID!]!) { deleteImages(ids: $ids) { missing } }', { ids: [id] });
    expect(await listed()).toEqual([]);
    expect((await fetch(image.url.url)).status).toBe(404);
  });

  test('a picture is sent to the store itself, or resumable past a restart, and becomes an image only when it is the announced one', async () => {
    const client = await darkroom.client();
    const uploads = uploadsOf(client);
    const bytes = await drawSample('red-car.jpg', { width: 500 });
    const announced = { byteSize: bytes.length, sha256: sha256(bytes) };
    const [direct, other, resumable] = await uploads.create([{ filename: 'a.jpg', ...announced }, { filename: 'b.jpg', byteSize: 4, sha256: sha256(bytes) }, { filename: 'c.jpg', ...announced }]);
    expect(direct.url.startsWith(`${store.endpoint}/${store.bucket}/uploads/`)).toBe(true);
    expect((await uploads.send(other, Buffer.from('evil'))).status).toBe(200);
    expect(await uploads.complete([other.uploadId])).toMatchObject([{ code: 'CHECKSUM_MISMATCH' }]);
    expect((await uploads.send(other, Buffer.from('evil bytes, and more'))).status).toBe(200);
    expect(await uploads.complete([other.uploadId])).toMatchObject([{ code: 'CHECKSUM_MISMATCH', message: expect.stringContaining('SHA-256') }]);

    const path = new URL(resumable.resumableUrl).pathname;
    expect(await uploads.resume(resumable.resumableUrl, bytes, { breakAfter: 20_000 })).toBe('broken off');
    await until('what came is in the store', async () => (await uploads.offset(resumable.resumableUrl)) === 20_000);
    await darkroom.restart();
    expect(await uploads.resume(darkroom.url + path, bytes)).toBe('done');
    expect((await uploads.send(direct, bytes)).status).toBe(200);
    const again = uploadsOf(await darkroom.client(client.viewer));
    const [one, two] = await again.complete([direct.uploadId, resumable.uploadId]);
    expect([one.image.id, one.image.width]).toEqual([two.image.id, 500]);
    await darkroom.app.storage.delete((await listed()).filter((key) => key.includes('uploads/')));
    await (await darkroom.client(client.viewer)).get('mutation ($ids: [ID!]!) { deleteImages(ids: $ids) { missing } }', { ids: [one.image.id] });
    expect(await listed()).toEqual([]);
  });

  test('an object under the import prefix becomes an image and stays; no viewer reaches another\'s, nor Darkroom\'s own', async () => {
    const client = await darkroom.client();
    const bytes = await drawSample('red-car.jpg', { width: 180 });
    const key = `incoming/${client.viewer}/holiday/car.jpg`;
    await darkroom.app.storage.put(key, bytes, { byteSize: bytes.length, contentType: 'image/jpeg' });
    const results = await uploadsOf(client).import({ keys: [key, `incoming/${client.viewer}/missing.jpg`, `incoming/somebody/car.jpg`, `incoming/${client.viewer}/../somebody/car.jpg`] });
    expect(results.map(({ code, filename }) => code ?? filename)).toEqual(['car.jpg', 'NOT_FOUND', 'FORBIDDEN', 'FORBIDDEN']);
    expect(await listed()).toContain(key);
    expect(await uploadsOf(await darkroom.client()).import({ keys: [key] })).toMatchObject([{ code: 'FORBIDDEN' }]);
    await client.get('mutation ($ids: [ID!]!) { deleteImages(ids: $ids) { missing } }', { ids: [results[0].image.id] });
    await darkroom.app.storage.delete([key]);
  });

  test('where the prefix is the viewer alone, one with the name of a folder of Darkroom reaches nothing in it', async () => {
    const bytes = await drawSample('red-car.jpg', { width: 190 });
    const keys = ['originals', 'processed', 'uploads', 'somebody'].map((viewer) => `${viewer}/car.jpg`);
    for (const key of keys) await darkroom.app.storage.put(key, bytes, { byteSize: bytes.length, contentType: 'image/jpeg' });
    Object.assign(darkroom.app.config, { IMPORT_PREFIX: '{viewer}/' });
    const outcomes = await Promise.all(keys.map(async (key) => (await uploadsOf(await darkroom.client(key.split('/')[0])).import({ keys: [key] }))[0]));
    Object.assign(darkroom.app.config, { IMPORT_PREFIX: 'incoming/{viewer}/' });
    expect(outcomes.map(({ code, __typename }) => code ?? __typename)).toEqual(['FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN', 'UploadedImage']);
    await darkroom.app.storage.delete(await listed());
  });

  test('while the store is down an upload hears so, and a job waits for it and completes', async () => {
    const client = await darkroom.client();
    const jobs = jobsOf(client);
    const { results } = await client.upload([{ name: 'a.jpg', bytes: await drawSample('red-car.jpg', { width: 200 }) }], { run: [] });
    await store.goDown();

    const another = { name: 'b.jpg', bytes: await drawSample('red-car.jpg', { width: 210 }) };
    const { errors } = await client.send('mutation ($files: [File!]!) { uploadImages(files: $files) { results { __typename } } }', [another]);
    expect(errors?.[0]?.extensions.code).toBe('STORAGE_UNAVAILABLE');
    expect(errors?.[0]?.message).toMatch(/^The file store does not answer right now; try again in a moment\./);
    expect(JSON.stringify(errors)).not.toContain(new URL(store.endpoint).port);
    const health = await fetch(`${darkroom.url}/health/ready`);
    expect(health.status).toBe(503);
    expect(await health.text()).toContain(store.bucket);

    const { id } = await jobs.analyze(results[0].image.id);
    await until('attempts that cost nothing', async () => (await jobs.get(id)).attempts.filter((attempt: { outcome: string }) => attempt.outcome === 'RELEASED').length >= 1, 40_000);
    await store.comeBack();
    const ended = await jobs.end(id);
    expect(ended).toMatchObject({ status: 'COMPLETED' });
    expect(ended.attempts.map((attempt: { outcome: string }) => attempt.outcome)).not.toContain('RETRIED');
    const again = await client.uploadAndAnalyze([another]);
    expect(again.size).toBe(1);
  }, 90_000);

  test('a start without the store is refused in a sentence', async () => {
    await expect(startTestApp({ S3_ENDPOINT: store.endpoint, S3_BUCKET: 'nobody-made-this', S3_ACCESS_KEY: store.accessKey, S3_SECRET_KEY: store.secretKey })).rejects.toThrow(/^The bucket nobody-made-this at .* is not available: NoSuchBucket.*; make the bucket, or correct S3_BUCKET$/);
  });
});

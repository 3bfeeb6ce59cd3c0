import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { drawSample } from '../../src/compute/draw.ts';
import { sweep } from '../../src/assets/sweep.ts';
import { startTestApp, type TestApp } from '../app.ts';
import { sha256, uploadsOf } from '../fixtures/upload-client.ts';
import { until } from '../until.ts';

let darkroom: TestApp;
let car: Buffer;
const files = createServer((request, response) => {
  if (request.url?.split('?')[0] === '/car.jpg') response.writeHead(200, { 'content-type': 'text/html' }).end(car);
  else if (request.url === '/page') response.end('<html>no picture</html>');
  else response.writeHead(404).end();
});
let filesUrl: string;
beforeAll(async () => {
  await once(files.listen(0, '127.0.0.1'), 'listening');
  const place = `127.0.0.1:${(files.address() as AddressInfo).port}`;
  filesUrl = `http://${place}`;
  car = await drawSample('red-car.jpg', { width: 240 });
  darkroom = await startTestApp({ UPLOAD_MAX_BYTES: '8MB', UPLOAD_MAX_FILES: '6', OUTWARD_ALLOWED_HOSTS: place });
});
afterAll(async () => {
  files.close().closeAllConnections();
  await darkroom.stop();
});

const flat = (color: string) => sharp({ create: { width: 200, height: 100, channels: 3, background: color } }).png().toBuffer();
const listed = async () => {
  const keys: string[] = [];
  for await (const key of darkroom.app.storage.list('uploads/')) keys.push(key);
  return keys;
};

test('a file is announced, sent past the API and completed with its jobs; the same call again has the same outcome and starts none', async () => {
  const client = await darkroom.client();
  const uploads = uploadsOf(client);
  const [open] = await uploads.create([{ filename: 'red car.jpg', byteSize: car.length, sha256: sha256(car), contentType: 'image/jpeg' }]);
  expect(open).toMatchObject({ __typename: 'OpenUpload', index: 0, filename: 'red car.jpg', method: 'PUT' });
  expect(await uploads.complete([open.uploadId])).toMatchObject([{ code: 'CHECKSUM_MISMATCH', message: `Expected ${car.length} bytes but 0 have arrived so far` }]);
  expect((await uploads.send(open, car)).status).toBe(204);
  const run = { run: ['ANALYZE'], jobOptions: { priority: 5 }, tags: ['direct'] };
  const [first, ...others] = (await Promise.all([0, 1, 2].map(() => uploads.complete([open.uploadId], run)))).map(([result]) => result);
  expect(others.map(({ image, jobs }) => [image.id, jobs])).toEqual([[first.image.id, first.jobs], [first.image.id, first.jobs]]);
  expect(first).toMatchObject({ __typename: 'UploadedImage', filename: 'red car.jpg', image: { width: 240 }, jobs: [{ operation: { name: 'ANALYZE' } }] });
  expect(await uploads.complete([open.uploadId], run)).toEqual([{ ...first, alreadyStored: true }]);
  expect((await client.untilEnded(first.jobs.map(({ id }: { id: string }) => id))).map(({ status }) => status)).toEqual(['COMPLETED']);
  expect((await client.get('{ jobs { totalCount } images(first: 5) { nodes { userTags } } }'))).toMatchObject({ jobs: { totalCount: 1 } });
  expect(await listed()).toEqual([]);

  expect(await uploads.create([{ filename: 'again.jpg', byteSize: car.length, sha256: sha256(car).toUpperCase() }])).toEqual([{ __typename: 'KnownFile', index: 0, image: { id: first.image.id } }]);
  const stranger = uploadsOf(await darkroom.client());
  expect(await stranger.create([{ filename: 'again.jpg', byteSize: car.length, sha256: sha256(car) }])).toMatchObject([{ __typename: 'OpenUpload' }]);
  expect(await stranger.complete([open.uploadId])).toMatchObject([{ code: 'NOT_FOUND', index: 0 }]);
  await client.get('mutation ($ids: [ID!]!) { deleteImages(ids: $ids) { missing } }', { ids: [first.image.id] });
  expect(await uploads.complete([open.uploadId])).toMatchObject([{ code: 'NOT_FOUND', message: expect.stringContaining('deleted') }]);
});

test('an upload that breaks off goes on where it was, also after a restart of the server, with a tus client', async () => {
  const client = await darkroom.client();
  const bytes = await sharp({ create: { width: 900, height: 900, channels: 3, background: 'grey', noise: { type: 'gaussian', mean: 128, sigma: 40 } } }).png().toBuffer();
  expect(bytes.length).toBeGreaterThan(2_000_000);
  const uploads = uploadsOf(client);
  const [open] = await uploads.create([{ filename: 'noise.png', byteSize: bytes.length, sha256: sha256(bytes) }]);
  const path = new URL(open.resumableUrl).pathname;
  expect(await uploads.resume(open.resumableUrl, bytes, { breakAfter: 1_500_000 })).toBe('broken off');
  // All of it, not only what made a whole piece.
  await until('what came is kept', async () => (await uploads.offset(open.resumableUrl)) === 1_500_000);
  await darkroom.restart();
  const again = uploadsOf(await darkroom.client(client.viewer));
  expect(await again.complete([open.uploadId])).toMatchObject([{ code: 'CHECKSUM_MISMATCH', message: expect.stringContaining('1500000 have arrived') }]);
  expect(await again.resume(darkroom.url + path, bytes, { chunkSize: 700_000 })).toBe('done');
  expect(await again.complete([open.uploadId])).toMatchObject([{ __typename: 'UploadedImage', image: { width: 900 } }]);
  expect((await listed()).filter((key) => key.includes(path.split('/').at(-1)!))).toEqual([]);
});

test('an upload that was not completed in time is refused, and its bytes and later its row are swept', async () => {
  const { app } = darkroom;
  const client = await darkroom.client();
  const uploads = uploadsOf(client);
  const bytes = await flat('#654321');
  const [open, late] = await uploads.create([{ filename: 'open.png', byteSize: bytes.length }, { filename: 'late.png', byteSize: bytes.length }]);
  const idOf = ({ resumableUrl }: { resumableUrl: string }) => resumableUrl.split('/').at(-1)!;
  await uploads.send(open, bytes);
  await uploads.resume(late.resumableUrl, bytes);
  await app.db.upload.update({ where: { id: idOf(late) }, data: { expiresAt: new Date(Date.now() - 1_000) } });
  expect(await uploads.complete([late.uploadId])).toMatchObject([{ code: 'UPLOAD_EXPIRED' }]);
  await expect(uploads.resume(late.resumableUrl, bytes)).rejects.toThrow('410');
  await sweep(app, await sweep(app, new Set()));
  expect((await listed()).filter((key) => key.includes(idOf(late)))).toEqual([]);
  expect(await listed()).toContain(`uploads/${idOf(open)}`);
  await app.db.upload.update({ where: { id: idOf(late) }, data: { expiresAt: new Date(Date.now() - 8 * 24 * 3_600_000) } });
  await sweep(app, new Set());
  expect(await uploads.complete([late.uploadId, open.uploadId])).toMatchObject([{ code: 'NOT_FOUND' }, { __typename: 'UploadedImage' }]);
});

// The other ways to run Darkroom differ in what these do not touch.
describe.skipIf(inject('settings').REDIS_URL !== undefined || inject('postgresUrl') !== null)('however Darkroom runs', () => {
  test('what cannot become an image is refused before a byte is sent, each file for itself', async () => {
    const uploads = uploadsOf(await darkroom.client());
    const results = await uploads.create([
      { filename: 'a.jpg', byteSize: 8_000_001 },
      { filename: 'b.jpg', byteSize: 0 },
      { filename: 'c.jpg', byteSize: 10, sha256: 'abc' },
      { filename: 'd.pdf', byteSize: 10, contentType: 'application/pdf' },
      { filename: 'e.svg', byteSize: 10, contentType: 'image/svg+xml' },
      { filename: 'f.jpg', byteSize: 10 },
    ]);
    expect(results.map(({ code, __typename }) => code ?? __typename)).toEqual(['TOO_LARGE', 'EMPTY', 'INVALID_INPUT', 'UNSUPPORTED_TYPE', 'UNSUPPORTED_TYPE', 'OpenUpload']);
    const { errors } = await (await darkroom.client()).ask('mutation { createUploads(files: []) { results { __typename } } }');
    expect(errors?.[0]?.extensions.code).toBe('INVALID_INPUT');
  });

  test('only the announced bytes are taken at the URL, and only by it', async () => {
    const uploads = uploadsOf(await darkroom.client());
    const bytes = await flat('#123456');
    const [open] = await uploads.create([{ filename: 'a.png', byteSize: bytes.length, sha256: sha256(bytes) }]);
    const send = async (body: Uint8Array | ReadableStream, url = open.url, method = 'PUT') => {
      const response = await fetch(url, { method, body: method === 'PUT' ? (body as BodyInit) : undefined, duplex: 'half' } as RequestInit);
      return [response.status, await response.text()];
    };
    const chunked = (body: Uint8Array) => new Blob([body as BlobPart]).stream();
    expect(await send(Buffer.concat([bytes, Buffer.from('x')]))).toEqual([413, expect.stringContaining(`Expected the ${bytes.length} bytes`)]);
    expect(await send(chunked(Buffer.concat([bytes, Buffer.alloc(100_000)])))).toEqual([413, expect.stringContaining('received more')]);
    expect(await send(chunked(bytes.subarray(1)))).toEqual([422, expect.stringContaining(`received ${bytes.length - 1}`)]);
    expect(await send(Buffer.from(bytes).fill(0, 50, 60))).toEqual([422, expect.stringContaining('SHA-256')]);
    expect(await send(bytes, open.url.replace(/expires=\d/, 'expires=9'))).toEqual([403, expect.stringContaining('changed on the way')]);
    expect(await send(bytes, open.url, 'GET')).toEqual([405, expect.stringContaining('Expected PUT')]);
    expect(await send(bytes, open.url.replace('/put/', '/files/'), 'GET')).toEqual([403, expect.anything()]);
    expect(await listed()).not.toContain(expect.stringContaining(open.uploadId));
    expect(await send(bytes)).toEqual([204, '']);
    expect(await uploads.complete([open.uploadId])).toMatchObject([{ __typename: 'UploadedImage' }]);
    expect(await send(bytes)).toEqual([404, expect.stringContaining('completed')]);
  });

  test('a refusal at the end is final, is the same again, and leaves no bytes', async () => {
    const uploads = uploadsOf(await darkroom.client());
    const bytes = Buffer.from('<html>this is a page</html>');
    const [open] = await uploads.create([{ filename: 'page.jpg', byteSize: bytes.length, contentType: 'image/jpeg' }]);
    await uploads.send(open, bytes);
    const [refused] = await uploads.complete([open.uploadId]);
    expect(refused).toMatchObject({ code: 'UNSUPPORTED_TYPE', filename: 'page.jpg' });
    expect(await uploads.complete([open.uploadId])).toEqual([refused]);
    expect((await listed()).filter((key) => key.includes(Buffer.from(open.uploadId, 'base64').toString().slice(7)))).toEqual([]);
  });

  test('a resumable upload is its viewer\'s, has its announced size and no other, and is opened with createUploads', async () => {
    const client = await darkroom.client();
    const uploads = uploadsOf(client);
    const [{ resumableUrl }] = await uploads.create([{ filename: 'a.png', byteSize: 1_000 }]);
    const tus = async (method: string, { token = client.token, headers = {}, body = undefined as BodyInit | undefined, url = resumableUrl } = {}) => {
      const response = await fetch(url, { method, headers: { ...(token && { authorization: `Bearer ${token}` }), 'tus-resumable': '1.0.0', ...headers }, body });
      return [response.status, await response.text()];
    };
    const patch = (body: Uint8Array, offset = 0) => tus('PATCH', { headers: { 'content-type': 'application/offset+octet-stream', 'upload-offset': String(offset) }, body: body as BodyInit });
    expect((await tus('HEAD'))[0]).toBe(200);
    expect((await tus('HEAD', { token: '' }))[0]).toBe(401);
    expect((await tus('HEAD', { token: (await darkroom.client()).token }))[0]).toBe(404);
    for (const tail of ['x', '?a=b', '/../x', `?x=/${randomUUID()}`]) expect((await tus('HEAD', { url: resumableUrl + tail }))[0]).toBe(404);
    expect(await tus('POST', { url: new URL('.', resumableUrl).href, headers: { 'upload-length': '10' } })).toEqual([404, expect.stringContaining('createUploads')]);
    expect((await patch(Buffer.alloc(1_001)))[0]).toBe(413);
    expect((await patch(Buffer.alloc(600)))[0]).toBe(204);
    expect((await patch(Buffer.alloc(600)))[0]).toBe(409);
    expect((await patch(Buffer.alloc(401), 600))[0]).toBe(413);
    expect((await tus('DELETE'))[0]).toBe(204);
    expect(await uploads.offset(resumableUrl)).toBe(0);
  });

  test('an upload in too many small pieces is refused with a sentence; deleted, it starts anew', async () => {
    const client = await darkroom.client();
    const uploads = uploadsOf(client);
    const [{ resumableUrl }] = await uploads.create([{ filename: 'a.png', byteSize: 1_500 }]);
    const patch = async (offset: number) => {
      const response = await fetch(resumableUrl, { method: 'PATCH', headers: { authorization: `Bearer ${client.token}`, 'tus-resumable': '1.0.0', 'content-type': 'application/offset+octet-stream', 'upload-offset': String(offset) }, body: 'x' });
      return [response.status, await response.text()];
    };
    const piece = (start: number) => darkroom.app.storage.put(`uploads/${resumableUrl.split('/').at(-1)}/${start}-${start + 1}`, Buffer.from('x'), { byteSize: 1, contentType: 'application/octet-stream' });
    await Promise.all(Array.from({ length: 1_000 }, (_, start) => piece(start)));
    expect(await uploads.offset(resumableUrl)).toBe(1_000);
    expect(await patch(1_000)).toEqual([204, '']);
    expect(await patch(1_001)).toEqual([400, expect.stringContaining('at most 1001 pieces for 1500 bytes but 1001 have brought 1001')]);
    expect((await fetch(resumableUrl, { method: 'DELETE', headers: { authorization: `Bearer ${client.token}`, 'tus-resumable': '1.0.0' } })).status).toBe(204);
    expect(await patch(0)).toEqual([204, '']);
  });

  test('pictures come from URLs, each with its own outcome, and no URL leads inside', async () => {
    const client = await darkroom.client();
    const uploads = uploadsOf(client);
    const results = await uploads.import({ urls: [`${filesUrl}/car.jpg?token=secret`, `${filesUrl}/page`, `${filesUrl}/missing`, 'http://169.254.169.254/latest/meta-data', 'http://localhost/'], keys: ['originals/x'] }, { run: ['ANALYZE'] });
    expect(results.map(({ code, __typename }) => code ?? __typename)).toEqual(['UploadedImage', 'UNSUPPORTED_TYPE', 'URL_UNREACHABLE', 'URL_REFUSED', 'URL_REFUSED', 'FORBIDDEN']);
    expect(results.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(results[0]).toMatchObject({ filename: 'car.jpg', image: { width: 240 }, jobs: [{ operation: { name: 'ANALYZE' } }] });
    await client.untilEnded(results[0].jobs.map(({ id }: { id: string }) => id));
    const { errors } = await client.ask('mutation ($urls: [URL!]!) { importImages(urls: $urls) { results { __typename } } }', { urls: Array.from({ length: 7 }, (_, index) => `${filesUrl}/${index}`) });
    expect(errors?.[0]?.extensions.code).toBe('TOO_MANY_FILES');
  });

  test('several jobs start with an upload; what cannot run on a picture alone is refused before anything is stored', async () => {
    const client = await darkroom.client();
    const start = (options: object) => client.send('mutation ($files: [File!]!, $options: UploadOptions) { uploadImages(files: $files, options: $options) { results { __typename } } }', [{ name: 'a.png', bytes: car }], { options });
    const refused = [{ run: ['ANALYZE', 'GENERATE'] }, { jobOptions: { idempotencyKey: 'x' } }, { run: ['ANALYZE', 'REMOVE_BACKGROUND'], jobOptions: { provider: 'local' } }, { jobOptions: { provider: 'nobody' } }, { jobOptions: { priority: 1_000 } }];
    const answers = await Promise.all(refused.map(start));
    expect(answers.map(({ errors }) => errors?.[0]?.extensions.code)).toEqual(['INVALID_INPUT', 'INVALID_INPUT', 'INVALID_INPUT', 'PROVIDER_UNAVAILABLE', 'INVALID_INPUT']);
    expect((await client.get('{ images { totalCount } }')).images.totalCount).toBe(0);

    const { jobs, results } = await client.upload([{ name: 'a.png', bytes: car }], { run: ['ANALYZE', 'REMOVE_BACKGROUND'] });
    expect([jobs.length, results[0].jobs.length]).toEqual([2, 2]);
    for (const { id } of jobs) await client.get('mutation ($id: ID!) { cancelJob(id: $id) { outcome } }', { id });
    await client.untilEnded(jobs.map(({ id }: { id: string }) => id));
  });
});

import { randomBytes, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, describe, expect, test } from 'vitest';
import { createLog } from '../src/log.ts';
import { s3Storage } from '../src/storage/s3.ts';
import { openSwiftBucket } from './fixtures/swift.ts';
import { describeStorage } from './storage-contract.ts';

const swift = await openSwiftBucket();
afterAll(() => swift?.close());

const open = (changes: object = {}) => {
  if (!swift) throw new Error('Expected a Swift');
  const { endpoint, accessKey, secretKey } = swift.server;
  const settings = { endpoint, accessKey, secretKey, publicEndpoint: endpoint, bucket: swift.bucket, region: 'us-east-1', pathStyle: true, encryption: 'none' as const };
  return s3Storage({ ...settings, ...changes }, createLog('silent'));
};

describe.skipIf(!swift)('on OpenStack Swift', () => {
  describeStorage('S3', async () => {
    const storage = await open();
    return { storage, close: () => storage.close() };
  });

  test('a body of many parts comes back byte for byte, and one that breaks leaves no part', async () => {
    const storage = await open();
    const bytes = randomBytes(20_000_000);
    const key = `processed/${randomUUID()}`;
    await storage.put(key, Readable.from([bytes.subarray(0, 9_000_000), bytes.subarray(9_000_000)]), { byteSize: bytes.length, contentType: 'model/gltf-binary' });
    expect((await buffer(await storage.get(key))).equals(bytes)).toBe(true);
    expect((await buffer(await storage.get(key, { start: 8_388_600, end: 8_388_619 }))).equals(bytes.subarray(8_388_600, 8_388_620))).toBe(true);

    const broken = Readable.from((async function* () {
      yield bytes.subarray(0, 18_000_000);
      throw new Error('the line went dead');
    })());
    await expect(storage.put(key, broken, { byteSize: bytes.length, contentType: 'image/png' })).rejects.toThrow('the line went dead');
    expect(await storage.stat(key)).toEqual({ byteSize: bytes.length, contentType: 'model/gltf-binary' });
    expect((await swift?.client.listIncompleteUploadsQuery(swift.bucket, '', '', '', ''))?.uploads).toEqual([]);
    await storage.close();
  });

  test('a signed URL hands out what it names, under the name it says, for the longest time too, and nothing else', async () => {
    const storage = await open();
    const [original, picture, model] = [`originals/${randomUUID()}`, `processed/${randomUUID()}`, `processed/${randomUUID()}`];
    for (const [key, contentType] of [[original, 'image/png'], [picture, 'image/webp'], [model, 'model/gltf-binary']] as const) await storage.put(key, Buffer.from('bytes'), { byteSize: 5, contentType });
    const dispositionOf = async (key: string, downloadAs?: string, expiresInSeconds = 600) => {
      const response = await fetch(await storage.signedUrl(key, { expiresInSeconds, downloadAs }));
      expect(await response.text()).toBe('bytes');
      return response.headers.get('content-disposition');
    };
    expect(await dispositionOf(original)).toBe('attachment');
    expect(await dispositionOf(picture, undefined, 7 * 24 * 3600)).toBe('inline');
    expect(await dispositionOf(model)).toBe('attachment');
    expect(await dispositionOf(picture, 'č & "d"?.png')).toBe(`attachment; filename="_ & _d__.png"; filename*=UTF-8''%C4%8D%20%26%20_d__.png`);

    const url = await storage.signedUrl(original, { expiresInSeconds: 600 });
    expect((await fetch(url.replace('response-content-disposition=attachment', 'response-content-disposition=inline'))).status).toBe(403);
    expect((await fetch(url.replace(original, picture))).status).toBe(403);
    expect((await fetch(url.replace(/Signature=./, 'Signature=g'))).status).toBe(403);
    await storage.close();
  });

  test.each([
    ['the bucket', { bucket: 'nobody-made-this' }, 'make the bucket, or correct S3_BUCKET'],
    ['the secret', { secretKey: 'wrong' }, 'check S3_ACCESS_KEY and S3_SECRET_KEY'],
    ['the key', { accessKey: 'nobody' }, 'check S3_ACCESS_KEY and S3_SECRET_KEY'],
    ['the region', { region: 'mars-north-1' }, 'check S3_ENDPOINT and S3_REGION'],
    ['encryption that it cannot do', { encryption: 'AES256' as const }, 'set S3_ENCRYPTION=none'],
  ])('a start with %s wrong is refused with what helps', async (_what, changes, help) => {
    await expect(open(changes)).rejects.toThrow(help);
  });
});

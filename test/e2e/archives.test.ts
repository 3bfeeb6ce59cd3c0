import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { fromBufferPromise } from 'yauzl';
import { drawSample } from '../../src/compute/draw.ts';
import { startTestApp, type TestApp } from '../app.ts';
import type { TestClient } from '../client.ts';

// The ways to run Darkroom do not differ here.
describe.skipIf(inject('settings').REDIS_URL !== undefined || inject('postgresUrl') !== null)('archives', () => {
  let darkroom: TestApp;
  let client: TestClient;
  let red: { name: string; bytes: Buffer };
  let mug: { name: string; bytes: Buffer };
  beforeAll(async () => {
    darkroom = await startTestApp();
    client = await darkroom.client();
    red = { name: 'photo.hta', bytes: await drawSample('red-car.jpg', { width: 200 }) };
    mug = { name: 'mug.jpg', bytes: await drawSample('yellow-mug-on-white.jpg', { width: 400 }) };
  });
  afterAll(() => darkroom.stop());

  const archive = 'query ($ids: [ID!]!, $name: String) { archive(ids: $ids, name: $name) { url expiresAt } }';
  const remove = 'mutation ($ids: [ID!]!) { deleteImages(ids: $ids) { missing } }';
  async function filesOf(response: Response) {
    const zip = await fromBufferPromise(Buffer.from(await response.arrayBuffer()));
    const files: [string, Buffer][] = [];
    for await (const entry of zip.eachEntry()) files.push([entry.fileName, await buffer(await zip.openReadStreamPromise(entry))]);
    return files;
  }
  async function store(): Promise<string[]> {
    const { results } = await client.upload([red, mug], { run: [] });
    return results.map((result: { image: { id: string } }) => result.image.id);
  }

  test('selected pictures come as one zip in the order asked for, each once, under names that their types allow', async () => {
    const [car, cup] = await store();
    const { url } = (await client.get(archive, { ids: [cup, car, cup], name: '../müll' })).archive;
    const response = await fetch(url);
    expect([response.headers.get('content-type'), response.headers.get('content-disposition')]).toEqual(['application/zip', `attachment; filename="_m_ll.zip"; filename*=UTF-8''_m%C3%BCll.zip`]);
    expect(await filesOf(response)).toEqual([['mug.jpg', mug.bytes], ['photo.hta.jpg', red.bytes]]);
    expect((await fetch(url.replace('assets=', 'assets=AA'))).status).toBe(403);
  });

  test('an archive is whole or it is not: what is not the viewer\'s is not there, and what was deleted ends its link', async () => {
    const ids = await store();
    const stranger = await darkroom.client();
    expect((await stranger.ask(archive, { ids })).errors?.[0]).toMatchObject({ message: 'There is no file with the id at place 0 of ids', extensions: { code: 'NOT_FOUND' } });
    for (const [wrong, count] of [[[], 0], [Array.from({ length: 101 }, (_, index) => Buffer.from(`Image:${String(index).padStart(8, '0')}-0000-0000-0000-000000000000`).toString('base64')), 101]] as const) {
      expect((await client.ask(archive, { ids: wrong })).errors?.[0]?.message).toBe(`Expected 1 to 100 files for an archive but received ${count}`);
    }
    const { url } = (await client.get(archive, { ids })).archive;
    await client.get(remove, { ids: ids.slice(0, 1) });
    const response = await fetch(url);
    expect([response.status, await response.text()]).toEqual([404, '1 of the 2 files of this archive were deleted. Ask the API for a new link.\n']);
  });

  test('everything that a job made comes as one zip, also where the same work was done before; a job that made nothing has none', async () => {
    const [, cup] = await store();
    const start = 'mutation ($id: ID!) { removeBackground(imageId: $id, input: { output: BOTH }) { id } }';
    const read = 'query ($id: ID!) { job(id: $id) { cacheHit outputs { id } archiveUrl { url expiresAt } } }';
    for (const cacheHit of [false, true]) {
      const { removeBackground } = await client.get(start, { id: cup });
      await client.untilEnded([removeBackground.id]);
      const { job } = await client.get(read, { id: removeBackground.id });
      expect(job.cacheHit).toBe(cacheHit);
      const response = await fetch(job.archiveUrl.url);
      expect(response.headers.get('content-disposition')).toMatch(/^attachment; filename="remove-background-\d{4}-\d\d-\d\d.zip"/);
      expect((await filesOf(response)).map(([name, bytes]) => [name, bytes.subarray(1, 4).toString()])).toEqual([['mug-cutout.png', 'PNG'], ['mug-mask.png', 'PNG']]);
      if (cacheHit) await client.get(remove, { ids: job.outputs.map(({ id }: { id: string }) => id) });
      expect((await client.get(read, { id: removeBackground.id })).job.archiveUrl === null).toBe(cacheHit);
    }
  });
});

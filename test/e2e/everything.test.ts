import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { fromBufferPromise } from 'yauzl';
import { drawSample } from '../../src/compute/draw.ts';
import { startTestApp, type TestApp } from '../app.ts';
import type { TestClient } from '../client.ts';

const photograph = fileURLToPath(new URL('../../../shared/data/cutout-photos/horse.jpg', import.meta.url));

// What each step does by each way to run is in the tests of the steps; this is about how they fit together.
describe.skipIf(inject('settings').REDIS_URL !== undefined || inject('postgresUrl') !== null)('everything', () => {
  let darkroom: TestApp;
  let client: TestClient;
  beforeAll(async () => {
    darkroom = await startTestApp();
    client = await darkroom.client();
  });
  afterAll(() => darkroom.stop());

  const file = 'id filename sha256 contentType url { url } producedBy { id inputs { id } }';
  const cutOutMutation = 'mutation ($id: ID!, $input: RemoveBackgroundInput) { removeBackground(imageId: $id, input: $input) { id } }';
  const modelMutation = 'mutation ($ids: [ID!]!) { createModel3d(imageIds: $ids, input: { faces: 4000, textureSize: 512 }) { id } }';
  const jobQuery = `query ($id: ID!) { job(id: $id) { status archiveUrl { url } outputs { ${file} } result {
    ... on RemoveBackgroundResult { coverage confidence box { pixels { x y width height } } cutout { width height ${file} } }
    ... on Model3DResult { models { ... on CreatedModel3D { model { faceCount vertexCount image { id } thumbnail { width } ${file} } } } } } } }`;

  async function run(mutation: string, variables: object) {
    const [id] = Object.values(await client.get(mutation, variables)).map((job) => (job as { id: string }).id);
    await client.untilEnded([id!]);
    const { job } = await client.get(jobQuery, { id });
    expect(job.status).toBe('COMPLETED');
    return { id, ...job };
  }

  const fetched = async ({ url }: { url: string }) => Buffer.from(await (await fetch(url)).arrayBuffer());
  const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  async function digestsIn(zip: Buffer) {
    const entries: [string, string][] = [];
    const opened = await fromBufferPromise(zip);
    for await (const entry of opened.eachEntry()) entries.push([entry.fileName, digest(await buffer(await opened.openReadStreamPromise(entry)))]);
    return entries;
  }

  test('a photograph goes through everything: analysed, cut out, put on white, made a 3D model, and fetched as a zip of the very bytes', async () => {
    const bytes = existsSync(photograph) ? await sharp(photograph).resize(640).jpeg().toBuffer() : await drawSample('yellow-mug-on-white.jpg', { width: 640 });
    const id = (await client.uploadAndAnalyze([{ name: 'subject.jpg', bytes }])).get('subject.jpg')!;
    const { image } = await client.get(`query ($id: ID!) { image(id: $id) { width height analysis { caption { text } colors { dominant } } ${file} } }`, { id });
    expect(image).toMatchObject({ sha256: digest(bytes), producedBy: null, analysis: { caption: { text: expect.stringMatching(/\w/) as string } } });

    const cutOut = await run(cutOutMutation, { id });
    const { coverage, box, cutout } = cutOut.result;
    expect(box.pixels.x + box.pixels.width).toBeLessThanOrEqual(image.width);
    expect(box.pixels.y + box.pixels.height).toBeLessThanOrEqual(image.height);
    const pixels = await sharp(await fetched(cutout.url)).raw().toBuffer({ resolveWithObject: true });
    expect(pixels.info).toMatchObject({ channels: 4, width: cutout.width, height: cutout.height });
    // Trimmed to the box, with a margin of 4 % of the longer side.
    const margin = 0.04 * Math.max(box.pixels.width, box.pixels.height);
    expect(Math.abs(cutout.width - box.pixels.width - 2 * margin)).toBeLessThanOrEqual(4);
    expect(Math.abs(cutout.height - box.pixels.height - 2 * margin)).toBeLessThanOrEqual(4);
    let opaque = 0;
    for (let place = 3; place < pixels.data.length; place += 4) opaque += pixels.data[place]! / 255;
    expect(opaque / (image.width * image.height)).toBeCloseTo(coverage, 1);

    const onWhite = await run(cutOutMutation, { id, input: { backgroundColor: '#ffffff', aspectRatio: '1:1', padding: 0.1 } });
    const white = sharp(await fetched(onWhite.result.cutout.url)).removeAlpha();
    const { width, height } = await white.metadata();
    expect(width).toBe(height);
    for (const [left, top] of [[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]] as const) {
      expect([...(await white.clone().extract({ left, top, width: 1, height: 1 }).raw().toBuffer())]).toEqual([255, 255, 255]);
    }
    expect((await white.stats()).channels[0]!.min).toBeLessThan(200);

    const made = await run(modelMutation, { ids: [cutout.id] });
    const { model } = made.result.models[0];
    expect(model).toMatchObject({ contentType: 'model/gltf-binary', filename: 'subject-cutout-3d.glb', image: { id: cutout.id }, thumbnail: { width: 512 } });
    const glb = await fetched(model.url);
    expect([glb.toString('latin1', 0, 4), glb.readUInt32LE(4), glb.readUInt32LE(8)]).toEqual(['glTF', 2, glb.length]);
    const gltf = JSON.parse(glb.toString('utf8', 20, 20 + glb.readUInt32LE(12))) as { accessors: { count: number; type: string }[]; meshes: { primitives: { indices: number; attributes: { POSITION: number } }[] }[] };
    const [primitive] = gltf.meshes[0]!.primitives;
    expect(model.faceCount).toBeGreaterThan(500);
    expect(gltf.accessors[primitive!.indices]!.count).toBe(3 * model.faceCount);
    expect(gltf.accessors[primitive!.attributes.POSITION]!.count).toBe(model.vertexCount);

    // What came from what is told by every file.
    for (const [job, source] of [[cutOut, id], [onWhite, id], [made, cutout.id]]) {
      for (const output of job.outputs) expect(output.producedBy).toEqual({ id: job.id, inputs: [{ id: source }] });
      const expected = await Promise.all(job.outputs.map(async ({ filename, url, sha256 }: { filename: string; url: { url: string }; sha256: string }) => {
        expect(digest(await fetched(url))).toBe(sha256);
        return [filename, sha256];
      }));
      expect(await digestsIn(await fetched(job.archiveUrl))).toEqual(expected);
    }

    const files = [image, cutout, onWhite.result.cutout, model];
    const { archive } = await client.get('query ($ids: [ID!]!) { archive(ids: $ids) { url } }', { ids: files.map((each) => each.id) });
    const names = ['subject.jpg', 'subject-cutout.png', 'subject-cutout (2).png', 'subject-cutout-3d.glb'];
    expect(await digestsIn(await fetched(archive))).toEqual(files.map(({ sha256 }, index) => [names[index], sha256]));
  });
});

import { validateBytes } from 'gltf-validator';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { drawSample } from '../../src/compute/draw.ts';
import { startTestApp, type TestApp } from '../app.ts';
import type { TestClient } from '../client.ts';
import { orderedPicture, orderedTasks } from '../fixtures/ordered-picture.ts';
import { until } from '../until.ts';

let darkroom: TestApp;
let client: TestClient;
beforeAll(async () => {
  darkroom = await startTestApp({ JOB_CONCURRENCY: '2', SHUTDOWN_TIMEOUT: '300ms' }, orderedTasks);
  client = await darkroom.client();
});
afterAll(() => darkroom.stop());

const start = 'mutation ($ids: [ID!]!, $input: Model3DInput, $options: JobOptions) { createModel3d(imageIds: $ids, input: $input, options: $options) { id status cacheHit } }';
const model = 'id filename contentType shape faceCount vertexCount url(download: true) { url } thumbnail { id filename width height hasUrl: url { url } } image { id } producedBy { id }';
const read = `query ($id: ID!) { job(id: $id) { id status cacheHit progress attempts { outcome } outputs { id filename } failure { code message retryable }
  result { ... on Model3DResult { models { __typename ... on CreatedModel3D { index model { ${model} } } ... on FailedModel3D { index code message hint retryable image { id } } } } } } }`;

const patienceMs = 40_000;
const store = async (...files: { name: string; bytes: Buffer }[]) => [...(await client.uploadAndAnalyze(files, { run: [] })).values()];
const mug = async (width: number) => ({ name: `mug-${width}.jpg`, bytes: await drawSample('yellow-mug-on-white.jpg', { width }) });
const plain = async (background: string) => ({ name: `plain-${background.slice(1)}.png`, bytes: await sharp({ create: { width: 120, height: 90, channels: 3, background } }).png().toBuffer() });
const begin = async (ids: string[], input: object = {}, options: object = {}) => (await client.get(start, { ids, input: { faces: 2000, textureSize: 256, ...input }, options })).createModel3d.id as string;
const look = async (id: string) => (await client.get(read, { id })).job;
const filenames = async (id: string) => (await look(id)).outputs.map((asset: { filename: string }) => asset.filename);

async function create(...work: Parameters<typeof begin>) {
  const id = await begin(...work);
  await client.untilEnded([id]);
  return look(id);
}

test('each picture becomes a sound model with a picture of it: a body where a subject stands out, a relief where none does', async () => {
  const ids = await store(await mug(320), { name: 'wood.jpg', bytes: await drawSample('misty-forest.jpg', { width: 320 }) });
  const job = await create(ids);
  expect(job).toMatchObject({ status: 'COMPLETED', progress: 100 });
  expect(job.outputs.map((asset: { filename: string }) => asset.filename)).toEqual(['mug-320-3d.webp', 'mug-320-3d.glb', 'wood-3d.webp', 'wood-3d.glb']);
  const made = job.result.models.map((outcome: { model: object }) => outcome.model);
  expect(made).toMatchObject([{ shape: 'INFLATED', image: { id: ids[0] } }, { shape: 'RELIEF', image: { id: ids[1] } }]);
  for (const { faceCount, vertexCount, contentType, filename, url, thumbnail } of made) {
    expect(contentType).toBe('model/gltf-binary');
    const response = await fetch(url.url);
    expect(response.headers.get('content-disposition')).toContain(filename);
    const report = await validateBytes(new Uint8Array(await response.arrayBuffer()));
    expect(report).toMatchObject({ issues: { numErrors: 0, numWarnings: 0 }, info: { totalTriangleCount: faceCount, totalVertexCount: vertexCount } });
    expect(faceCount).toBeLessThanOrEqual(2000);
    const picture = sharp(Buffer.from(await (await fetch(thumbnail.hasUrl.url)).arrayBuffer()));
    expect(await picture.metadata()).toMatchObject({ format: 'webp', width: 512, height: 512, hasAlpha: true });
  }
  const { models } = await client.get('{ models(first: 1) { totalCount pageInfo { endCursor } edges { node { id } } nodes { shape } } }');
  expect(models).toMatchObject({ totalCount: 2, edges: [{ node: { id: made[1].id } }], nodes: [{ shape: 'RELIEF' }] });
  const rest = await client.get('query ($after: String!) { models(after: $after) { edges { node { filename } } } }', { after: models.pageInfo.endCursor });
  expect(rest.models.edges).toEqual([{ node: { filename: 'mug-320-3d.glb' } }]);

  expect(await create(ids)).toMatchObject({ cacheHit: true, outputs: job.outputs, result: { models: [{ model: { id: made[0].id, image: { id: ids[0] } } }, { model: { id: made[1].id } }] } });
});

test('a picture that fails does not spoil the others, and says why; when all fail the job does', async () => {
  const ids = await store(await plain('#3a6ea5'), await mug(200));
  const job = await create(ids, { shape: 'INFLATED' });
  expect(job.status).toBe('COMPLETED');
  expect(job.result.models).toMatchObject([
    { __typename: 'FailedModel3D', index: 0, code: 'NO_SUBJECT', retryable: false, image: { id: ids[0] } },
    { __typename: 'CreatedModel3D', index: 1, model: { filename: 'mug-200-3d.glb' } },
  ]);
  expect(await create([ids[0]!], { shape: 'INFLATED' })).toMatchObject({ status: 'FAILED', failure: { code: 'NO_SUBJECT', message: expect.not.stringContaining('pictures') }, outputs: [] });
  const others = await store(await plain('#a05a2c'), await plain('#2ca05a'));
  expect(await create([ids[0]!, ...others], { shape: 'INFLATED' })).toMatchObject({
    status: 'FAILED',
    failure: { code: 'NO_SUBJECT', retryable: false, message: expect.stringMatching(/^None of the 3 pictures became a model\. By their places in imageIds: 0, 1, 2: \S/) },
  });
});

test('a retry is for the same pictures: where one was deleted since it is refused', async () => {
  const ids = await store(await plain('#a0305a'), await plain('#30a05a'));
  const { id } = await create(ids, { shape: 'INFLATED' });
  const retry = async () => (await client.get('mutation ($ids: [ID!]!) { retryJobs(ids: $ids) { jobs { id } refusals { code message } } }', { ids: [id] })).retryJobs;
  const again = await retry();
  expect(again).toMatchObject({ jobs: [{}], refusals: [] });
  await client.untilEnded([again.jobs[0].id]);
  await client.get('mutation ($ids: [ID!]!) { deleteImages(ids: $ids) { missing } }', { ids: [ids[1]] });
  expect(await retry()).toEqual({ jobs: [], refusals: [{ code: 'NOT_FOUND', message: 'Expected all inputs of this job, of which there were 2, but found 1: what is missing was deleted' }] });
});

test('models that are there stay when the job is cancelled', async () => {
  const held = await orderedPicture('hold');
  const id = await begin(await store(await mug(180), held));
  await until('the first model to be there', async () => held.runs().length === 1 && (await filenames(id)).length === 2, patienceMs);
  expect((await client.get('mutation ($id: ID!) { cancelJob(id: $id) { outcome } }', { id })).cancelJob.outcome).toBe('REQUESTED');
  await client.untilEnded([id]);
  expect(await look(id)).toMatchObject({ status: 'CANCELLED', outputs: [{ filename: 'mug-180-3d.webp' }, { filename: 'mug-180-3d.glb' }] });
});

test('a job that was interrupted goes on with the pictures that are left', async () => {
  const [first, second] = [await orderedPicture('measure'), await orderedPicture('hold', 'measure')];
  const id = await begin(await store({ ...first, name: 'first.png' }, { ...second, name: 'second.png' }), { shape: 'RELIEF' });
  await until('the second picture to be at work', async () => second.runs().length === 1 && (await filenames(id)).length === 2, patienceMs);
  const { outputs } = await look(id);
  await darkroom.restart();
  client = await darkroom.client(client.viewer);
  await client.untilEnded([id]);
  const job = await look(id);
  expect(job).toMatchObject({ status: 'COMPLETED', attempts: [{ outcome: 'RELEASED' }, { outcome: 'COMPLETED' }] });
  expect(job.outputs).toHaveLength(4);
  expect(job.outputs.slice(0, 2)).toEqual(outputs);
  expect([first.runs().length, second.runs().length]).toEqual([1, 2]);
});

test('a deleted model takes its thumbnail with it, and leaves the picture it was made from', async () => {
  const [id] = await store(await mug(160));
  const { result, outputs } = await create([id!]);
  const [{ model }] = result.models;
  const { deleteAssets } = await client.get('mutation ($ids: [ID!]!) { deleteAssets(ids: $ids) { deletedIds missing } }', { ids: [model.id] });
  expect(deleteAssets).toEqual({ deletedIds: [model.id], missing: 0 });
  expect((await client.get('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: [id, ...outputs.map((asset: { id: string }) => asset.id)] })).nodes).toEqual([{ id }, null, null]);
  expect((await fetch(model.url.url)).status).not.toBe(200);
  expect(await create([id!])).toMatchObject({ cacheHit: false, status: 'COMPLETED' });
});

test('a wish that cannot be is refused in a sentence', async () => {
  const [id] = await store(await mug(140));
  const strange = (await (await darkroom.client()).uploadAndAnalyze([await mug(141)], { run: [] })).get('mug-141.jpg');
  const refusal = async (variables: object) => (await client.ask(start, { ids: [id], ...variables })).errors?.[0];
  const invalid = (message: RegExp) => ({ extensions: { code: 'INVALID_INPUT' }, message: expect.stringMatching(message) as string });
  expect(await refusal({ ids: [] })).toMatchObject(invalid(/1 to 25 imageIds but received 0/));
  expect(await refusal({ ids: Array.from({ length: 26 }, () => id) })).toMatchObject(invalid(/received 26/));
  expect(await refusal({ ids: [id, id] })).toMatchObject(invalid(/every image once/));
  expect(await refusal({ input: { faces: 499 } })).toMatchObject(invalid(/faces/));
  expect(await refusal({ ids: [id, strange] })).toMatchObject({ extensions: { code: 'NOT_FOUND' }, message: expect.stringMatching(/place 1/) as string });
});

import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { drawSample } from '../../src/compute/draw.ts';
import { startTestApp, type TestApp } from '../app.ts';
import type { TestClient } from '../client.ts';

let darkroom: TestApp;
let client: TestClient;
beforeAll(async () => {
  darkroom = await startTestApp();
  client = await darkroom.client();
});
afterAll(() => darkroom.stop());

const start = 'mutation ($id: ID!, $input: RemoveBackgroundInput, $options: JobOptions) { removeBackground(imageId: $id, input: $input, options: $options) { id status cacheHit } }';
const read = `query ($id: ID!) { job(id: $id) { status cacheHit outputs { id filename contentType } failure { code message hint retryable }
  result { ... on RemoveBackgroundResult { coverage confidence box { x y width height pixels { width height } } cutout { id width height url { url } } mask { id width height url { url } } } } } }`;

async function cutOut(id: string | undefined, input: object = {}, options: object = {}) {
  const { removeBackground: job } = await client.get(start, { id, input, options });
  await client.untilEnded([job.id]);
  return { ...(await client.get(read, { id: job.id })).job, id: job.id };
}
const stored = async (name: string, bytes: Buffer) => (await client.uploadAndAnalyze([{ name, bytes }], { run: [] })).get(name);
const fetched = async (image: { url: { url: string } }) => sharp(Buffer.from(await (await fetch(image.url.url)).arrayBuffer()));

test('a subject is cut out, trimmed to itself, as a transparent picture and a mask that fit each other', async () => {
  const id = await stored('yellow-mug-on-white.jpg', await drawSample('yellow-mug-on-white.jpg', { width: 640 }));
  const job = await cutOut(id, { output: 'BOTH' });
  expect(job).toMatchObject({ status: 'COMPLETED', outputs: [{ filename: 'yellow-mug-on-white-cutout.png', contentType: 'image/png' }, { filename: 'yellow-mug-on-white-mask.png' }] });
  const { cutout, mask, box, coverage } = job.result;
  expect([mask.width, mask.height]).toEqual([cutout.width, cutout.height]);
  expect(coverage).toBeGreaterThan(0.03);
  expect(box.pixels.width).toBeCloseTo(box.width * 640, -1);

  const pixels = await (await fetched(cutout)).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  const alphaAt = (x: number, y: number) => pixels.data[(y * pixels.info.width + x) * 4 + 3];
  expect(alphaAt(1, 1)).toBe(0);
  expect(alphaAt(Math.floor(pixels.info.width / 2), Math.floor(pixels.info.height / 2))).toBe(255);
});

test('what a job made is an image like any other: found, linked to its job, deleted', async () => {
  const id = await stored('mug.jpg', await drawSample('yellow-mug-on-white.jpg', { width: 500 }));
  const { result } = await cutOut(id, { format: 'WEBP', backgroundColor: '#ffffff' });
  expect(await cutOut(id, { format: 'WEBP', backgroundColor: 'White' })).toMatchObject({ cacheHit: true });
  const { image, searchImages } = await client.get('query ($id: ID!) { image(id: $id) { format producedBy { inputs { id } } } searchImages(query: "mug cutout") { nodes { id } } }', { id: result.cutout.id });
  expect(image).toEqual({ format: 'WEBP', producedBy: { inputs: [{ id }] } });
  expect(searchImages.nodes.map((node: { id: string }) => node.id)).toContain(result.cutout.id);
  const corner = await (await fetched(result.cutout)).removeAlpha().extract({ left: 0, top: 0, width: 1, height: 1 }).raw().toBuffer();
  expect([...corner]).toEqual([255, 255, 255]);
});

test('the same cut-out again is answered at once with the same files, until one of them is deleted', async () => {
  const id = await stored('again.jpg', await drawSample('yellow-mug-on-white.jpg', { width: 420 }));
  const first = await cutOut(id);
  const again = await cutOut(id);
  expect(again).toMatchObject({ cacheHit: true, outputs: first.outputs });
  expect(await cutOut(id, { padding: 0.2 })).toMatchObject({ cacheHit: false });
  await client.get('mutation ($ids: [ID!]!) { deleteImages(ids: $ids) { missing } }', { ids: [first.result.cutout.id] });
  const anew = await cutOut(id);
  expect(anew).toMatchObject({ status: 'COMPLETED', cacheHit: false });
  expect(anew.result.cutout.id).not.toBe(first.result.cutout.id);
});

test('a picture without a subject says so instead of returning nonsense', async () => {
  const id = await stored('plain.png', await sharp({ create: { width: 300, height: 200, channels: 3, background: '#3a6ea5' } }).png().toBuffer());
  expect(await cutOut(id)).toMatchObject({ status: 'FAILED', outputs: [], result: null, failure: { code: 'NO_SUBJECT', retryable: false } });
});

test('an image of the viewer lies under the subject, and of nobody else; a retry without it is refused', async () => {
  const id = await stored('mug.jpg', await drawSample('yellow-mug-on-white.jpg', { width: 500 }));
  const blue = await stored('blue.png', await sharp({ create: { width: 90, height: 120, channels: 3, background: '#2040c0' } }).png().toBuffer());
  const job = await cutOut(id, { backgroundImageId: blue, format: 'JPEG', aspectRatio: '1:1' });
  expect(job).toMatchObject({ status: 'COMPLETED', outputs: [{ filename: 'mug-cutout.jpg', contentType: 'image/jpeg' }], result: { cutout: { width: job.result.cutout.height } } });
  const [red, green, blueness] = await (await fetched(job.result.cutout)).raw().toBuffer();
  for (const [value, expected] of [[red, 0x20], [green, 0x40], [blueness, 0xc0]]) expect(Math.abs(value! - expected!)).toBeLessThan(8);

  const stranger = await darkroom.client();
  expect((await stranger.ask(start, { id: blue, input: {} })).errors?.[0]?.extensions?.['code']).toBe('NOT_FOUND');
  const theirs = (await stranger.uploadAndAnalyze([{ name: 'theirs.png', bytes: await sharp({ create: { width: 64, height: 64, channels: 3, background: '#123456' } }).png().toBuffer() }], { run: [] })).get('theirs.png');
  expect((await client.ask(start, { id, input: { backgroundImageId: theirs } })).errors?.[0]).toMatchObject({ message: 'There is no background image with this id', extensions: { code: 'NOT_FOUND' } });

  const empty = await stored('empty.png', await sharp({ create: { width: 200, height: 200, channels: 3, background: '#777' } }).png().toBuffer());
  const failed = await cutOut(empty, { backgroundImageId: blue });
  expect(failed.failure.code).toBe('NO_SUBJECT');
  await client.get('mutation ($ids: [ID!]!) { deleteImages(ids: $ids) { missing } }', { ids: [blue] });
  const { retryJobs } = await client.get('mutation ($ids: [ID!]!) { retryJobs(ids: $ids) { jobs { id } refusals { code } } }', { ids: [failed.id] });
  expect(retryJobs).toEqual({ jobs: [], refusals: [{ code: 'NOT_FOUND' }] });
});

test('many pictures are cut out in one request, and a bad id is refused alone', async () => {
  const ids = [await stored('one.jpg', await drawSample('yellow-mug-on-white.jpg', { width: 300 })), await stored('two.jpg', await drawSample('yellow-mug-on-white.jpg', { width: 320 }))];
  const batch = 'mutation ($ids: [ID!]!, $input: RemoveBackgroundInput) { removeBackgrounds(imageIds: $ids, input: $input) { jobs { id } refusals { id code } } }';
  const gone = Buffer.from(`Image:${crypto.randomUUID()}`).toString('base64');
  const { removeBackgrounds } = await client.get(batch, { ids: [ids[0], gone, ids[1]], input: { format: 'WEBP' } });
  expect(removeBackgrounds).toMatchObject({ jobs: [{}, {}], refusals: [{ id: gone, code: 'NOT_FOUND' }] });
  await client.untilEnded(removeBackgrounds.jobs.map((job: { id: string }) => job.id));
  for (const { id } of removeBackgrounds.jobs) expect((await client.get(read, { id })).job).toMatchObject({ status: 'COMPLETED', outputs: [{ contentType: 'image/webp' }] });
  expect((await client.ask(batch, { ids: Array.from({ length: 101 }, () => ids[0]) })).errors?.[0]?.message).toMatch(/at most 100 imageIds but received 101/);
});

test('a wish that cannot be is refused in a sentence, and a model that is not there is said to be missing', async () => {
  const id = await stored('wish.jpg', await drawSample('red-car.jpg', { width: 300 }));
  const refusal = async (variables: object) => (await client.ask(start, { id, ...variables })).errors?.[0];
  expect(await refusal({ input: { padding: 3 } })).toMatchObject({ extensions: { code: 'INVALID_INPUT' }, message: expect.stringMatching(/padding/) });
  expect(await refusal({ input: { backgroundColor: 'reddish' } })).toMatchObject({ extensions: { code: 'INVALID_INPUT' }, message: expect.stringMatching(/#ffffff.* but received "reddish"/) });
  expect(await refusal({ input: { format: 'JPEG' } })).toMatchObject({ extensions: { code: 'INVALID_INPUT' }, message: expect.stringMatching(/JPEG, which has no transparency/) });
  expect(await refusal({ input: { crop: { x: 0.5, y: 0, width: 0.6, height: 1 } } })).toMatchObject({ extensions: { code: 'INVALID_INPUT' }, message: expect.stringMatching(/within the picture/) });
  expect((await refusal({ input: { aspectRatio: '16/9' } }))?.message).toBe('The parameters of remove-background are not valid:\n✖ Expected width and height such as "4:5" but received "16/9"\n  → at aspectRatio');
  expect((await refusal({ options: { idempotencyKey: 'é' } }))?.message).toBe('Expected idempotencyKey to be 1 to 200 visible ASCII characters but received "é" in it');
  expect((await refusal({ options: { idempotencyKey: 'x'.repeat(201) } }))?.message).toMatch(/but received 201$/);
  expect((await refusal({ options: { webhookUrl: 'nix' } }))?.message).toBe('Expected a URL such as https://example.org/path but received "nix"');
  expect(await refusal({ input: { aspectRatio: '1:11' } })).toMatchObject({ extensions: { code: 'INVALID_INPUT' }, message: expect.stringMatching(/"10:1"/) });
  expect(await refusal({ input: { backgroundColor: '#fff000', backgroundImageId: id } })).toMatchObject({ extensions: { code: 'INVALID_INPUT' }, message: expect.stringMatching(/received both/) });
  expect(await refusal({ options: { provider: 'u2net' } })).toMatchObject({ extensions: { code: 'PROVIDER_UNAVAILABLE' }, message: expect.stringMatching(/U2NET_MODEL_PATH/) });
  const { operations } = await client.get('{ operations { name providers { name available isDefault } } }');
  expect(operations).toContainEqual({ name: 'REMOVE_BACKGROUND', providers: [{ name: 'u2net', available: false, isDefault: false }, { name: 'local', available: true, isDefault: true }] });
});

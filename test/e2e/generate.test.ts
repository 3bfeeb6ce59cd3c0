import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../app.ts';
import type { TestClient } from '../client.ts';
import { type OpenAi, openAiError, startOpenAi } from '../fixtures/openai-server.ts';
import { until } from '../until.ts';

let darkroom: TestApp;
let client: TestClient;
let server: OpenAi;
beforeAll(async () => {
  server = await startOpenAi(await sharp({ create: { width: 80, height: 60, channels: 3, background: '#3a6ea5' } }).png().toBuffer());
  darkroom = await startTestApp({ ...server.settings, GENERATE_PROVIDER: 'local' });
  client = await darkroom.client();
});
afterAll(async () => {
  await darkroom.stop();
  await server.close();
});

const start = 'mutation ($input: GenerateImagesInput!, $options: JobOptions) { generateImages(input: $input, options: $options) { id status cacheHit } }';
const read = `query ($id: ID!) { job(id: $id) { status stage cacheHit inputs { id } attempts { outcome } outputs { id filename } failure { code retryable }
  result { ... on GenerateImagesResult { images { id width height format origin { provider model prompt negativePrompt revisedPrompt seed style } } } } } }`;
const begin = async (input: object, options: object = {}) => (await client.get(start, { input, options })).generateImages.id as string;
const look = async (id: string) => (await client.get(read, { id })).job;
async function generate(input: object, options: object = {}) {
  const id = await begin(input, options);
  await client.untilEnded([id]);
  return look(id);
}
const analyses = async (imageId: string) => (await client.get('query ($id: ID!) { image(id: $id) { jobs(filter: { operation: [ANALYZE] }) { totalCount nodes { id } } } }', { id: imageId })).image.jobs;

test('pictures are images with their origin, found by their prompt and, once analysed, by their likeness', async () => {
  const input = { prompt: 'A red sailing boat at sunset', negativePrompt: 'birds', count: 2, width: 320, height: 256, seed: 11, style: 'PHOTOGRAPH' };
  const job = await generate(input);
  expect(job).toMatchObject({ status: 'COMPLETED', inputs: [], outputs: [{ filename: 'a-red-sailing-boat-at-sunset-1.jpg' }, { filename: 'a-red-sailing-boat-at-sunset-2.jpg' }] });
  const { images } = job.result;
  expect(images.map((image: { id: string }) => image.id)).toEqual(job.outputs.map((output: { id: string }) => output.id));
  expect(images[1]).toMatchObject({ width: 320, height: 256, format: 'JPEG', origin: { provider: 'local', model: 'darkroom-procedural-1', prompt: input.prompt, negativePrompt: 'birds', seed: 12, style: 'PHOTOGRAPH', revisedPrompt: null } });

  for (const image of images) await client.untilEnded((await analyses(image.id)).nodes.map((node: { id: string }) => node.id));
  const { searchImages, similarImages } = await client.get(
    'query ($id: ID!) { searchImages(query: "red sailing boat") { edges { matchedBy node { id } } } similarImages(to: { imageId: $id }) { edges { node { id } } } }',
    { id: images[0].id },
  );
  expect(searchImages.edges.map((edge: { node: { id: string } }) => edge.node.id).sort()).toEqual(images.map((image: { id: string }) => image.id).sort());
  expect(searchImages.edges[0].matchedBy).toContain('CAPTION');
  expect(similarImages.edges.map((edge: { node: { id: string } }) => edge.node.id)).toContain(images[1].id);

  expect(await generate(input)).toMatchObject({ cacheHit: true, outputs: job.outputs });
});

test('a picture is there while the others are made, and a cancel keeps it', async () => {
  server.next('images', { status: 200, body: { data: [{ b64_json: (await sharp({ create: { width: 70, height: 70, channels: 3, background: '#c33' } }).png().toBuffer()).toString('base64') }] } }, 'hang', 'hang');
  const id = await begin({ prompt: 'three pictures', count: 3, analyze: false }, { provider: 'openai' });
  await until('the first picture is there', async () => (await look(id)).outputs.length === 1);
  const running = await look(id);
  expect(running).toMatchObject({ status: 'PROCESSING', result: null });
  const { image } = await client.get('query ($id: ID!) { image(id: $id) { origin { prompt seed } producedBy { id } } }', { id: running.outputs[0].id });
  expect(image).toEqual({ origin: { prompt: 'three pictures', seed: null }, producedBy: { id } });
  expect((await analyses(running.outputs[0].id)).totalCount).toBe(0);

  await client.get('mutation ($id: ID!) { cancelJob(id: $id) { outcome } }', { id });
  await client.untilEnded([id]);
  expect(await look(id)).toMatchObject({ status: 'CANCELLED', outputs: running.outputs });
});

test('what one attempt published the next does not make again, nor is it analysed twice', async () => {
  const before = server.count('images');
  server.next('images', openAiError(500, { message: 'The server had an error', code: null }));
  const job = await generate({ prompt: 'four pictures', count: 4 }, { provider: 'openai' });
  expect(job).toMatchObject({ status: 'COMPLETED', attempts: [{ outcome: 'RETRIED' }, { outcome: 'COMPLETED' }] });
  expect(job.outputs.map((output: { filename: string }) => output.filename)).toEqual([1, 2, 3, 4].map((number) => `four-pictures-${number}.png`));
  expect(server.count('images') - before).toBe(5);
  for (const { id } of job.outputs) expect((await analyses(id)).totalCount).toBe(1);
});

test('bytes that are no picture are the fault of the provider, and wishes beyond the limits are refused with them', async () => {
  server.every('images', { status: 200, body: { data: [{ b64_json: Buffer.from('no picture at all').toString('base64') }] } });
  expect(await generate({ prompt: 'rubbish' }, { provider: 'openai' })).toMatchObject({ status: 'FAILED', outputs: [], failure: { code: 'PROVIDER_ERROR', retryable: true } });
  server.every('images');
  for (const [input, word] of [[{ prompt: ' ' }, 'prompt'], [{ prompt: 'a', count: 11 }, '<=10 but received 11\n  → at count'], [{ prompt: 'a', width: 5000 }, 'width'], [{ prompt: 'a', seed: -1 }, 'seed']] as const) {
    expect((await client.ask(start, { input })).errors?.[0]).toMatchObject({ extensions: { code: 'INVALID_INPUT' }, message: expect.stringContaining(word) });
  }
  const { operations } = await client.get('{ operations { name providers { name available reason isDefault } } }');
  expect(operations.find(({ name }: { name: string }) => name === 'GENERATE').providers).toEqual([
    { name: 'openai', available: true, reason: null, isDefault: false },
    { name: 'fal', available: false, reason: expect.stringContaining('FAL_KEY'), isDefault: false },
    { name: 'local', available: true, reason: null, isDefault: true },
  ]);
});

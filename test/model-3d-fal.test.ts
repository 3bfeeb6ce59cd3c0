import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Document, WebIO } from '@gltf-transform/core';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { readConfig } from '../src/config.ts';
import { createGuard } from '../src/http/guard.ts';
import { createHttp } from '../src/http/http.ts';
import { createOutward } from '../src/http/outward.ts';
import { defaultProvider } from '../src/operations/index.ts';
import { model3d } from '../src/operations/model-3d/operation.ts';
import { parametersSchema } from '../src/operations/model-3d/parameters.ts';
import { fal } from '../src/operations/model-3d/providers/fal.ts';
import { type Fal, startFal } from './fixtures/fal-server.ts';
import { failureOf, runOf, useWorkshop } from './fixtures/provider-run.ts';
import type { Turn } from './fixtures/vendor-server.ts';

const workshop = useWorkshop();
let server: Fal;
let images: string[];
let folders = 0;

async function triangle(): Promise<Uint8Array> {
  const document = new Document();
  const position = document.createAccessor().setType('VEC3').setArray(Float32Array.from([0, 0, 0, 1, 0, 0, 0, 1, 0])).setBuffer(document.createBuffer());
  document.createScene().addChild(document.createNode().setMesh(document.createMesh().addPrimitive(document.createPrimitive().setAttribute('POSITION', position))));
  return new WebIO().writeBinary(document);
}

beforeAll(async () => {
  server = await startFal({ file: { contentType: 'application/octet-stream', bytes: await triangle() }, result: (_input, url) => ({ model_mesh: { url, content_type: 'application/octet-stream', file_name: 'model.glb', file_size: 620 }, timings: { inference: 0.4 } }) });
  images = await Promise.all(['#c02020', '#20c020'].map(async (background, index) => {
    const path = join(workshop.folder, `image-${index}`);
    await writeFile(path, await sharp({ create: { width: 60, height: 40, channels: 3, background } }).jpeg().toBuffer());
    return path;
  }));
});
afterAll(() => server.close());
beforeEach(() => {
  server.received.length = 0;
  server.requests.clear();
});

function runBy(count = 1, published = new Map<number, string>()) {
  const http = createHttp({ outward: createOutward(createGuard({ allowedHosts: readConfig(server.settings).OUTWARD_ALLOWED_HOSTS })) });
  const inputs = images.slice(0, count).map((path, index) => ({ path, filename: `shoe ${index}.jpg`, contentType: 'image/jpeg', byteSize: 400, width: 60, height: 40 }));
  const run = runOf(workshop, parametersSchema.parse({}), { http, settings: server.settings, inputs, published });
  run.outputFolder = join(workshop.folder, `attempt-${folders++}`);
  return { run, ended: mkdir(run.outputFolder).then(() => fal.run(run)) };
}

test('pictures go out as data URIs, and the models that come back are read, drawn and published', async () => {
  const { run, ended } = runBy(2);
  expect((await ended).result.pictures).toEqual([{ modelId: 'asset-1' }, { modelId: 'asset-3' }]);
  for (const { model, input } of server.requests.values()) {
    expect(model).toBe('fal-ai/triposr');
    expect(input).toEqual({ image_url: expect.stringMatching(/^data:image\/jpeg;base64,/) });
    expect(await sharp(Buffer.from(String(input.image_url).split(',')[1]!, 'base64')).metadata()).toMatchObject({ width: 60, height: 40 });
  }
  expect(run.files.get(0)).toMatchObject({ filename: 'shoe 0-3d.webp' });
  expect(run.files.get(1)).toMatchObject({
    filename: 'shoe 0-3d.glb',
    type: { kind: 'MODEL_3D', contentType: 'model/gltf-binary' },
    details: { format: 'GLB', shape: 'RECONSTRUCTED', faceCount: 1, vertexCount: 3, thumbnailId: 'asset-0' },
  });
  expect(server.received.filter(({ route }) => route === 'file').map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
});

test('one refused picture leaves the other its model', async () => {
  server.next('submit', { status: 422, body: { detail: [{ loc: ['body', 'image_url'], msg: 'Could not decode the image', type: 'value_error' }] } });
  const { result } = await runBy(2).ended;
  expect(result.pictures.filter((picture) => 'modelId' in picture)).toHaveLength(1);
  expect(result.pictures.find((picture) => 'failure' in picture)).toMatchObject({ failure: { code: 'PROVIDER_REFUSED', retryable: false } });
});

test('a fault that passes costs no picture its model', async () => {
  server.next('status', 'drop');
  expect((await runBy(2).ended).result.pictures).toEqual([{ modelId: 'asset-1' }, { modelId: 'asset-3' }]);
  expect([...server.requests.values()].map(({ cancelled }) => cancelled)).toEqual([false, false]);
});

test('the request of a picture that the job ends without is cancelled at fal', async () => {
  server.every('status', 'drop');
  const { result } = await runBy(2, new Map([[1, 'asset-1']])).ended.finally(() => server.every('status'));
  expect(result.pictures).toEqual([{ modelId: 'asset-1' }, { failure: expect.objectContaining({ code: 'PROVIDER_ERROR', retryable: true }) as unknown }]);
  expect([...server.requests.values()].map(({ cancelled }) => cancelled)).toEqual([true]);
});

test('when every picture fails each reason is told once, with its pictures, and a try that may help is made', async () => {
  server.next('submit', { status: 422, body: { detail: [{ loc: ['body', 'image_url'], msg: 'Could not decode the image', type: 'value_error' }] } });
  server.next('submit', { status: 503, body: { detail: 'Overloaded' } });
  const { message, ...failure } = await failureOf(runBy(2).ended, server.key);
  expect(failure).toMatchObject({ code: 'PROVIDER_ERROR', retryable: true });
  expect(message).toMatch(/^None of the 2 pictures became a model\. By their places in imageIds: 0: .+; 1: /);
  expect(message).toMatch(/Could not decode the image/);
});

test.each<[string, 'result' | 'file', Turn, object]>([
  ['an answer without a model', 'result', { status: 200, body: { images: [] } }, { retryable: false, hint: expect.stringContaining('FAL_3D_MODEL') as string }],
  ['a page instead of a model', 'file', { status: 200, body: '<html>Sign in</html>' }, { retryable: false, message: expect.stringContaining('binary glTF') as string }],
  ['a model at a private address', 'result', { status: 200, body: { model_mesh: { url: 'http://169.254.169.254/latest' } } }, { retryable: false, message: expect.stringContaining('169.254.169.254') as string }],
])('%s fails the job in a sentence', async (_name, route, turn, expected) => {
  server.next(route, turn);
  expect(await failureOf(runBy().ended, server.key)).toMatchObject({ code: 'PROVIDER_ERROR', ...expected });
});

test('who is set up goes first, and the settings have the last word', () => {
  const chosen = (settings: Record<string, string>) => defaultProvider(model3d, readConfig(settings))?.name;
  expect([chosen({}), chosen({ FAL_KEY: 'key' }), chosen({ FAL_KEY: 'key', MODEL_3D_PROVIDER: 'local' })]).toEqual(['local', 'fal', 'local']);
  expect(() => readConfig({ MODEL_3D_PROVIDER: 'fal' })).toThrow('MODEL_3D_PROVIDER=fal needs FAL_KEY');
});

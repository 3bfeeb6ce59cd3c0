import { mkdir, readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readConfig } from '../src/config.ts';
import type { ProviderError } from '../src/errors.ts';
import { createHttp } from '../src/http/http.ts';
import { createGuard } from '../src/http/guard.ts';
import { createOutward } from '../src/http/outward.ts';
import type { Provider } from '../src/operations/define.ts';
import { generate } from '../src/operations/generate/operation.ts';
import { type Parameters, parametersSchema, type Result } from '../src/operations/generate/parameters.ts';
import { fal } from '../src/operations/generate/providers/fal.ts';
import { local } from '../src/operations/generate/providers/local.ts';
import { openai, sizeFor } from '../src/operations/generate/providers/openai.ts';
import { defaultProvider } from '../src/operations/index.ts';
import { type Fal, startFal } from './fixtures/fal-server.ts';
import { type OpenAi, openAiError, startOpenAi } from './fixtures/openai-server.ts';
import { failureOf, runOf, useWorkshop, type RunOptions } from './fixtures/provider-run.ts';
import { commonFailures } from './fixtures/vendor-failures.ts';
import type { Turn } from './fixtures/vendor-server.ts';

const workshop = useWorkshop();
const picture = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#3a6ea5' } }).png().toBuffer();
let openAiServer: OpenAi;
let falServer: Fal;
beforeAll(async () => {
  openAiServer = await startOpenAi(picture);
  falServer = await startFal({ file: { contentType: 'image/png', bytes: picture }, result: (input, url) => ({ images: [{ url, content_type: 'image/png', width: 64, height: 64 }], seed: input.seed, has_nsfw_concepts: [false], prompt: input.prompt }) });
});
afterAll(() => Promise.all([openAiServer.close(), falServer.close()]));
beforeEach(() => {
  openAiServer.received.length = 0;
  falServer.received.length = 0;
});

let folders = 0;
function runBy(provider: Provider<Parameters, Result>, input: Partial<Parameters> & { prompt: string }, options: RunOptions = {}) {
  const settings = { ...openAiServer.settings, ...falServer.settings, OUTWARD_ALLOWED_HOSTS: [openAiServer, falServer].map(({ endpoint }) => new URL(endpoint).host).join(), ...options.settings };
  const http = createHttp({ outward: createOutward(createGuard({ allowedHosts: readConfig(settings).OUTWARD_ALLOWED_HOSTS })) });
  const run = runOf(workshop, parametersSchema.parse(input), { http, ...options, settings });
  // A download never writes over a file, and an attempt has a folder of its own.
  run.outputFolder = `${workshop.folder}/attempt-${folders++}`;
  return { run, ended: mkdir(run.outputFolder).then(() => provider.run(run)) };
}
const originsOf = (run: ReturnType<typeof runBy>['run']) => [...run.files].sort(([one], [other]) => one - other).map(([, { details }]) => details!.origin as Record<string, unknown>);

describe('local', () => {
  const draw = async (input: Partial<Parameters> & { prompt: string }) => {
    const { run, ended } = runBy(local, { width: 300, height: 256, ...input });
    await ended;
    return Promise.all([...run.files].sort(([one], [other]) => one - other).map(([, { path }]) => readFile(path)));
  };

  test('the same prompt, seed, size and style give the same picture; another seed another one', async () => {
    const [one, two] = await draw({ prompt: 'A red boat', seed: 5, count: 2 });
    const [two2] = await draw({ prompt: 'a red boat!', seed: 6 });
    expect(one!.equals(two!)).toBe(false);
    expect(two!.equals(two2!)).toBe(true);
    expect(await sharp(one).metadata()).toMatchObject({ format: 'jpeg', width: 300, height: 256 });
  });

  test('words decide: what was wished for has its colour, and each style its own look', async () => {
    const meanOf = async (bytes: Buffer) => (await sharp(bytes).stats()).channels.map(({ mean }) => mean);
    const [night] = await draw({ prompt: 'the sea at night', seed: 1 });
    const [day] = await draw({ prompt: 'the sea at noon', seed: 1 });
    expect((await meanOf(day!))[2]! - (await meanOf(night!))[2]!).toBeGreaterThan(60);
    const [sketch] = await draw({ prompt: 'the sea at noon', seed: 1, style: 'SKETCH' });
    const [red, , blue] = await meanOf(sketch!);
    expect(red! - blue!).toBeGreaterThan(0);
    const [poster] = await draw({ prompt: 'abstract', seed: 1, style: 'POSTER' });
    expect((await sharp(poster).stats()).entropy).toBeLessThan((await sharp((await draw({ prompt: 'abstract', seed: 1 }))[0]).stats()).entropy);
  });

  test('it is said to be no AI model, and a seed that nobody asked for stays for the next attempt', async () => {
    const remembered = new Map<string, string>();
    const first = runBy(local, { prompt: 'hills', width: 256, height: 256 }, { remembered });
    await first.ended;
    const [origin] = originsOf(first.run);
    expect(origin).toMatchObject({ provider: 'local', model: 'darkroom-procedural-1', prompt: 'hills', negativePrompt: null, style: null, seed: expect.any(Number) });
    const second = runBy(local, { prompt: 'hills', width: 256, height: 256, count: 2 }, { remembered, published: new Map([[0, 'asset-0']]) });
    await second.ended;
    expect([...second.run.files.keys()]).toEqual([1]);
    expect(originsOf(second.run)[0]!.seed).toBe((Number(origin!.seed) + 1) % 2 ** 31);
    expect(generate.description).toContain('no AI model');
  });
});

describe('openai', () => {
  test('one request for each picture; Base64 becomes a file with its origin', async () => {
    const { run, ended } = runBy(openai, { prompt: 'a cat', negativePrompt: 'dogs', style: 'SKETCH', count: 3, width: 1200, height: 800 });
    await ended;
    expect(openAiServer.asked()).toEqual(Array(3).fill({ model: 'gpt-image-1', prompt: 'a cat. Style: sketch. Without: dogs', n: 1, size: '1536x1024' }));
    expect([...run.files.keys()].sort()).toEqual([0, 1, 2]);
    expect(run.files.get(2)!.filename).toBe('a-cat-3.png');
    expect(await readFile(run.files.get(0)!.path)).toEqual(picture);
    expect(originsOf(run)[0]).toEqual({ provider: 'openai', model: 'gpt-image-1', prompt: 'a cat', negativePrompt: 'dogs', revisedPrompt: null, seed: null, style: 'SKETCH' });
  });

  test('an address is fetched without the key, and what the model made of the prompt is kept', async () => {
    const { run, ended } = runBy(openai, { prompt: 'a cat' }, { settings: { OPENAI_IMAGE_MODEL: 'dall-e-3' } });
    await ended;
    expect(await readFile(run.files.get(0)!.path)).toEqual(picture);
    expect(originsOf(run)[0]).toMatchObject({ model: 'dall-e-3', revisedPrompt: 'A cat, as the model understood it' });
    expect(openAiServer.received.find(({ route }) => route === 'file')!.headers.authorization).toBeUndefined();
  });

  test('the size is the nearest that the model makes; unknown models are asked as they are', () => {
    const wish = { width: 800, height: 1100 };
    expect(['gpt-image-1', 'dall-e-3', 'dall-e-2', 'flux-dev'].map((model) => sizeFor(model, wish))).toEqual(['1024x1536', '1024x1792', '1024x1024', '800x1100']);
    expect(sizeFor('dall-e-2', { width: 300, height: 260 })).toBe('256x256');
  });

  const refusals: [string, Turn, Partial<ProviderError>][] = [
    ['a wrong key (401)', openAiError(401, { message: 'Incorrect API key provided.', code: 'invalid_api_key' }), { code: 'PROVIDER_AUTH', retryable: false, hint: expect.stringContaining('OPENAI_API_KEY') }],
    ['a country (403)', openAiError(403, { message: 'Country, region, or territory not supported', code: null }), { code: 'PROVIDER_AUTH', retryable: false, message: expect.stringMatching(/\(403\): Country/) }],
    ['no credit (429)', openAiError(429, { message: 'You exceeded your current quota', code: 'insufficient_quota' }), { code: 'PROVIDER_AUTH', retryable: false, retryAfterMs: undefined }],
    ['content against the rules (400)', openAiError(400, { message: 'Your request was rejected by the safety system.', code: 'moderation_blocked' }), { code: 'PROVIDER_REFUSED', retryable: false, message: expect.stringContaining('moderation_blocked, Your request was rejected') }],
    ['an answer without pictures', { status: 200, body: { created: 1, data: [] } }, { code: 'PROVIDER_ERROR', retryable: true }],
    ['a picture without bytes', { status: 200, body: { data: [{}] } }, { code: 'PROVIDER_ERROR', retryable: true }],
    ['a file at a private address', { status: 200, body: { data: [{ url: 'http://169.254.169.254/latest/meta-data' }] } }, { code: 'PROVIDER_ERROR', retryable: false, message: expect.stringContaining('169.254.169.254') }],
  ];
  test.each([...commonFailures({ hint: 'OPENAI_API_KEY' }), ...refusals])('%s', async (_name, turn, expected) => {
    openAiServer.next('images', turn);
    expect(await failureOf(runBy(openai, { prompt: 'a cat' }, { settings: {} }).ended, openAiServer.key)).toMatchObject(expected);
    expect(openAiServer.count('images')).toBe(1);
  });

  test.each(['hang', 'hang in the body'] as const)('%s: it does not wait longer than the job may', async (turn) => {
    openAiServer.next('images', turn);
    expect(await failureOf(runBy(openai, { prompt: 'a cat' }, { timeoutMs: 200 }).ended, openAiServer.key)).toMatchObject({ code: 'PROVIDER_TIMEOUT', retryable: true });
  });

  test('when one picture fails those that are under way are kept, and no other is begun', async () => {
    openAiServer.next('images', openAiError(400, { message: 'No.', code: 'moderation_blocked' }));
    const { run, ended } = runBy(openai, { prompt: 'a cat', count: 10 });
    expect(await failureOf(ended, openAiServer.key)).toMatchObject({ code: 'PROVIDER_REFUSED' });
    expect(run.files.size).toBe(3);
    expect(openAiServer.count('images')).toBe(4);
  });
});

describe('fal', () => {
  test('each picture is a request of its own with its seed; its file is fetched without the key', async () => {
    const { run, ended } = runBy(fal, { prompt: 'a cat', negativePrompt: 'dogs', count: 2, seed: 41, width: 800, height: 600 });
    await ended;
    expect([...falServer.requests.values()].map(({ model, input }) => [model, input])).toEqual(
      [41, 42].map((seed) => ['fal-ai/flux/schnell', { prompt: 'a cat', negative_prompt: 'dogs', image_size: { width: 800, height: 600 }, num_images: 1, seed }]),
    );
    expect(await readFile(run.files.get(1)!.path)).toEqual(picture);
    expect(originsOf(run).map(({ model, seed }) => [model, seed])).toEqual([['fal-ai/flux/schnell', 41], ['fal-ai/flux/schnell', 42]]);
    expect(falServer.received.filter(({ route }) => route === 'file').map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
  });

  test.each<[string, Turn, Partial<ProviderError>]>([
    ['a picture that the safety checker blackened', { status: 200, body: { images: [{ url: 'http://127.0.0.1:9/black.png' }], has_nsfw_concepts: [true] } }, { code: 'PROVIDER_REFUSED', retryable: false }],
    ['a model that makes no pictures', { status: 200, body: { video: { url: 'http://127.0.0.1:9/a.mp4' } } }, { code: 'PROVIDER_ERROR', retryable: false, hint: expect.stringContaining('FAL_IMAGE_MODEL') }],
  ])('%s', async (_name, turn, expected) => {
    falServer.next('result', turn);
    expect(await failureOf(runBy(fal, { prompt: 'a cat' }).ended, falServer.key)).toMatchObject(expected);
  });
});

test('local needs nothing; who is set up goes first, and the settings have the last word', () => {
  const chosen = (settings: Record<string, string>) => defaultProvider(generate, readConfig(settings))?.name;
  expect(chosen({})).toBe('local');
  expect(chosen({ FAL_KEY: 'key' })).toBe('fal');
  expect(chosen({ FAL_KEY: 'key', OPENAI_API_KEY: 'key' })).toBe('openai');
  expect(chosen({ FAL_KEY: 'key', GENERATE_PROVIDER: 'local' })).toBe('local');
  expect(() => readConfig({ GENERATE_PROVIDER: 'fal' })).toThrow('GENERATE_PROVIDER=fal needs FAL_KEY');
  expect([openai, fal].map((provider) => provider.unavailable(readConfig({})))).toEqual([expect.stringContaining('OPENAI_API_KEY'), expect.stringContaining('FAL_KEY')]);
});

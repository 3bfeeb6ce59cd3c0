import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createCompute, type Compute } from '../src/compute/pool.ts';
import { readConfig } from '../src/config.ts';
import { ProviderError } from '../src/errors.ts';
import { createHttp, type Http, parseRetryAfter } from '../src/http.ts';
import { createLog } from '../src/log.ts';
import type { InputFile, Run } from '../src/operations/define.ts';
import { factsOf, wordsSchema } from '../src/operations/analyze/facts.ts';
import type { Describer } from '../src/operations/analyze/measured.ts';
import { auto } from '../src/operations/analyze/providers/auto.ts';
import { azureVision } from '../src/operations/analyze/providers/azure-vision.ts';
import { documentedError, startAzure, type Azure, type Turn } from './fixtures/azure-server.ts';
import { until } from './until.ts';

let azure: Azure;
let http: Http;
let compute: Compute;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'darkroom-azure-'));
  compute = createCompute({ processes: 1, memoryLimitBytes: 1e9, log: createLog('silent') });
});
afterAll(async () => {
  await compute.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  azure = await startAzure();
  http = createHttp();
});
afterEach(() => azure.close());

const plain = () => sharp({ create: { width: 300, height: 200, channels: 3, background: '#3a6ea5' } });

async function fileOf(bytes: Uint8Array): Promise<InputFile> {
  const path = join(folder, 'input');
  await writeFile(path, bytes);
  return { path, filename: 'picture', contentType: 'application/octet-stream', byteSize: bytes.length };
}

async function describeBy(describer: Describer, { bytes, settings = {}, signal = new AbortController().signal }: { bytes?: Uint8Array; settings?: Record<string, string>; signal?: AbortSignal } = {}) {
  const image = await fileOf(bytes ?? (await plain().png().toBuffer()));
  const config = readConfig({ ...azure.settings, ...settings });
  const run: Run<Record<string, never>> = { inputs: [image], parameters: {}, signal, timeoutMs: 20_000, progress: () => {}, compute, http, config };
  describer.ready?.(run);
  return describer.describe(image, run);
}

/** The failure, which must be one that says whether another try is worth it, and must not tell the key. */
async function failureOf(options: Parameters<typeof describeBy>[1] = {}, describer = azureVision): Promise<ProviderError> {
  const error: unknown = await describeBy(describer, options).catch((reason: unknown) => reason);
  if (!(error instanceof ProviderError)) throw new Error('Expected a ProviderError', { cause: error });
  expect(inspect(error, { depth: Infinity })).not.toContain(options?.settings?.AZURE_VISION_KEY ?? azure.key);
  return error;
}

describe('the documented answers become our words', () => {
  test('every feature, with boxes in fractions of what Azure saw', async () => {
    const words = await describeBy(azureVision);
    expect(wordsSchema.parse(words)).toEqual(words);
    expect(words).toMatchObject({
      source: { provider: 'azure-vision', version: '3.2 of 2021-04-01' },
      isPartial: false,
      caption: { text: 'Satya Nadella sitting on a bench', confidence: 0.48293603002174407 },
      objects: [{ name: 'tree', confidence: 0.9, box: { x: 0, y: 0, width: 50 / 1500, height: 50 / 1000 } }],
      landmarks: [{ name: 'Forbidden City', confidence: 0.9978346 }],
      categories: [{ name: 'abstract' }, { name: 'people', confidence: 0.83984375 }],
      brands: [{ name: 'Pepsi' }, { name: 'Coca-Cola', confidence: 0.893 }],
      moderation: { isAdult: false, isRacy: false, isGory: false, adultScore: 0.0934349000453949, goreScore: 0.012872257380997575 },
      unavailable: [],
    });
    expect(words.tags).toContainEqual({ name: 'pangolin', confidence: 0.7250059783791661 });
    expect(words.faces).toEqual([{ confidence: null, box: { x: 593 / 1500, y: 0.16, width: expect.closeTo(250 / 1500), height: expect.closeTo(0.25) } }]);
    expect(words.text?.content).toBe('Our greatest glory is not\nbut in rising every time we fall\nViva la vida');
  });

  test('a line of text that lies askew has the upright box around it, and the mean confidence of its words', async () => {
    const words = [{ text: 'Hello', boundingBox: [], confidence: 0.9 }, { text: 'you', boundingBox: [], confidence: 0.5 }];
    const line = { text: 'Hello you', boundingBox: [60, 40, 300, 20, 310, 80, 70, 100], words };
    azure.next('result', { status: 200, body: { status: 'succeeded', analyzeResult: { version: '3.2', readResults: [{ page: 1, angle: -5, width: 600, height: 400, unit: 'pixel', lines: [line] }] } } });
    const { text } = await describeBy(azureVision);
    expect(text?.lines).toEqual([{ text: 'Hello you', confidence: 0.7, box: { x: 0.1, y: 0.05, width: expect.closeTo(250 / 600), height: expect.closeTo(0.2) } }]);
  });

  test('a box is given in pixels of the upright original too, and never leaves it', async () => {
    const words = await describeBy(azureVision);
    const measurements = (await compute.run('measure', { path: (await fileOf(await plain().png().toBuffer())).path, limits: { maxSide: 1e4, maxPixels: 1e8, maxAvifPixels: 1e8, maxFrames: 1 } }, { timeoutMs: 20_000 })).output;
    const facts = factsOf({ measurements, words });
    expect(facts.objects[0]!.box.pixels).toEqual({ x: 0, y: 0, width: 10, height: 10 });
    expect(facts.faces[0]!.box.pixels).toEqual({ x: 119, y: 32, width: 50, height: 50 });
    for (const { box } of facts.text!.lines) {
      expect(box.pixels.x + box.pixels.width).toBeLessThanOrEqual(300);
      expect(box.pixels.y + box.pixels.height).toBeLessThanOrEqual(200);
    }
  });

  test('drawings and clip art are tags; what an answer leaves out is said to be unavailable', async () => {
    const body = { metadata: { width: 10, height: 10, format: 'Png' }, imageType: { clipArtType: 3, lineDrawingType: 1 }, tags: [], someday: { more: 1 } };
    azure.next('analyze', { status: 200, body });
    const words = await describeBy(azureVision);
    expect(words.tags).toEqual([{ name: 'clip art', confidence: 1 }, { name: 'line drawing', confidence: 1 }]);
    expect(words.unavailable.map(({ feature }) => feature)).toEqual(['caption', 'objects', 'faces', 'brands', 'categories', 'landmarks', 'moderation']);
  });
});

describe('what goes out', () => {
  const sent = () => azure.received.filter(({ bytes }) => bytes.length > 0).map(({ bytes }) => bytes);

  test('asks for every feature but the colours that are measured here, with the key in a header only', async () => {
    await describeBy(azureVision);
    expect(azure.received.map(({ route }) => route)).toEqual(['analyze', 'read', 'result']);
    const [analyze] = azure.received;
    expect(analyze!.url.searchParams.get('visualFeatures')!.split(',').sort()).toEqual(['Adult', 'Brands', 'Categories', 'Description', 'Faces', 'ImageType', 'Objects', 'Tags']);
    expect(analyze!.url.searchParams.get('details')).toBe('Landmarks');
    expect(analyze!.headers['ocp-apim-subscription-key']).toBe(azure.key);
    expect(azure.received.map(({ url }) => url.href).join()).not.toContain(azure.key);
  });

  test('a picture within the limits goes as it is', async () => {
    const bytes = await plain().jpeg().toBuffer();
    await describeBy(azureVision, { bytes });
    expect(sent()).toHaveLength(2);
    for (const one of sent()) expect(one.equals(bytes)).toBe(true);
  });

  test('neither the place nor the camera goes out, and what lies on its side goes upright', async () => {
    const exif = { IFD0: { Model: 'Box Brownie' }, IFD3: { GPSLatitude: '52/1 30/1 0/1', GPSLatitudeRef: 'N' } };
    await describeBy(azureVision, { bytes: await plain().withExif(exif).withMetadata({ orientation: 6 }).jpeg().toBuffer() });
    expect(await sharp(sent()[0]).metadata()).toMatchObject({ width: 200, height: 300 });
    expect((await sharp(sent()[0]).metadata()).exif).toBeUndefined();
  });

  test('a format that Azure does not know, and a picture over its limits, become a smaller JPEG', async () => {
    const noise = sharp({ create: { width: 2600, height: 1300, channels: 3, background: 'gray', noise: { type: 'gaussian', mean: 128, sigma: 60 } } });
    const large = await noise.png().toBuffer();
    expect(large.length).toBeGreaterThan(4_000_000);
    for (const bytes of [large, await plain().webp().toBuffer()]) {
      await describeBy(azureVision, { bytes });
      const last = sent().at(-1)!;
      expect(last.length).toBeLessThanOrEqual(4_000_000);
      expect((await sharp(last).metadata()).format).toBe('jpeg');
    }
    const { width, height } = await sharp(sent()[0]).metadata();
    expect(width).toBeLessThanOrEqual(2048);
    expect(width / height).toBeCloseTo(2, 1);
  });

  test('a picture that cannot be brought within the limits is refused here, with both numbers', async () => {
    const bytes = await sharp({ create: { width: 12_000, height: 100, channels: 3, background: 'red' } }).png().toBuffer();
    expect(await failureOf({ bytes })).toMatchObject({ code: 'PROVIDER_REFUSED', retryable: false, message: expect.stringMatching(/50×50.*12000×100/) });
    expect(azure.received).toEqual([]);
  });
});

describe('a failure says whether another try is worth it', () => {
  const html: Turn = { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Sign in to the hotel network</html>' };
  const cases: [string, Turn, Partial<ProviderError>][] = [
    ['a wrong key (401)', documentedError(401), { code: 'PROVIDER_AUTH', retryable: false, hint: expect.stringContaining('AZURE_VISION_KEY') }],
    ['a forbidden key (403)', { status: 403, body: { error: { code: '403', message: 'Out of call volume quota.' } } }, { code: 'PROVIDER_AUTH', retryable: false, message: expect.stringContaining('Out of call volume') }],
    ['bytes that are no image', documentedError(400, 'InvalidImageFormat'), { code: 'PROVIDER_REFUSED', retryable: false, message: expect.stringContaining('InvalidImageFormat, Input data is not a valid image.') }],
    ['too large an image', documentedError(400, 'InvalidImageSize'), { code: 'PROVIDER_REFUSED', retryable: false, message: expect.stringContaining('too large') }],
    ['an older shape of error', { status: 400, body: { code: 'NotSupportedImage', message: 'Not supported.' } }, { code: 'PROVIDER_REFUSED', message: expect.stringContaining('NotSupportedImage') }],
    ['a fault (500)', documentedError(500), { code: 'PROVIDER_ERROR', retryable: true }],
    ['an overload (503)', { status: 503, headers: { 'Retry-After': '7' }, body: 'busy' }, { code: 'PROVIDER_ERROR', retryable: true, retryAfterMs: 7_000 }],
    ['a pause in seconds (429)', documentedError(429), { code: 'PROVIDER_RATE_LIMITED', retryable: true, retryAfterMs: 2_000, message: expect.stringContaining('exceeded call rate limit') }],
    ['a page instead of an answer', html, { code: 'PROVIDER_ERROR', retryable: true, hint: expect.stringContaining('AZURE_VISION_ENDPOINT') }],
    ['broken JSON', { status: 200, body: '{"categories": [' }, { code: 'PROVIDER_ERROR', retryable: true }],
    ['JSON of another shape', { status: 200, body: { metadata: { width: 'wide' } } }, { code: 'PROVIDER_ERROR', retryable: true }],
    ['a list where an object should be', { status: 200, body: { tags: { name: 'no list' }, metadata: { width: 1, height: 1 } } }, { code: 'PROVIDER_ERROR', retryable: true }],
    ['an endless answer', { status: 200, body: ' '.repeat(10_000_001) }, { code: 'PROVIDER_ERROR', message: expect.stringContaining('10 MB') }],
    ['a dropped connection', 'drop', { code: 'PROVIDER_ERROR', retryable: true }],
  ];
  test.each(cases)('%s', async (_name, turn, expected) => {
    azure.next('analyze', turn);
    expect(await failureOf()).toMatchObject(expected);
    expect(azure.count('analyze')).toBe(1);
    expect(azure.count('read')).toBe(0);
  });

  test.each(['hang', 'hang in the body'] as const)('%s: it does not wait longer than it may', async (turn) => {
    azure.next('analyze', turn);
    expect(await failureOf({ settings: { PROVIDER_TIMEOUT: '200ms' } })).toMatchObject({ code: 'PROVIDER_TIMEOUT', retryable: true });
    await until('the connection is closed', () => azure.received[0]?.wasLeft);
  });

  test('a pause until a date', async () => {
    azure.next('analyze', { ...documentedError(429), headers: { 'Retry-After': new Date(Date.now() + 60_000).toUTCString() } });
    const { code, retryAfterMs } = await failureOf();
    expect(code).toBe('PROVIDER_RATE_LIMITED');
    expect(retryAfterMs).toBeGreaterThan(50_000);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
  });

  test('a wish for a pause is seconds or a date, between a second and ten minutes', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    const wishes = { '120': 120_000, ' 3 ': 3_000, '0': 1_000, '99999': 600_000, 'Thu, 01 Jan 2026 00:00:30 GMT': 30_000, 'Wed, 31 Dec 2025 00:00:00 GMT': 1_000, soon: undefined };
    for (const [wish, ms] of Object.entries(wishes)) expect(parseRetryAfter(wish, now), wish).toBe(ms);
    expect(parseRetryAfter(null, now)).toBeUndefined();
  });

  test('nobody there', async () => {
    await azure.close();
    expect(await failureOf()).toMatchObject({ code: 'PROVIDER_ERROR', retryable: true, message: expect.stringContaining('ECONNREFUSED') });
  });

  test('a key that Azure does not know', async () => {
    expect(await failureOf({ settings: { AZURE_VISION_KEY: 'another-key' } })).toMatchObject({ code: 'PROVIDER_AUTH', retryable: false });
  });

  test('a redirect is not followed: the key goes nowhere else', async () => {
    const elsewhere = await startAzure();
    azure.next('analyze', { status: 307, headers: { location: `${elsewhere.endpoint}/vision/v3.2/analyze` } });
    expect(await failureOf()).toMatchObject({ code: 'PROVIDER_ERROR', retryable: false, message: expect.stringContaining('redirect') });
    expect(elsewhere.received).toEqual([]);
    await elsewhere.close();
  });
});

test.each(['analyze', 'read', 'result'] as const)('an abort ends the call: the server sees the connection of %s close', async (route) => {
  const controller = new AbortController();
  azure.next(route, 'hang');
  const reason = new Error('Cancelled');
  const outcome = describeBy(azureVision, { signal: controller.signal }).catch((error: unknown) => error);
  await until('the call has arrived', () => azure.count(route) === 1);
  controller.abort(reason);
  expect(await outcome).toBe(reason);
  await until('the connection is closed', () => azure.received.find((entry) => entry.route === route)?.wasLeft);
});

describe('a picture is worth more than its text', () => {
  const partial = { isPartial: true, text: null, caption: { text: 'Satya Nadella sitting on a bench' } };

  test('Azure is asked again until it has read', async () => {
    azure.next('result', { status: 200, body: { status: 'notStarted' } }, { status: 200, body: { status: 'running' } });
    expect((await describeBy(azureVision)).text?.lines).toHaveLength(3);
    expect(azure.count('result')).toBe(3);
  });

  test.each<[string, Turn, RegExp]>([
    ['cannot be read', { status: 200, body: { status: 'failed' } }, /could not read/],
    ['meets a fault', documentedError(500), /failed \(500\)/],
    ['is never done', { status: 200, body: { status: 'running' } }, /within 1\.5 s/],
  ])('text that %s is unavailable, and the rest stands', async (_name, turn, reason) => {
    azure.every('result', turn);
    expect(await describeBy(azureVision, { settings: { PROVIDER_TIMEOUT: '1500ms' } })).toMatchObject({ ...partial, unavailable: [{ feature: 'text', reason: expect.stringMatching(reason) }] });
  });

  test('an address without an id is not followed', async () => {
    azure.next('read', { status: 202, headers: { 'Operation-Location': 'http://169.254.169.254/latest' } });
    expect(await describeBy(azureVision)).toMatchObject({ ...partial, unavailable: [{ feature: 'text', reason: expect.stringContaining('Operation-Location') }] });
  });

  test('a pause while reading is waited for', async () => {
    azure.next('read', { ...documentedError(429), headers: { 'Retry-After': '1' } });
    expect((await describeBy(azureVision)).text?.lines).toHaveLength(3);
    expect(azure.count('analyze')).toBe(1);
    expect(azure.count('read')).toBe(2);
  });
});

describe('one gate for each key', () => {
  test('a pause that one call was asked for holds for all: they are sent back to wait without a call, other keys are not', async () => {
    azure.next('analyze', { ...documentedError(429), headers: { 'Retry-After': '30' } });
    expect(await failureOf()).toMatchObject({ retryAfterMs: 30_000, deferMs: undefined });
    const waiting = await Promise.all([failureOf(), failureOf(), failureOf({}, auto)]);
    for (const { code, deferMs } of waiting) {
      expect(code).toBe('PROVIDER_RATE_LIMITED');
      expect(deferMs).toBeGreaterThan(25_000);
    }
    expect(azure.count('analyze')).toBe(1);
    expect(await failureOf({ settings: { AZURE_VISION_KEY: 'another-key' } })).toMatchObject({ code: 'PROVIDER_AUTH' });
    expect(azure.count('analyze')).toBe(2);
  });

  test('after five faults in a row nobody calls for a while; then one asks, and its good answer opens the gate', async () => {
    http = createHttp({ outageMs: 400 });
    azure.every('analyze', documentedError(500));
    for (let fault = 1; fault <= 5; fault++) expect(await failureOf()).toMatchObject({ code: 'PROVIDER_ERROR', deferMs: undefined });
    expect(await failureOf()).toMatchObject({ code: 'PROVIDER_ERROR', deferMs: expect.any(Number), message: expect.stringContaining('5 times in a row') });
    expect(azure.count('analyze')).toBe(5);

    azure.every('analyze');
    azure.next('analyze', 'hang');
    const isOpen = () => {
      try {
        http.checkGate({ provider: 'azure-vision', key: azure.key, hint: '' });
        return true;
      } catch (error) {
        return String(error);
      }
    };
    await until('the gate lets one through', isOpen);
    const controller = new AbortController();
    const first = describeBy(azureVision, { signal: controller.signal }).catch((error: unknown) => error);
    await until('the first one asks', () => azure.count('analyze') === 6);
    expect(await failureOf()).toMatchObject({ deferMs: expect.any(Number) });
    expect(azure.count('analyze')).toBe(6);
    controller.abort();
    await first;
    await until('the gate lets the next one through', isOpen);
    await describeBy(azureVision);
    expect(await Promise.all([describeBy(azureVision), describeBy(azureVision)])).toHaveLength(2);
  });

  test('refusals are answers: they are no outage', async () => {
    azure.every('analyze', documentedError(400));
    for (let refusal = 1; refusal <= 7; refusal++) expect(await failureOf()).toMatchObject({ code: 'PROVIDER_REFUSED' });
    expect(azure.count('analyze')).toBe(7);
  });
});

describe('auto', () => {
  test.each<[string, Turn, boolean]>([['fails', documentedError(500), true], ['refuses our key', documentedError(401), true], ['refuses the picture', documentedError(400), false], ['is silent', 'hang', true]])(
    'when Azure %s the local words stand, with the reason',
    async (_name, turn, isPartial) => {
      azure.next('analyze', turn);
      const words = await describeBy(auto, { settings: { PROVIDER_TIMEOUT: '300ms' } });
      expect(words).toMatchObject({ source: { provider: 'local' }, isPartial, tags: [], caption: null });
      expect(words.unavailable.map(({ feature }) => feature)).toEqual(expect.arrayContaining(['objects', 'faces', 'text']));
      for (const { reason } of words.unavailable) expect(reason).toMatch(/^azure-vision could not help: /);
    },
  );

  test('a short pause is waited for', async () => {
    azure.next('analyze', { ...documentedError(429), headers: { 'Retry-After': '1' } });
    expect((await describeBy(auto)).source.provider).toBe('azure-vision');
  });

  test('an abort is an abort, not a reason to fall back', async () => {
    const controller = new AbortController();
    azure.next('analyze', 'hang');
    const outcome = describeBy(auto, { signal: controller.signal }).catch((error: unknown) => error);
    await until('the call has arrived', () => azure.count('analyze') === 1);
    controller.abort(new Error('Cancelled'));
    expect(await outcome).toMatchObject({ message: 'Cancelled' });
  });
});

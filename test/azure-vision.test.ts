import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../src/config.ts';
import { chooseProvider, defaultProvider, getOperation } from '../src/operations/index.ts';
import { factsOf, wordsSchema } from '../src/operations/analyze/facts.ts';
import { azureVision } from '../src/operations/analyze/providers/azure-vision.ts';
import { azure, describeBy, failureOf, fileOf, plain, useAzure, workshop } from './fixtures/azure-run.ts';
import { documentedError, type Turn } from './fixtures/azure-server.ts';

useAzure();

describe('settings', () => {
  const endpoint = 'https://pictures.cognitiveservices.azure.com';

  test('Azure by name needs endpoint and key, and says which is missing at the start', () => {
    expect(() => readConfig({ ANALYZE_PROVIDER: 'azure-vision' })).toThrow('ANALYZE_PROVIDER=azure-vision needs AZURE_VISION_ENDPOINT and AZURE_VISION_KEY');
    expect(() => readConfig({ ANALYZE_PROVIDER: 'azure-vision', AZURE_VISION_ENDPOINT: endpoint })).toThrow(/needs AZURE_VISION_KEY$/m);
    expect(() => readConfig({ AZURE_VISION_ENDPOINT: endpoint })).toThrow('AZURE_VISION_KEY is missing');
    expect(() => readConfig({ AZURE_VISION_ENDPOINT: endpoint, AZURE_VISION_KEY: 'a key\nof two lines' })).toThrow('AZURE_VISION_KEY: Expected visible ASCII');
  });

  test.each([[{}, 'local'], [{ AZURE_VISION_ENDPOINT: endpoint, AZURE_VISION_KEY: 'key' }, 'auto'], [{ AZURE_VISION_ENDPOINT: endpoint, AZURE_VISION_KEY: 'key', ANALYZE_PROVIDER: 'azure-vision' }, 'azure-vision'], [{ AZURE_VISION_ENDPOINT: endpoint, AZURE_VISION_KEY: 'key', ANALYZE_PROVIDER: 'local' }, 'local']])(
    'with %o the default is %s',
    (environment, name) => expect(defaultProvider(getOperation('analyze'), readConfig(environment))?.name).toBe(name),
  );
});

test('"auto" in a request is for every operation what it is in the settings: the first provider that can run', () => {
  const chosen = (name: string, settings: Record<string, string> = {}) => chooseProvider(getOperation(name), 'auto', readConfig(settings)).name;
  expect(['analyze', 'remove-background', 'generate', 'model-3d'].map((name) => chosen(name))).toEqual(['local', 'local', 'local', 'local']);
  expect(chosen('analyze', { ...azure.settings, ANALYZE_PROVIDER: 'local' })).toBe('auto');
  expect(chosen('generate', { OPENAI_API_KEY: 'key', GENERATE_PROVIDER: 'local' })).toBe('openai');
  expect(() => chosen('clone-voice')).toThrow('No provider of clone-voice can run on this server');
});

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
    const measurements = (await workshop.compute.run('measure', { path: (await fileOf(await plain().png().toBuffer())).path, limits: { maxSide: 1e4, maxPixels: 1e8, maxAvifPixels: 1e8, maxFrames: 1 } }, { timeoutMs: 20_000 })).output;
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

import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { drawSample } from '../../src/compute/draw.ts';
import { startTestApp, type TestApp } from '../app.ts';
import type { TestClient } from '../client.ts';
import { documentedError, startAzure, type Azure } from '../fixtures/azure-server.ts';
import { until } from '../until.ts';

const analysisFields = `provider modelVersion caption { text } tags { name source } objects { name box { x width pixels { x y width height } } } faces { box { pixels { width } } }
  text { content } landmarks { name } brands { name } moderation { isAdult } colors { dominant palette { hex } } quality { score } unavailable { feature reason }`;
const imageQuery = `query ($id: ID!) { image(id: $id) { analysis { ${analysisFields} } placeholder { dataUri } } }`;
const searchQuery = 'query ($query: String) { searchImages(query: $query) { totalCount edges { node { id } matchedBy } } }';
const analyzeMutation = 'mutation ($id: ID!, $options: JobOptions) { analyzeImages(imageIds: [$id], options: $options) { jobs { id } refusals { message } } }';
const jobQuery = 'query ($id: ID!) { job(id: $id) { status provider cacheHit failure { code message hint retryable } attempts { outcome failureCode } } }';

// Which database and queue there are makes no difference to a provider.
describe.skipIf(inject('settings').REDIS_URL)('with Azure set up', () => {
  let azure: Azure;
  let darkroom: TestApp;
  let client: TestClient;
  let id: string;
  beforeAll(async () => {
    azure = await startAzure();
    darkroom = await startTestApp(azure.settings);
    client = await darkroom.client();
    const images = await client.uploadAndAnalyze([
      { name: 'one.jpg', bytes: await drawSample('red-car.jpg', { width: 480 }) },
      { name: 'two.webp', bytes: await drawSample('red-car-small-copy.webp', { width: 480 }) },
    ]);
    id = images.get('one.jpg')!;
  });
  afterAll(async () => {
    await darkroom.stop();
    await azure.close();
  });
  afterEach(() => (['analyze', 'read', 'result'] as const).forEach((route) => azure.every(route)));

  const analyze = async (who: TestClient, image: string, options: object = {}) => {
    const { analyzeImages } = await who.get(analyzeMutation, { id: image, options });
    expect(analyzeImages.refusals).toEqual([]);
    return analyzeImages.jobs[0].id as string;
  };
  const ended = async (who: TestClient, job: string) => {
    await who.untilEnded([job]);
    return (await who.get(jobQuery, { id: job })).job;
  };
  /** A picture of a viewer of his own, analysed without Azure. */
  const ownPicture = async () => {
    const own = await darkroom.client();
    azure.every('analyze', documentedError(500));
    const images = await own.uploadAndAnalyze([{ name: 'own.jpg', bytes: await drawSample('night-city.jpg', { width: 320 }) }]);
    azure.every('analyze');
    return { own, image: images.get('own.jpg')! };
  };

  test('an upload has the words of Azure beside what was measured here', async () => {
    const { image } = await client.get(imageQuery, { id });
    expect(image.analysis).toMatchObject({
      provider: 'azure-vision',
      modelVersion: expect.stringContaining('3.2 of 2021-04-01'),
      caption: { text: 'Satya Nadella sitting on a bench' },
      objects: [{ name: 'tree', box: { x: 0, width: 50 / 1500, pixels: { x: 0, y: 0, width: 16 } } }],
      faces: [{ box: { pixels: { width: 80 } } }],
      landmarks: [{ name: 'Forbidden City' }],
      moderation: { isAdult: false },
      unavailable: [],
    });
    expect(image.analysis.tags).toContainEqual({ name: 'pangolin', source: 'azure-vision' });
    expect(image.analysis.tags.some(({ source }: { source: string }) => source === 'local')).toBe(true);
    expect(image.analysis.text.content).toContain('but in rising every time we fall');
    expect(image.analysis.colors.palette.length).toBeGreaterThan(1);
    expect(image.analysis.quality.score).toBeGreaterThan(0);
    expect(image.placeholder.dataUri).toMatch(/^data:image/);
  });

  test.each([['pangolin', 'TAG'], ['rising every time', 'TEXT'], ['Nadella', 'CAPTION'], ['forbidden city', 'TAG'], ['Pepsi', 'TAG']])('search finds it by "%s", which only Azure said', async (query, field) => {
    const { searchImages } = await client.get(searchQuery, { query });
    expect(searchImages.edges.map((edge: { node: { id: string } }) => edge.node.id)).toContain(id);
    expect(searchImages.edges[0].matchedBy).toContain(field);
  });

  test('similar works as without Azure', async () => {
    const { image } = await client.get('query ($id: ID!) { image(id: $id) { similar(first: 1) { edges { match node { filename } } } duplicates { size } } }', { id });
    expect(image).toEqual({ similar: { edges: [{ match: 'NEAR_DUPLICATE', node: { filename: 'two.webp' } }] }, duplicates: { size: 2 } });
  });

  test('the server tells who can analyse, and who does by default', async () => {
    const { operations } = await client.get('{ operations { name providers { name available reason isDefault } } }');
    expect(operations.find(({ name }: { name: string }) => name === 'ANALYZE').providers).toEqual([
      { name: 'auto', available: true, reason: null, isDefault: true },
      { name: 'azure-vision', available: true, reason: null, isDefault: false },
      { name: 'local', available: true, reason: null, isDefault: false },
    ]);
  });

  test('when Azure fails the local words stand with the reason; once it is back the same request asks it again', async () => {
    const { own, image } = await ownPicture();
    const before = (await own.get(imageQuery, { id: image })).image.analysis;
    expect(before.provider).toBe('local');
    expect(before.unavailable).toContainEqual({ feature: 'faces', reason: expect.stringMatching(/azure-vision failed \(500\).*Internal server error/) });
    expect(await ended(own, await analyze(own, image))).toMatchObject({ status: 'COMPLETED', provider: 'auto', cacheHit: false });
    expect((await own.get(imageQuery, { id: image })).image.analysis.provider).toBe('azure-vision');
    expect(await ended(own, await analyze(own, image))).toMatchObject({ status: 'COMPLETED', cacheHit: true });
  });

  test('Azure asked for by name fails with the reason, and at once when another try is useless', async () => {
    const { own, image } = await ownPicture();
    azure.every('analyze', documentedError(401));
    expect(await ended(own, await analyze(own, image, { provider: 'azure-vision' }))).toMatchObject({
      status: 'FAILED',
      failure: { code: 'PROVIDER_AUTH', retryable: false, hint: expect.stringContaining('AZURE_VISION_KEY') },
      attempts: [{ outcome: 'FAILED', failureCode: 'PROVIDER_AUTH' }],
    });
    expect((await own.get(imageQuery, { id: image })).image.analysis.provider).toBe('local');
  });

  test('local is local, also where Azure is the default', async () => {
    const { own, image } = await ownPicture();
    const calls = azure.received.length;
    expect(await ended(own, await analyze(own, image, { provider: 'local' }))).toMatchObject({ status: 'COMPLETED', provider: 'local' });
    expect(azure.received).toHaveLength(calls);
  });

  test('a job that meets a pause which another was asked for waits, and that costs none of its tries', async () => {
    const { own, image } = await ownPicture();
    azure.next('analyze', { ...documentedError(429), headers: { 'Retry-After': '8' } });
    const asked = await analyze(own, image, { provider: 'azure-vision' });
    await until('the pause is known', async () => (await own.get(jobQuery, { id: asked })).job.attempts.some(({ outcome }: { outcome: string | null }) => outcome === 'RETRIED'));
    const calls = azure.count('analyze');
    const waiting = await analyze(own, image, { provider: 'azure-vision', useCache: false });
    await until('the second one waits', async () => (await own.get('query ($id: ID!) { job(id: $id) { status stage } }', { id: waiting })).job.stage === 'waiting for azure-vision');
    expect(azure.count('analyze')).toBe(calls);
    const jobs = [await ended(own, asked), await ended(own, waiting)];
    expect(jobs).toMatchObject([{ status: 'COMPLETED' }, { status: 'COMPLETED' }]);
    expect(jobs[0].attempts[0]).toEqual({ outcome: 'RETRIED', failureCode: 'PROVIDER_RATE_LIMITED' });
    expect(jobs[1].attempts[0]).toEqual({ outcome: 'RELEASED', failureCode: null });
    expect(jobs[1].attempts.at(-1)).toEqual({ outcome: 'COMPLETED', failureCode: null });
  });
});

test.skipIf(inject('settings').REDIS_URL)('without Azure local is the default, and asking for Azure says what is missing', async () => {
  const darkroom = await startTestApp();
  const client = await darkroom.client();
  const { operations } = await client.get('{ operations { name providers { name available reason isDefault } } }');
  const reason = 'Needs AZURE_VISION_ENDPOINT and AZURE_VISION_KEY';
  expect(operations.find(({ name }: { name: string }) => name === 'ANALYZE').providers).toEqual([
    { name: 'auto', available: false, reason, isDefault: false },
    { name: 'azure-vision', available: false, reason, isDefault: false },
    { name: 'local', available: true, reason: null, isDefault: true },
  ]);
  const images = await client.uploadAndAnalyze([{ name: 'one.jpg', bytes: await drawSample('red-car.jpg', { width: 320 }) }]);
  const { analyzeImages } = await client.get('mutation ($id: ID!) { analyzeImages(imageIds: [$id], options: { provider: "azure-vision" }) { jobs { id } refusals { code message } } }', { id: images.get('one.jpg') });
  expect(analyzeImages).toEqual({ jobs: [], refusals: [{ code: 'PROVIDER_UNAVAILABLE', message: expect.stringContaining(reason) }] });
  await darkroom.stop();
});

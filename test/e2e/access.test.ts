import { afterAll, beforeAll, expect, test } from 'vitest';
import { drawSample } from '../../src/compute/draw.ts';
import { startTestApp, type TestApp } from '../app.ts';

let darkroom: TestApp;
beforeAll(async () => (darkroom = await startTestApp()));
afterAll(() => darkroom.stop());

test('without a token, with a forged one or with one that has expired nobody gets in', async () => {
  const ask = async (authorization?: string) => {
    const response = await fetch(`${darkroom.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', ...(authorization && { authorization }) }, body: JSON.stringify({ query: '{ viewer { id } }' }) });
    const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] };
    return [response.status, errors[0]?.extensions.code];
  };
  const refused = [401, 'UNAUTHENTICATED'];
  expect(await ask()).toEqual(refused);
  expect(await ask('Bearer nonsense')).toEqual(refused);
  const token = await darkroom.token('eve');
  expect(await ask(`Bearer ${token.slice(0, -3)}abc`)).toEqual(refused);
  expect(await ask(`Bearer ${await darkroom.token('eve', { expiresInSeconds: -60 })}`)).toEqual(refused);
  const none = [Buffer.from('{"alg":"none"}').toString('base64url'), token.split('.')[1], ''].join('.');
  expect(await ask(`Bearer ${none}`)).toEqual(refused);
});

test('what belongs to another viewer answers everywhere as if it did not exist', async () => {
  const [owner, stranger] = [await darkroom.client(), await darkroom.client()];
  const { results } = await owner.upload([{ name: 'red-car.jpg', bytes: await drawSample('red-car.jpg', { width: 300 }) }]);
  const image = results[0].image.id as string;
  const job = results[0].jobs[0].id as string;
  await owner.untilEnded([job]);

  const hidden = await stranger.get('query ($image: ID!, $job: ID!) { image(id: $image) { id } job(id: $job) { id } one: node(id: $image) { id } nodes(ids: [$image, $job]) { id } jobs(filter: { imageId: $image }) { totalCount } images { totalCount } searchImages(query: "car") { totalCount } }', { image, job });
  expect(hidden).toEqual({ image: null, job: null, one: null, nodes: [null, null], jobs: { totalCount: 0 }, images: { totalCount: 0 }, searchImages: { totalCount: 0 } });

  const codes = async (query: string, variables: object) => (await stranger.ask(query, variables)).errors?.map((error) => error.extensions.code);
  expect(await codes('query ($id: ID!) { similarImages(to: { imageId: $id }) { edges { score } } }', { id: image })).toEqual(['NOT_FOUND']);
  expect(await codes('mutation ($id: ID!) { cancelJob(id: $id) { outcome } }', { id: job })).toEqual(['NOT_FOUND']);
  expect(await codes('mutation ($id: ID!) { updateImage(id: $id, input: { title: "mine" }) { id } }', { id: image })).toEqual(['NOT_FOUND']);
  const { retryJobs, analyzeImages, deleteImages } = await stranger.get('mutation ($image: ID!, $job: ID!) { retryJobs(ids: [$job]) { refusals { code } } analyzeImages(imageIds: [$image]) { refusals { id code } } deleteImages(ids: [$image]) { missing } }', { image, job });
  expect({ retryJobs, analyzeImages, deleteImages }).toEqual({ retryJobs: { refusals: [{ code: 'NOT_FOUND' }] }, analyzeImages: { refusals: [{ id: image, code: 'NOT_FOUND' }] }, deleteImages: { missing: 1 } });
  for (const subscription of ['subscription ($id: ID!) { job(id: $id) { id } }', 'subscription ($id: ID!) { jobEvents(jobIds: [$id]) { seq } }']) {
    await expect(stranger.subscribe(subscription, { id: job }).next()).rejects.toMatchObject({ extensions: { code: 'NOT_FOUND' } });
  }
  expect((await owner.get('query ($id: ID!) { image(id: $id) { title } }', { id: image })).image).toEqual({ title: null });
});

test('an id that is none, or of another type, is one that nothing has, and spoils nothing for the others', async () => {
  const client = await darkroom.client();
  const good = (await client.uploadAndAnalyze([{ name: 'a.png', bytes: await drawSample('red-car.jpg', { width: 200 }) }], { run: [] })).get('a.png')!;
  const bad = ['garbage', Buffer.from("Image:'; drop table asset; --").toString('base64'), Buffer.from('Job:5f0c4d6e-0000-4000-8000-000000000000').toString('base64')];
  for (const id of bad) expect(await client.get('query ($id: ID!) { image(id: $id) { id } node(id: $id) { id } }', { id })).toEqual({ image: null, node: null });
  expect(await client.get('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: [...bad, good] })).toEqual({ nodes: [null, null, null, { id: good }] });
  const { analyzeImages, setVisibility } = await client.get(`mutation ($ids: [ID!]!) {
    analyzeImages(imageIds: $ids) { jobs { operation { name } } refusals { id code hint } }
    setVisibility(ids: $ids, visibility: PRIVATE) { assets { id } refusals { id } }
  }`, { ids: [bad[0], good, bad[2]] });
  expect(analyzeImages).toEqual({ jobs: [{ operation: { name: 'ANALYZE' } }], refusals: [bad[0], bad[2]].map((id) => ({ id, code: 'NOT_FOUND', hint: expect.stringContaining('Take the `id` that an answer gave') })) });
  expect(setVisibility).toEqual({ assets: [{ id: good }], refusals: [{ id: bad[0] }, { id: bad[2] }] });
  expect(await client.get('mutation ($ids: [ID!]!) { deleteAssets(ids: $ids) { deletedIds missing } }', { ids: [...bad, good] })).toEqual({ deleteAssets: { deletedIds: [good], missing: 3 } });
});

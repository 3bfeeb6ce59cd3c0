import { randomUUID } from 'node:crypto';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../app.ts';
import type { TestClient } from '../client.ts';
import { orderedPicture, orderedPictures, orderedTasks } from '../fixtures/ordered-picture.ts';
import { uploadsOf } from '../fixtures/upload-client.ts';
import { until } from '../until.ts';

let darkroom: TestApp;
beforeAll(async () => {
  const limits = { LIMIT_REQUESTS: '12', LIMIT_COST: '360', LIMIT_QUERY_COST: '250', LIMIT_UPLOADS: '8', LIMIT_STORED_BYTES: '20KB', LIMIT_JOBS: '3', LIMIT_RUNNING_JOBS: '1', LIMIT_SUBSCRIPTIONS: '2', LIMIT_WRONG_TOKENS: '20' };
  darkroom = await startTestApp({ ...limits, TRUSTED_PROXIES: '127.0.0.1', COMPUTE_PROCESSES: '2', JOB_CONCURRENCY: '2' }, orderedTasks);
});
afterAll(() => darkroom.stop());

const code = ({ errors }: { errors?: { extensions: { code: string } }[] }) => errors?.[0]?.extensions.code;
const raw = (client: TestClient, query: string, variables?: object) =>
  fetch(`${darkroom.url}/graphql`, { method: 'POST', headers: { authorization: `Bearer ${client.token}`, 'content-type': 'application/json' }, body: JSON.stringify({ query, variables }) });
/** A PNG of about so many bytes that no other is like. */
const noise = (side: number) => sharp(Buffer.from(Array.from({ length: side * side * 3 }, () => Math.random() * 256)), { raw: { width: side, height: side, channels: 3 } }).png().toBuffer();

test('requests above the limit are 429 with a time to come again, of one viewer and not of another', async () => {
  const client = await darkroom.client();
  const answers = await Promise.all(Array.from({ length: 15 }, () => raw(client, '{ viewer { id } }')));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused).toHaveLength(3);
  const seconds = Number(refused[0]!.headers.get('retry-after'));
  expect(seconds).toBeGreaterThan(0);
  expect(seconds).toBeLessThanOrEqual(60);
  expect(await refused[0]!.json()).toMatchObject({ errors: [{ message: expect.stringContaining('12 requests in a minute'), extensions: { code: 'RATE_LIMITED', retryAfterSeconds: seconds } }] });
  // The same budget over a socket, where it is an error of the operation.
  await expect(client.subscribe('{ viewer { id } }').next()).rejects.toMatchObject({ extensions: { code: 'RATE_LIMITED' } });
  expect((await (await darkroom.client()).ask('{ viewer { id } }')).status).toBe(200);
});

test('requests of resumable uploads are of the same budget', async () => {
  const client = await darkroom.client();
  const [{ resumableUrl }] = await uploadsOf(client).create([{ filename: 'a.png', byteSize: 100 }]);
  const answers = await Promise.all(Array.from({ length: 12 }, () => fetch(resumableUrl, { headers: { authorization: `Bearer ${client.token}`, 'tus-resumable': '1.0.0' }, method: 'PATCH' })));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused).toHaveLength(1);
  expect(Number(refused[0]!.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await refused[0]!.text()).toContain('12 requests in a minute');
});

test('every answer tells its cost and what is left; a query above the limit never runs, whatever its document cost before', async () => {
  const client = await darkroom.client();
  const query = 'query ($n: Int) { images(first: $n) { edges { node { id } } } }';
  const cost = async (n: number) => (await (await raw(client, query, { n })).json()) as { errors?: { extensions: { code: string } }[]; extensions: { cost: { requestedQueryCost: number; throttleStatus: { currentlyAvailable: number } } } };
  expect((await cost(10)).extensions.cost).toEqual({ requestedQueryCost: 21, throttleStatus: { maximumAvailable: 360, currentlyAvailable: 339, restoreRate: 6 } });
  const first = await raw(client, '{ images(first: 100) { edges { node { id url { url } } } } }');
  expect(first.status).toBe(400);
  expect(code((await first.json()) as object)).toBe('QUERY_TOO_COSTLY');
  // Neither a cheap run lets a dear one through, nor a refused one spoils the next cheap one.
  expect(await cost(100)).toMatchObject({ extensions: { cost: { requestedQueryCost: 201, throttleStatus: { currentlyAvailable: 138 } } } });
  expect(code(await cost(90))).toBe('RATE_LIMITED');
  expect((await cost(10)).extensions.cost.throttleStatus.currentlyAvailable).toBe(117);
});

test('usage and limits can be read', async () => {
  const client = await darkroom.client();
  await client.upload([{ name: 'a.png', bytes: await noise(50) }], { run: [] });
  const { viewer } = await client.get('{ viewer { limits { requestsPerMinute costPerMinute queryCost uploadsPerDay storedBytes jobs runningJobs subscriptions } usage { requestsThisMinute costThisMinute uploadsToday storedBytes jobs subscriptions } } }');
  expect(viewer.limits).toEqual({ requestsPerMinute: 12, costPerMinute: 360, queryCost: 250, uploadsPerDay: 8, storedBytes: 20_000, jobs: 3, runningJobs: 1, subscriptions: 2 });
  expect(viewer.usage).toMatchObject({ requestsThisMinute: 2, uploadsToday: 1, jobs: 0, subscriptions: 0 });
  expect(viewer.usage.storedBytes).toBeGreaterThan(7_500);
  expect(viewer.usage.costThisMinute).toBeGreaterThan(20);
});

test('bytes: of eight uploads at once no more are stored than fit, and a full viewer is told what is free', async () => {
  const client = await darkroom.client();
  const pictures = await Promise.all(Array.from({ length: 8 }, async (_, index) => ({ name: `${index}.png`, bytes: await noise(50) })));
  const answers = await Promise.all(pictures.map((picture) => client.upload([picture], { run: [] })));
  const results = answers.flatMap((answer) => answer.results);
  expect(results.filter((result) => result.__typename === 'UploadedImage')).toHaveLength(2);
  expect(results.find((result) => result.code)).toMatchObject({ code: 'QUOTA_EXCEEDED', message: expect.stringMatching(/at most 20 KB together, of which .* are free/) });
  // Eight files are a day's share, too.
  expect(await client.send('mutation ($files: [File!]!) { uploadImages(files: $files) { jobs { id } } }', pictures.slice(0, 1))).toMatchObject({ errors: [{ message: expect.stringContaining('at most 8 uploads in a day, of which 0 are left'), extensions: { code: 'QUOTA_EXCEEDED' } }] });
  // Who is full starts no work that makes more files.
  const [stored] = results.filter((result) => result.__typename === 'UploadedImage');
  const cut = 'mutation ($id: ID!) { removeBackground(imageId: $id) { id } }';
  await darkroom.app.db.asset.updateMany({ where: { ownerId: client.viewer }, data: { byteSize: 10_000 } });
  expect(await client.ask(cut, { id: stored.image.id })).toMatchObject({ errors: [{ message: expect.stringMatching(/less than 20 KB together .* there are 20 KB/), extensions: { code: 'QUOTA_EXCEEDED' } }] });
});

test('jobs: of many started at once no more wait or run than may; one runs at a time, and the next begins when it has ended', async () => {
  const client = await darkroom.client();
  const holds = await orderedPicture('hold', 'measure');
  const { results } = await client.upload([holds], { run: [] });
  const ids = [results[0].image.id];
  const answers = await Promise.all(Array.from({ length: 6 }, () => client.ask('mutation ($ids: [ID!]!) { analyzeImages(imageIds: $ids, options: { useCache: false }) { jobs { id } refusals { code } } }', { ids })));
  const started = answers.flatMap(({ data }) => data.analyzeImages.jobs as { id: string }[]);
  expect(started).toHaveLength(3);
  expect(answers.flatMap(({ data }) => data.analyzeImages.refusals)).toEqual(Array(3).fill({ code: 'QUOTA_EXCEEDED' }));
  await until('one runs', async () => holds.runs().length > 0);
  expect(await darkroom.app.db.job.count({ where: { ownerId: client.viewer, status: 'PROCESSING' } })).toBe(1);
  holds.letGo();
  const ended = await client.untilEnded(started.map(({ id }) => id));
  expect(ended.map(({ status }) => status)).toEqual(['COMPLETED', 'COMPLETED', 'COMPLETED']);
});

test('jobs: what was let in is not refused afterwards, so that no picture stays without its analysis', async () => {
  const client = await darkroom.client();
  const counts = async () => client.get('{ images { totalCount } jobs { totalCount } }');
  const send = async () => client.send('mutation ($files: [File!]!) { uploadImages(files: $files) { jobs { id } } }', await orderedPictures(3, 'measure'));
  const answers = await Promise.all([send(), send()]);
  // Whoever asks when the other is there already is refused whole.
  const letIn = answers.filter((answer) => !answer.errors);
  expect(letIn.length).toBeGreaterThan(0);
  expect(await counts()).toEqual({ images: { totalCount: 3 * letIn.length }, jobs: { totalCount: 3 * letIn.length } });
  await client.untilEnded(letIn.flatMap(({ data }) => data.uploadImages.jobs.map((job: { id: string }) => job.id)));

  const other = await darkroom.client();
  const { generateImages } = await other.get('mutation ($input: GenerateImagesInput!) { generateImages(input: $input) { id } }', { input: { prompt: 'a hill', count: 3, width: 256, height: 256 } });
  await other.untilEnded([generateImages.id]);
  expect(await other.get('{ images { totalCount } jobs(filter: { operation: [ANALYZE] }) { totalCount } }')).toEqual({ images: { totalCount: 3 }, jobs: { totalCount: 3 } });
});

test('subscriptions: no more at a time than may, on however many sockets, and a place is free when one has gone', async () => {
  const viewer = randomUUID();
  const clients = await Promise.all([1, 2, 3].map(() => darkroom.client(viewer)));
  const watch = (client: TestClient) => client.subscribe('subscription { jobEvents { seq } }');
  const streams = clients.slice(0, 2).map((client) => {
    const stream = watch(client);
    void stream.next().catch(() => {});
    return stream;
  });
  await until('two watch', async () => (await darkroom.app.seats.taken(viewer)) === 2);
  await expect(watch(clients[2]!).next()).rejects.toMatchObject({ extensions: { code: 'QUOTA_EXCEEDED' } });
  const stream = await fetch(`${darkroom.url}/graphql`, { method: 'POST', headers: { authorization: `Bearer ${clients[2]!.token}`, 'content-type': 'application/json', accept: 'text/event-stream' }, body: '{"query":"subscription { jobEvents { seq } }"}' });
  expect(await stream.text()).toContain('QUOTA_EXCEEDED');
  await streams[0]!.return();
  await until('a place is free', async () => (await darkroom.app.seats.taken(viewer)) === 1);
  await streams[1]!.return();
  await until('both have gone', async () => (await darkroom.app.seats.taken(viewer)) === 0);
});

test('an address that sends wrong tokens is refused before the next is looked at, a token of a megabyte at once', async () => {
  const client = await darkroom.client();
  const ask = (authorization: string, address: string) =>
    fetch(`${darkroom.url}/graphql?query={__typename}`, { headers: { authorization, 'x-forwarded-for': `203.0.113.99, ${address}` } });
  const statuses: number[] = [];
  for (let from = 0; from < 1_000; from += 50) {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => ask(`Bearer ${'x'.repeat(20)}.${from + index}.wrong`, '198.51.100.7')));
    statuses.push(...answers.map(({ status }) => status));
  }
  expect(statuses.filter((status) => status === 401)).toHaveLength(20);
  expect(statuses.filter((status) => status === 429)).toHaveLength(980);
  const good = await ask(`Bearer ${client.token}`, '198.51.100.7');
  expect(good.status).toBe(429);
  expect(Number(good.headers.get('retry-after'))).toBeGreaterThan(0);
  expect((await ask(`Bearer ${client.token}`, '198.51.100.8')).status).toBe(200);

  expect((await ask(`Bearer ${'x'.repeat(10_000)}`, '198.51.100.9')).status).toBe(401);
  expect((await ask(`Bearer ${'x'.repeat(1_000_000)}`, '198.51.100.9').catch(() => ({ status: 431 }))).status).toBe(431);
});

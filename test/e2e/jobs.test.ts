import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tokenViewer } from '../../src/access/viewer.ts';
import type { App } from '../../src/app.ts';
import { deleteAssets } from '../../src/assets/delete.ts';
import type { Sql } from '../../src/database/sql.ts';
import { insertTogether, type PendingJob } from '../../src/jobs/insert.ts';
import { startJob } from '../../src/jobs/start.ts';
import { getOperation } from '../../src/operations/index.ts';
import { startTestApp, type TestApp } from '../app.ts';
import { createJob } from '../fixtures/job-rows.ts';
import { jobsOf } from '../fixtures/job-client.ts';
import { isAlive, orderedPicture, orderedPictures, orderedTasks } from '../fixtures/ordered-picture.ts';
import { until } from '../until.ts';

let darkroom: TestApp;
beforeAll(async () => (darkroom = await startTestApp({ JOB_CONCURRENCY: '2', COMPUTE_PROCESSES: '2' }, orderedTasks)));
afterAll(() => darkroom.stop());

const newJobs = async () => jobsOf(await darkroom.client());
const rowIdOf = (globalId: string) => Buffer.from(globalId, 'base64').toString().split(':')[1]!;

test('a failure that is worth another try leads to one after a wait, and each try is told', async () => {
  const jobs = await newJobs();
  const picture = await orderedPicture('fail', 'measure');
  const [started] = await jobs.start(picture);
  const job = await jobs.end(started!.jobId);
  expect(job).toMatchObject({ status: 'COMPLETED', progress: 100, failure: null, attempts: [
    { attempt: 1, outcome: 'RETRIED', failureCode: 'PROVIDER_ERROR', failureMessage: 'Expected an answer but the provider was tired' },
    { attempt: 2, outcome: 'COMPLETED', failureCode: null, failureMessage: null },
  ] });
  expect(picture.runs()).toHaveLength(2);
  expect((await jobs.events(job.id)).map(({ status, attempt }) => `${status} ${attempt}`).filter((step, index, steps) => step !== steps[index - 1])).toEqual([
    'PENDING 0', 'PROCESSING 1', 'PENDING 1', 'PROCESSING 2', 'COMPLETED 2',
  ]);
});

test('a provider that asks for time gets it', async () => {
  const jobs = await newJobs();
  const [started] = await jobs.start(await orderedPicture('ask to wait', 'measure'));
  const { status, attempts: [first, second] } = await jobs.end(started!.jobId);
  expect(status).toBe('COMPLETED');
  expect(Date.parse(second.startedAt) - Date.parse(first.finishedAt)).toBeGreaterThanOrEqual(1_490);
});

test('a job fails with code and hint when its budget is used up, at once where another try would not help', async () => {
  const jobs = await newJobs();
  const [tired, picky] = await jobs.start(await orderedPicture('fail'), await orderedPicture('refuse'));
  expect(await jobs.end(tired!.jobId)).toMatchObject({
    status: 'FAILED',
    failure: { code: 'PROVIDER_ERROR', message: 'Expected an answer but the provider was tired', hint: 'Wake it up', retryable: true },
    attempts: [{ outcome: 'RETRIED' }, { outcome: 'RETRIED' }, { outcome: 'FAILED' }],
  });
  expect(await jobs.end(picky!.jobId)).toMatchObject({ status: 'FAILED', failure: { code: 'PROVIDER_REFUSED', hint: 'Send one', retryable: false }, attempts: [{ outcome: 'FAILED' }] });
});

test('a crash of native code costs one attempt of one job', async () => {
  const jobs = await newJobs();
  const [crashed, neighbour] = await orderedPictures(2, 'hold', 'measure');
  const [first, second] = await jobs.start(crashed!, neighbour!);
  await until('both to be measured', () => crashed!.runs().length + neighbour!.runs().length === 2);
  process.kill(crashed!.runs()[0]!, 'SIGKILL');
  expect(await jobs.end(first!.jobId)).toMatchObject({ status: 'COMPLETED', attempts: [{ outcome: 'RETRIED', failureCode: 'WORKER_LOST' }, { outcome: 'COMPLETED' }] });
  neighbour!.letGo();
  expect(await jobs.end(second!.jobId)).toMatchObject({ status: 'COMPLETED', attempts: [{ outcome: 'COMPLETED' }] });
});

test('a deadline is kept by a job that runs and by one that waits, to the moment', async () => {
  const jobs = await newJobs();
  const pictures = await orderedPictures(3, 'measure');
  const images = await jobs.start(...pictures);
  await Promise.all(images.map(({ jobId }) => jobs.end(jobId)));
  const held = await orderedPictures(3, 'hold');
  const [a, b, waiting] = await jobs.start(...held);
  await until('two to run', () => held.filter((picture) => picture.runs().length === 1).length === 2);
  const late = await jobs.analyze(images[0]!.imageId, { useCache: false, deadlineSeconds: 1 });
  expect(await jobs.end(late.id)).toMatchObject({ status: 'FAILED', failure: { code: 'DEADLINE_EXCEEDED', retryable: false }, attempts: [] });
  for (const { jobId } of [a!, b!, waiting!]) await jobs.cancel(jobId);
  await Promise.all([a!, b!, waiting!].map(({ jobId }) => jobs.end(jobId)));

  const running = await jobs.analyze((await jobs.start(await orderedPicture('measure', 'hold')))[0]!.imageId, { deadlineSeconds: 1, useCache: false });
  const ended = await jobs.end(running.id);
  expect(ended).toMatchObject({ status: 'FAILED', failure: { code: 'DEADLINE_EXCEEDED', retryable: false }, attempts: [{ outcome: 'FAILED', failureCode: 'DEADLINE_EXCEEDED' }] });
  const lifeMs = Date.parse(ended.finishedAt) - Date.parse(ended.createdAt);
  expect(lifeMs).toBeGreaterThanOrEqual(1_000);
  expect(lifeMs).toBeLessThan(6_000); // the next heartbeat would be after 7.5 s
});

test('ten requests with one idempotency key at once make one job; the key is good for the same work only', async () => {
  const client = await darkroom.client();
  const jobs = jobsOf(client);
  const [one, other] = await jobs.start(...(await orderedPictures(2, 'measure')));
  const idempotencyKey = randomUUID();
  const started = await Promise.all(Array.from({ length: 10 }, () => jobs.analyze(one!.imageId, { idempotencyKey, useCache: false })));
  expect(new Set(started.map(({ id }) => id)).size).toBe(1);
  expect(started[0].id).not.toBe(one!.jobId);
  // Over HTTP they come one after another by a hair; here they really meet.
  const options = { idempotencyKey: randomUUID(), useCache: false };
  const viewer = tokenViewer(client.viewer);
  const met = await Promise.all(Array.from({ length: 10 }, () => startJob(darkroom.app, viewer, { operation: getOperation('analyze'), inputIds: [rowIdOf(one!.imageId)], parameters: {}, options })));
  expect(new Set(met.map(({ id }) => id)).size).toBe(1);
  expect(await jobs.analyze(other!.imageId, { idempotencyKey })).toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' });
  expect((await jobs.end(started[0].id)).status).toBe('COMPLETED');
  expect((await jobs.analyze(one!.imageId, { idempotencyKey })).id).toBe(started[0].id);
  const stranger = await newJobs();
  const [theirs] = await stranger.start(await orderedPicture('measure'));
  expect((await stranger.analyze(theirs!.imageId, { idempotencyKey })).id).not.toBe(started[0].id);
});

test('jobs that are started at the same moment are written together, and one that cannot be spoils none of the others', async () => {
  const { sql, db } = darkroom.app;
  const ownerId = randomUUID();
  let statements = 0;
  const faults = new Map<number, Error>();
  const counted: Sql = {
    $queryRaw: sql.$queryRaw.bind(sql),
    $executeRaw: (...args) => {
      const fault = faults.get(++statements);
      return fault ? Promise.reject(fault) : sql.$executeRaw(...args);
    },
  };
  const job = (inputIds: string[] = []): PendingJob => ({
    id: randomUUID(), ownerId, operation: 'generate', provider: 'local', parameters: {}, maxFailures: 3, priority: 0, idempotencyKey: null, cacheKey: '0'.repeat(64), retryOfId: null, webhookId: null, inputIds, deadlineSeconds: 60,
  });
  // The first at once, the others when it is written.
  await Promise.all(Array.from({ length: 20 }, () => insertTogether(counted, job())));
  expect(statements).toBe(2);
  const settled = await Promise.allSettled([job(), job(), job([randomUUID()]), job()].map((one) => insertTogether(counted, one)));
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  expect(statements).toBe(2 + 2 + 3);

  // A deadlock wrote nothing, so each is written by itself; after a broken connection nobody knows, so nothing is written again.
  const start = async () => (await Promise.allSettled([job(), job(), job()].map((one) => insertTogether(counted, one)))).map(({ status }) => status);
  faults.set(9, Object.assign(new Error('deadlock detected'), { code: '40P01' })).set(13, new Error('Connection terminated unexpectedly'));
  expect(await start()).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
  expect(statements).toBe(11);
  expect(await start()).toEqual(['fulfilled', 'rejected', 'rejected']);
  expect(statements).toBe(13);
  expect(await db.job.count({ where: { ownerId, inputCount: 0, deadline: { not: null } } })).toBe(27);
});

test('the same request with the same idempotency key gives its job also after a change of settings; a provider that is named is part of the request', async () => {
  const client = await darkroom.client();
  const [started] = await jobsOf(client).start(await orderedPicture('measure'));
  const idempotencyKey = randomUUID();
  const request = (options: object) => ({ operation: getOperation('analyze'), inputIds: [rowIdOf(started!.imageId)], parameters: {}, options: { idempotencyKey, ...options } });
  const viewer = tokenViewer(client.viewer);
  const { id } = await startJob(darkroom.app, viewer, request({}));
  const later: App = { ...darkroom.app, config: { ...darkroom.app.config, ANALYZE_PROVIDER: 'azure-vision', AZURE_VISION_ENDPOINT: 'https://vision.example.org', AZURE_VISION_KEY: 'a key' } };
  expect((await startJob(later, viewer, request({}))).id).toBe(id);
  for (const provider of ['local', 'auto']) expect((await startJob(later, viewer, request({ provider }))).id).toBe(id);
  await expect(startJob(later, viewer, request({ provider: 'azure-vision' }))).rejects.toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' });
});

test('the same work is completed at once; without the cache it is done again', async () => {
  const jobs = await newJobs();
  const picture = await orderedPicture('measure');
  const [started] = await jobs.start(picture);
  await jobs.end(started!.jobId);
  const known = await jobs.analyze(started!.imageId);
  expect(known).toMatchObject({ status: 'COMPLETED', progress: 100, cacheHit: true, attempts: [] });
  expect(known.id).not.toBe(started!.jobId);
  expect(await jobs.events(known.id)).toMatchObject([{ seq: 1, status: 'COMPLETED' }]);
  expect(picture.runs()).toHaveLength(1);
  const again = await jobs.analyze(started!.imageId, { useCache: false });
  expect(await jobs.end(again.id)).toMatchObject({ status: 'COMPLETED', cacheHit: false });
  expect(picture.runs()).toHaveLength(2);
});

test('an answer of the cache is as old as the work that gave it, however often it was asked for since', async () => {
  const jobs = await newJobs();
  const picture = await orderedPicture('measure', 'measure');
  const [started] = await jobs.start(picture);
  await jobs.end(started!.jobId);
  expect((await jobs.analyze(started!.imageId)).cacheHit).toBe(true);
  // As if its time were up: an ended job itself never changes.
  await darkroom.app.db.job.delete({ where: { id: rowIdOf(started!.jobId) } });
  expect(await jobs.end((await jobs.analyze(started!.imageId)).id)).toMatchObject({ status: 'COMPLETED', cacheHit: false });
  expect(picture.runs()).toHaveLength(2);
});

test('a retry is a new job that points to the old one; only a job that failed or was cancelled has one', async () => {
  const jobs = await newJobs();
  const [started] = await jobs.start(await orderedPicture('refuse', 'refuse', 'measure'));
  const first = await jobs.end(started!.jobId);
  const second = await jobs.end((await jobs.retry(first.id)).id);
  expect(second).toMatchObject({ status: 'FAILED', retryOf: { id: first.id } });
  const third = await jobs.end((await jobs.retry(second.id)).id);
  expect(third).toMatchObject({ status: 'COMPLETED', cacheHit: false, retryOf: { id: second.id } });
  expect(await jobs.retry(third.id)).toMatchObject({ code: 'INVALID_INPUT' });
  expect(await jobs.get(first.id)).toEqual(first);
  expect(await (await newJobs()).retry(first.id)).toMatchObject({ code: 'NOT_FOUND' });
});

test('one viewer with two hundred waiting jobs does not delay the two of another until his end', async () => {
  const [client, jobs] = [await darkroom.client(), await newJobs()];
  const whale = jobsOf(client);
  const [image] = await whale.start(await orderedPicture('measure'));
  await whale.end(image!.jobId);
  const { viewer } = client;
  const { app } = darkroom;
  const assetId = rowIdOf(image!.imageId);
  for (let index = 0; index < 200; index++) await createJob(app.db, { ownerId: viewer, inputs: { create: { assetId, position: 0 } } });
  const mine = await jobs.start(...(await orderedPictures(2, 'measure')));
  await Promise.all(mine.map(({ jobId }) => jobs.end(jobId)));
  expect(await app.db.job.count({ where: { ownerId: viewer, status: 'PENDING' } })).toBeGreaterThan(100);
  await app.db.job.updateMany({ where: { ownerId: viewer, status: 'PENDING' }, data: { status: 'CANCELLED', finishedAt: new Date() } });
});

test('a job whose worker was lost runs alone', async () => {
  const { db, queue } = darkroom.app;
  const [client, other] = [await darkroom.client(), await newJobs()];
  const jobs = jobsOf(client);
  const suspicious = await orderedPicture('measure', 'hold');
  const [image] = await jobs.start(suspicious);
  await jobs.end(image!.jobId);
  const suspect = await createJob(db, { ownerId: client.viewer, suspect: true, inputs: { create: { assetId: rowIdOf(image!.imageId), position: 0 } } });
  await queue.ring({ jobId: suspect.id, attempt: 0 });
  await until('the suspect to run', () => suspicious.runs().length === 2);
  const [neighbour] = await other.start(await orderedPicture('measure'));
  await until('the nudge to be heard', async () => (await queue.depth()) === 0);
  suspicious.letGo();
  const ended = await other.end(neighbour!.jobId);
  const row = await db.job.findUniqueOrThrow({ where: { id: suspect.id } });
  expect(row.status).toBe('COMPLETED');
  expect(Date.parse(ended.startedAt)).toBeGreaterThanOrEqual(row.finishedAt!.getTime());
});

test('a job that was stored and never rung for runs all the same, and one that is rung for a hundred times runs once (I8, I9)', async () => {
  const client = await darkroom.client();
  const jobs = jobsOf(client);
  const picture = await orderedPicture('measure');
  const [image] = await jobs.start(picture);
  await jobs.end(image!.jobId);
  const { id } = await createJob(darkroom.app.db, { ownerId: client.viewer, inputs: { create: { assetId: rowIdOf(image!.imageId), position: 0 } } });
  await until('the job to end', async () => (await darkroom.app.db.job.findUniqueOrThrow({ where: { id } })).status === 'COMPLETED', 20_000);
  const { queue } = darkroom.app;
  for (let ring = 0; ring < 100; ring++) await queue.ring({ jobId: id, attempt: ring % 3 });
  await until('all rings to be heard', async () => (await queue.depth()) === 0);
  expect(picture.runs()).toHaveLength(2);
});

test('text that a database cannot keep does not fail a job', async () => {
  const client = await darkroom.client();
  const [started] = await jobsOf(client).start(await orderedPicture('write odd text'));
  expect(await jobsOf(client).end(started!.jobId)).toMatchObject({ status: 'COMPLETED', attempts: [{ outcome: 'COMPLETED' }] });
  const { image } = await client.get('query ($id: ID!) { image(id: $id) { analysis { codes { text } } } }', { id: started!.imageId });
  expect(image.analysis.codes).toEqual([{ text: 'a\ufffdb\ufffdc' }]);
});

test('a job whose input was deleted before it began is cancelled, not failed', async () => {
  const client = await darkroom.client();
  const jobs = jobsOf(client);
  const [image] = await jobs.start(await orderedPicture('measure'));
  await jobs.end(image!.jobId);
  const assetId = rowIdOf(image!.imageId);
  // Between "cancel its jobs" and "delete it" another request starts one.
  const { id } = await createJob(darkroom.app.db, { ownerId: client.viewer, runAfter: new Date(Date.now() + 500), inputCount: 1, inputs: { create: { assetId, position: 0 } } });
  await deleteAssets(darkroom.app, tokenViewer(client.viewer), [assetId]);
  await until('the job to end', async () => (await darkroom.app.db.job.findUniqueOrThrow({ where: { id } })).status === 'CANCELLED');
});

test('an attempt leaves no folder, and a start removes those of killed processes', async () => {
  const folder = join(darkroom.app.config.DATA_DIR, 'spool', 'jobs');
  const leftover = join(folder, `${randomUUID()}-1`);
  await mkdir(leftover, { recursive: true });
  await until('all attempts to be tidied up', async () => (await readdir(folder)).length === 1);
  await darkroom.restart();
  await until('the leftover to go', () => !existsSync(leftover));
});

test('work that takes longer than it may ends as TIMED_OUT, and its process is gone', async () => {
  const strict = await startTestApp({ JOB_TIMEOUT: '1s', JOB_HARD_TIMEOUT: '2s' }, orderedTasks);
  try {
    const jobs = jobsOf(await strict.client());
    const pictures = [await orderedPicture('hold'), await orderedPicture('spin')];
    for (const { jobId } of await jobs.start(...pictures)) {
      expect(await jobs.end(jobId)).toMatchObject({ status: 'FAILED', failure: { code: 'TIMED_OUT', retryable: false }, attempts: [{ outcome: 'FAILED', failureCode: 'TIMED_OUT' }] });
    }
    await until('the children to be gone', () => pictures.flatMap((picture) => picture.runs()).filter(isAlive).length === 0);
  } finally {
    await strict.stop();
  }
});

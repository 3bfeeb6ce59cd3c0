import pino from 'pino';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { tokenViewer } from '../../src/access/viewer.ts';
import { drawSample } from '../../src/compute/draw.ts';
import { retryJob } from '../../src/jobs/retry.ts';
import { startTestApp, type TestApp } from '../app.ts';
import type { TestClient } from '../client.ts';
import { createJob } from '../fixtures/job-rows.ts';
import { jobsOf } from '../fixtures/job-client.ts';
import { orderedPicture, orderedPictures, orderedTasks } from '../fixtures/ordered-picture.ts';
import { until } from '../until.ts';

const rowIdOf = (globalId: string) => Buffer.from(globalId, 'base64').toString().split(':')[1]!;

describe.skipIf(inject('settings').REDIS_URL && !inject('postgresUrl'))('what all jobs have', () => {
  const lines: string[] = [];
  let darkroom: TestApp;
  let client: TestClient;
  let jobs: ReturnType<typeof jobsOf>;
  beforeAll(async () => {
    const log = pino({ level: 'info', base: undefined }, { write: (line) => void lines.push(line) });
    darkroom = await startTestApp({ JOB_CONCURRENCY: '2', COMPUTE_PROCESSES: '3', JOB_TIMEOUTS: 'analyze=10m' }, { ...orderedTasks, log });
    client = await darkroom.client();
    jobs = jobsOf(client);
  });
  afterAll(() => darkroom.stop());

  const analyze = (ids: string[], options: object) =>
    client.ask('mutation ($ids: [ID!]!, $options: JobOptions) { analyzeImages(imageIds: $ids, options: $options) { jobs { id status } } }', { ids, options });
  const retry = async (variables: object, who = client) =>
    who.ask('mutation ($ids: [ID!], $filter: JobFilter) { retryJobs(ids: $ids, filter: $filter) { remaining jobs { id retryOf { id } } refusals { id code } } }', variables);
  const cancel = async (variables: object) =>
    client.ask('mutation ($ids: [ID!], $filter: JobFilter) { cancelJobs(ids: $ids, filter: $filter) { remaining results { outcome job { id } } refusals { id code } } }', variables);

  test('the same bytes are the same work, also when they were deleted and uploaded again; those of another viewer are not', async () => {
    const picture = await orderedPicture('measure');
    const [first] = await jobs.start(picture);
    await jobs.end(first!.jobId);
    await client.get('mutation ($ids: [ID!]!) { deleteImages(ids: $ids) { missing } }', { ids: [first!.imageId] });
    const [again] = await jobs.start(picture);
    expect(again!.imageId).not.toBe(first!.imageId);
    expect(await jobs.get(again!.jobId)).toMatchObject({ status: 'COMPLETED', cacheHit: true });
    const { image } = await client.get('query ($id: ID!) { image(id: $id) { analysis { colors { accent } } } }', { id: again!.imageId });
    expect(image.analysis.colors.accent).toMatch(/^#/);
    const others = jobsOf(await darkroom.client());
    const [theirs] = await others.start(picture);
    expect(await others.end(theirs!.jobId)).toMatchObject({ cacheHit: false });
    expect(picture.runs()).toHaveLength(2);
  });

  test('waitMs answers with the end of all jobs, or when the time is up', async () => {
    const quick = await jobs.start(...(await orderedPictures(2, 'measure')));
    const slow = await orderedPicture('measure', 'hold');
    const [held] = await jobs.start(slow);
    await Promise.all([...quick, held!].map(({ jobId }) => jobs.end(jobId)));
    const done = await analyze(quick.map(({ imageId }) => imageId), { useCache: false, waitMs: 30_000 });
    expect(done.data.analyzeImages.jobs.map((job: { status: string }) => job.status)).toEqual(['COMPLETED', 'COMPLETED']);
    const late = await analyze([quick[0]!.imageId, held!.imageId], { useCache: false, waitMs: 1_500 });
    expect(late.data.analyzeImages.jobs.map((job: { status: string }) => job.status)).toEqual(['COMPLETED', 'PROCESSING']);
    slow.letGo();
    await jobs.end(late.data.analyzeImages.jobs[1].id);
    const { errors } = await analyze([held!.imageId], { waitMs: 30_001 });
    expect(errors?.[0]).toMatchObject({ extensions: { code: 'INVALID_INPUT', hint: expect.stringMatching(/subscription/) }, message: expect.stringMatching(/30000 but received 30001/) });
  });

  test('those who retry with one filter at the same moment are given one and the same retry', async () => {
    const who = await darkroom.client();
    const [image] = await jobsOf(who).start(await orderedPicture('refuse', 'measure'));
    await who.untilEnded([image!.jobId]);
    const answers = await Promise.all(Array.from({ length: 5 }, () => retryJob(darkroom.app, tokenViewer(who.viewer), rowIdOf(image!.jobId), { isOnce: true })));
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    expect((await retry({ filter: {} }, who)).data.retryJobs).toEqual({ jobs: [], refusals: [], remaining: 0 });
  });

  test('all failed jobs are retried with one filter, each once, a hundred at a time, and the rest is told', async () => {
    const [image] = await jobs.start(await orderedPicture('measure'));
    await jobs.end(image!.jobId);
    const failed = { ownerId: client.viewer, status: 'FAILED' as const, finishedAt: new Date(), failureCode: 'WORKER_LOST', failureMessage: 'lost', failureRetryable: true, createdAt: new Date(Date.now() - 3_600_000) };
    const input = { inputs: { create: { assetId: rowIdOf(image!.imageId), position: 0 } } };
    const { db } = darkroom.app;
    for (let count = 0; count < 101; count++) await createJob(db, { ...failed, ...input });
    await createJob(db, { ...failed, inputCount: 1 }); // its input was deleted
    await createJob(db, { ...failed, ...input, status: 'CANCELLED', failureCode: null, failureMessage: null, failureRetryable: null });
    await createJob(db, { ...failed, ...input, ownerId: 'a stranger' });
    const filter = { operation: ['ANALYZE'], createdBefore: new Date(Date.now() - 60_000).toISOString() };
    const first = (await retry({ filter })).data.retryJobs;
    expect([first.jobs.length, first.refusals, first.remaining]).toEqual([100, [], 1]);
    expect(new Set(first.jobs.map((job: { retryOf: { id: string } }) => job.retryOf.id)).size).toBe(100);
    expect((await retry({ filter })).data.retryJobs).toMatchObject({ jobs: [{}], refusals: [], remaining: 0 });
    expect((await retry({ filter })).data.retryJobs).toEqual({ jobs: [], refusals: [], remaining: 0 });
    expect((await retry({ filter: { ...filter, status: ['CANCELLED'] } })).data.retryJobs.jobs).toHaveLength(1);
    const mixed = (await retry({ ids: [image!.jobId] })).data.retryJobs;
    expect(mixed).toEqual({ jobs: [], refusals: [{ id: image!.jobId, code: 'INVALID_INPUT' }], remaining: 0 });

    expect(await cancel({ filter: { operation: ['ANALYZE'] } })).toMatchObject({ data: { cancelJobs: { refusals: [] } } });
    await until('everything to have ended', async () => (await db.job.count({ where: { ownerId: client.viewer, status: { in: ['PENDING', 'PROCESSING'] } } })) === 0);
    for (const variables of [{}, { ids: [], filter: {} }, { filter: { status: ['COMPLETED'] } }]) {
      expect((await retry(variables)).errors?.[0]?.extensions.code, JSON.stringify(variables)).toBe('INVALID_INPUT');
    }
  });

  test('many jobs are cancelled at once: those that wait, those that run, and nobody else\'s', async () => {
    const held = await orderedPictures(3, 'hold');
    const started = await jobs.start(...held);
    const stranger = jobsOf(await darkroom.client());
    const picture = await orderedPicture('measure');
    const [theirs] = await stranger.start(picture);
    await until('two to run', () => held.filter((one) => one.runs().length === 1).length === 2, 30_000);
    const { results, remaining } = (await cancel({ filter: {} })).data.cancelJobs;
    expect(results.map((result: { outcome: string }) => result.outcome).toSorted()).toEqual(['CANCELLED', 'REQUESTED', 'REQUESTED']);
    expect(remaining).toBe(0);
    for (const { jobId } of started) expect(await jobs.end(jobId)).toMatchObject({ status: 'CANCELLED' });
    expect(await stranger.end(theirs!.jobId)).toMatchObject({ status: 'COMPLETED' });
    const { refusals } = (await cancel({ ids: [theirs!.jobId, started[0]!.jobId] })).data.cancelJobs;
    expect(refusals).toEqual([{ id: theirs!.jobId, code: 'NOT_FOUND' }]);
  });

  test('every attempt leaves one line: ids, times and sizes, and no name, address or word of the client', async () => {
    const picture = await orderedPicture('fail', 'measure');
    const [started] = await jobs.start({ ...picture, name: 'my secret picture.png' });
    await jobs.end(started!.jobId);
    const ofJob = () => lines.map((line) => JSON.parse(line)).filter((line) => line.jobId === rowIdOf(started!.jobId));
    await until('both lines', () => ofJob().length === 2);
    const common = { viewerId: client.viewer, operation: 'analyze', provider: expect.any(String), msg: 'Attempt ended', queuedMs: expect.any(Number), processingMs: expect.any(Number), inputBytes: picture.bytes.length, outputBytes: 0, compressionRatio: null };
    expect(ofJob()).toEqual([
      { ...common, level: 40, time: expect.any(Number), jobId: expect.any(String), attempt: 1, status: 'RETRIED', failureCode: 'PROVIDER_ERROR', peakMemoryBytes: null },
      { ...common, level: 30, time: expect.any(Number), jobId: expect.any(String), attempt: 2, status: 'COMPLETED', peakMemoryBytes: expect.any(Number) },
    ]);
    expect(JSON.stringify(ofJob())).not.toMatch(/secret|https?:|tired/);

    // What comes out, and how it compares with what went in.
    const name = 'yellow-mug-on-white.jpg';
    const id = (await client.uploadAndAnalyze([{ name, bytes: await drawSample(name, { width: 300 }) }], { run: [] })).get(name);
    const { removeBackground: cut } = await client.get('mutation ($id: ID!) { removeBackground(imageId: $id, options: { waitMs: 30000 }) { id status inputs { byteSize } outputs { byteSize } } }', { id });
    const line = lines.map((text) => JSON.parse(text)).find(({ jobId }) => jobId === rowIdOf(cut.id));
    const [inputBytes, outputBytes] = [cut.inputs[0].byteSize, cut.outputs[0].byteSize];
    expect(line).toMatchObject({ operation: 'remove-background', status: 'COMPLETED', inputBytes, outputBytes, compressionRatio: expect.closeTo(outputBytes / inputBytes, 3) });
  });

  test('operations say their limits, their time-outs and the shape of their parameters', async () => {
    const { operations } = await client.get('{ operations { name available reason parametersSchema limits { inputKind minInputs maxInputs softTimeoutSeconds hardTimeoutSeconds maxFailures cacheSeconds } } }');
    const of = (name: string) => operations.find((operation: { name: string }) => operation.name === name);
    expect(of('ANALYZE')).toMatchObject({ available: true, reason: null, limits: { inputKind: 'IMAGE', minInputs: 1, maxInputs: 1, softTimeoutSeconds: 600, hardTimeoutSeconds: 660, maxFailures: 3, cacheSeconds: 86_400 } });
    expect(of('REMOVE_BACKGROUND')).toMatchObject({ limits: { softTimeoutSeconds: 240, hardTimeoutSeconds: 300 }, parametersSchema: { type: 'object', properties: { padding: { default: 0.04, minimum: 0, maximum: 1 } } } });
  });
});

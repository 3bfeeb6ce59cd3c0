import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../app.ts';
import { jobsOf } from '../fixtures/job-client.ts';
import { isAlive, orderedPicture, orderedPictures, orderedTasks } from '../fixtures/ordered-picture.ts';
import { until } from '../until.ts';

let darkroom: TestApp;
beforeAll(async () => (darkroom = await startTestApp({ JOB_CONCURRENCY: '2', COMPUTE_PROCESSES: '3' }, orderedTasks)));
afterAll(() => darkroom.stop());

const newJobs = async () => jobsOf(await darkroom.client());

test('a waiting job is cancelled at once and never runs', async () => {
  const jobs = await newJobs();
  const held = await orderedPictures(2, 'hold');
  const running = await jobs.start(...held);
  await until('both to run', () => held.every((picture) => picture.runs().length === 1));
  const picture = await orderedPicture('measure');
  const [waiting] = await jobs.start(picture);
  expect(await jobs.cancel(waiting!.jobId)).toBe('CANCELLED');
  expect(await jobs.get(waiting!.jobId)).toMatchObject({ status: 'CANCELLED', failure: null, attempts: [], startedAt: null });
  held.forEach((one) => one.letGo());
  for (const { jobId } of running) expect((await jobs.end(jobId)).status).toBe('COMPLETED');
  expect(await jobs.events(waiting!.jobId)).toMatchObject([{ seq: 1, status: 'PENDING' }, { seq: 2, status: 'CANCELLED' }]);
  expect(picture.runs()).toEqual([]);
});

test.each(['hold', 'spin'] as const)('a running job ends as CANCELLED within two seconds, and so does the process that worked at it (%s)', async (behaviour) => {
  const jobs = await newJobs();
  const picture = await orderedPicture(behaviour);
  const [started] = await jobs.start(picture);
  await until('the work to begin', () => picture.runs().length === 1);
  const [pid] = picture.runs();
  expect(isAlive(pid!)).toBe(true);
  const askedAt = performance.now();
  expect(await jobs.cancel(started!.jobId)).toBe('REQUESTED');
  expect(await jobs.end(started!.jobId)).toMatchObject({ status: 'CANCELLED', failure: null, attempts: [{ outcome: 'CANCELLED', failureCode: null }] });
  await until('the process to be gone', () => !isAlive(pid!));
  expect(performance.now() - askedAt).toBeLessThan(2_000);
  expect(await jobs.cancel(started!.jobId)).toBe('ALREADY_FINISHED');
});

test('a cancelled job can be retried, and a job that waits for its next try can be cancelled', async () => {
  const jobs = await newJobs();
  const [started] = await jobs.start(await orderedPicture('ask to wait', 'measure'));
  await until('the wait to begin', async () => (await jobs.get(started!.jobId)).attempts[0]?.outcome === 'RETRIED');
  expect(await jobs.cancel(started!.jobId)).toBe('CANCELLED');
  expect(await jobs.get(started!.jobId)).toMatchObject({ status: 'CANCELLED', failure: null, attempts: [{ outcome: 'RETRIED' }] });
  const again = await jobs.retry(started!.jobId);
  expect(await jobs.end(again.id)).toMatchObject({ status: 'COMPLETED', retryOf: { id: started!.jobId } });
});

test('nobody cancels the job of another', async () => {
  const [jobs, client] = [await newJobs(), await darkroom.client()];
  const picture = await orderedPicture('hold');
  const [started] = await jobs.start(picture);
  const { errors } = await client.ask('mutation ($id: ID!) { cancelJob(id: $id) { outcome } }', { id: started!.jobId });
  expect(errors?.[0]?.extensions.code).toBe('NOT_FOUND');
  picture.letGo();
  expect((await jobs.end(started!.jobId)).status).toBe('COMPLETED');
});

test('deleting a picture cancels its jobs', async () => {
  const client = await darkroom.client();
  const jobs = jobsOf(client);
  const [started] = await jobs.start(await orderedPicture('hold'));
  await client.get('mutation ($ids: [ID!]!) { deleteImages(ids: $ids) { missing } }', { ids: [started!.imageId] });
  expect(await jobs.end(started!.jobId)).toMatchObject({ status: 'CANCELLED', inputs: [] });
});

test('of fifty cancels at any moment each ends its job once: CANCELLED, or COMPLETED before (I14)', async () => {
  const client = await darkroom.client();
  const jobs = jobsOf(client);
  // Nothing begins before everything is there and watched.
  const first = await orderedPictures(2, 'hold');
  await jobs.start(...first);
  await until('every place to be taken', () => first.every((picture) => picture.runs().length === 1));
  const pictures = await Promise.all(Array.from({ length: 50 }, (_, index) => orderedPicture(index % 4 === 1 ? 'hold' : 'measure')));
  const ids = (await jobs.start(...pictures)).map(({ jobId }) => jobId);
  const outcomes = new Map<string, Promise<string>>();
  const ends = new Map<string, string[]>();
  const cancel = (id: string | undefined) => id && !outcomes.has(id) && outcomes.set(id, jobs.cancel(id));
  // A quarter is cancelled while it waits, one that would last for ever while it runs, one at any time after it began, and one when it has ended.
  let watched = 0;
  for await (const { jobEvents } of client.subscribe('subscription ($ids: [ID!]!) { jobEvents(jobIds: $ids) { jobId status } }', { ids })) {
    const { jobId, status } = jobEvents;
    if (++watched === ids.length) first.forEach((picture) => picture.letGo());
    if (status === 'PROCESSING') {
      const patienceMs = [null, 30, 100, null][ids.indexOf(jobId) % 4];
      if (patienceMs) setTimeout(cancel, Math.random() * patienceMs, jobId);
      cancel(ids.findLast((id, index) => index % 4 === 0 && !outcomes.has(id)));
    }
    if (['COMPLETED', 'CANCELLED', 'FAILED'].includes(status)) {
      ends.set(jobId, [...(ends.get(jobId) ?? []), status]);
      cancel(jobId);
    }
  }
  for (const id of ids) cancel(id);
  const seen = new Set<string>();
  for (const id of ids) {
    const outcome = (await outcomes.get(id))!;
    expect([outcome, ends.get(id)]).toEqual([outcome, [outcome === 'ALREADY_FINISHED' ? 'COMPLETED' : 'CANCELLED']]);
    seen.add(outcome);
  }
  expect(seen).toEqual(new Set(['CANCELLED', 'REQUESTED', 'ALREADY_FINISHED']));
});

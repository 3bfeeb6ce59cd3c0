import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { drawSample } from '../../src/compute/draw.ts';
import { startTestApp, type TestApp } from '../app.ts';
import type { TestClient } from '../client.ts';
import { until } from '../until.ts';

let darkroom: TestApp;
let client: TestClient;
beforeAll(async () => {
  darkroom = await startTestApp({ JOB_CONCURRENCY: '1', COMPUTE_PROCESSES: '1' });
  client = await darkroom.client();
});
afterAll(() => darkroom.stop());

/** A store that writes no output until it is told to. */
function holdOutputs() {
  const { storage } = darkroom.app;
  const upload = storage.upload.bind(storage);
  const held: (() => void)[] = [];
  storage.upload = async (key, path, info) => {
    if (key.startsWith('processed/')) await new Promise<void>((resolve) => held.push(resolve));
    return upload(key, path, info);
  };
  return {
    held: () => held.length,
    release() {
      storage.upload = upload;
      held.forEach((resolve) => resolve());
    },
  };
}

const start = 'mutation ($id: ID!) { removeBackground(imageId: $id, options: { useCache: false }) { id } }';
const statuses = async (ids: string[]) => (await client.get('query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Job { status } } }', { ids })).nodes.map((job: { status: string }) => job.status);

/** Counts the claims from now on. */
function countClaims({ sql }: TestApp['app'] = darkroom.app) {
  const queryRaw = sql.$queryRaw.bind(sql);
  let claims = 0;
  sql.$queryRaw = (statement, ...values) => {
    if ((statement as readonly string[])[0]?.includes('recursive owners')) claims++;
    return queryRaw(statement, ...values);
  };
  return () => {
    sql.$queryRaw = queryRaw;
    return claims;
  };
}

/** Starts as many cut-outs, and waits until what two of them made is to be written. */
async function workTwice(count: number) {
  const images = await client.uploadAndAnalyze([{ name: 'mug.jpg', bytes: await drawSample('yellow-mug-on-white.jpg', { width: 200 + count }) }], { run: [] });
  const outputs = holdOutputs();
  const jobs: string[] = [];
  for (let index = 0; index < count; index++) jobs.push((await client.get(start, { id: images.get('mug.jpg') })).removeBackground.id);
  await until('the second job to have worked', () => outputs.held() === 2);
  return { jobs, release: outputs.release };
}

test('while what one job made is written, the next one works, and no third', async () => {
  const { jobs, release } = await workTwice(3);
  expect(await statuses(jobs)).toEqual(['PROCESSING', 'PROCESSING', 'PENDING']);
  release();
  await client.untilEnded(jobs);
  expect(await statuses(jobs)).toEqual(['COMPLETED', 'COMPLETED', 'COMPLETED']);
});

test('a job is cancelled while what it made is written, and so is the one that worked meanwhile', async () => {
  const { jobs, release } = await workTwice(2);
  await client.get('mutation ($ids: [ID!]!) { cancelJobs(ids: $ids) { results { outcome } } }', { ids: jobs });
  release();
  await client.untilEnded(jobs);
  expect(await statuses(jobs)).toEqual(['CANCELLED', 'CANCELLED']);
});

test('a ring for a job that was taken before it was heard costs no claim', async () => {
  const claims = countClaims();
  const { jobs, release } = await workTwice(15);
  release();
  await client.untilEnded(jobs);
  // The first two found one each; a few at the end find nothing.
  expect(claims()).toBeLessThanOrEqual(20);
});

test('rings that many hear at once and that lead to nothing cost few claims', async () => {
  const idle = await startTestApp({ JOB_CONCURRENCY: '20' });
  try {
    await sleep(500); // what it does at its start is done
    const claims = countClaims(idle.app);
    await Promise.all(Array.from({ length: 20 }, () => idle.app.queue.ring({ jobId: randomUUID(), attempt: 0 })));
    await until('the rings to be heard', async () => (await idle.app.queue.depth()) === 0);
    await sleep(300);
    expect(claims()).toBeGreaterThan(0);
    expect(claims()).toBeLessThanOrEqual(10);
  } finally {
    await idle.stop();
  }
});

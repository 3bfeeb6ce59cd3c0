import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { freePort } from '../../bin/services/process.ts';
import { readConfig } from '../../src/config.ts';
import { openDatabase } from '../../src/database/open.ts';
import { createLog } from '../../src/log.ts';
import { Redis } from '../../src/redis.ts';
import { newDatabase, startTestApp, type TestApp } from '../app.ts';
import { createTestClient, type TestClient } from '../client.ts';
import { faultsOfHistory } from '../fixtures/history.ts';
import { jobsOf } from '../fixtures/job-client.ts';
import { isAlive, orderedPicture, orderedPictures, orderedTasks } from '../fixtures/ordered-picture.ts';
import { main, startProcess, worker, type TestProcess } from '../fixtures/processes.ts';
import { copyTemplate } from '../setup/embedded.ts';
import { until } from '../until.ts';

const redisUrl = inject('settings').REDIS_URL;

/** Pictures of which no two are the same, large enough that most of them wait when the last has arrived. */
const photographs = (count: number, width: number) => Promise.all(Array.from({ length: count }, async (_, index) => ({
  name: `${index}.png`,
  bytes: await sharp({ create: { width, height: 1000, channels: 3, background: { r: 10 * index, g: 90, b: 60 } } }).png().toBuffer(),
})));

describe('a process of its own', () => {
  let dataDir: string;
  let settings: Record<string, string>;
  let client: TestClient;
  let running: TestProcess;
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'darkroom-crash-'));
    const template = inject('template');
    if (template) await copyTemplate(template, dataDir);
    const port = await freePort();
    settings = {
      ...inject('settings'), ...(await newDatabase()), DATA_DIR: dataDir, PORT: String(port), REDIS_PREFIX: `test-${randomUUID()}`,
      // A lease in the embedded database ends with its process, however long it is.
      JOB_LEASE: inject('postgresUrl') ? '3s' : '1h', JOB_RETRY_DELAY: '50ms', JOB_MAX_FAILURES: '10', SHUTDOWN_TIMEOUT: '500ms',
    };
    client = createTestClient(`http://127.0.0.1:${port}`, 'none is needed', 'local');
    running = await startProcess(main, settings);
  });
  afterAll(async () => {
    await running.end('SIGKILL');
    await rm(dataDir, { recursive: true, force: true });
  });

  const upload = async (count: number, width: number): Promise<string[]> => (await client.upload(await photographs(count, width))).jobs.map((job: { id: string }) => job.id);
  const statuses = async (ids: string[]): Promise<string[]> => {
    await sleep(50); // the database has better things to do than to answer us
    return (await client.get('query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Job { status } } }', { ids })).nodes.map((job: { status: string }) => job.status);
  };
  const count = async (ids: string[], status: string) => (await statuses(ids)).filter((each) => each === status).length;

  test('a process that is killed loses no job, and no job ends twice (I1)', async () => {
    const ids = await upload(22, 1500);
    await until('some jobs to be completed and others to run', async () => (await count(ids, 'COMPLETED')) > 4 && (await count(ids, 'PROCESSING')) > 0, 60_000);
    await running.end('SIGKILL');
    if (redisUrl) {
      const redis = new Redis(redisUrl);
      await redis.flushall();
      redis.disconnect();
    }
    running = await startProcess(main, settings);
    await until('all jobs to be completed', async () => {
      const seen = await statuses(ids);
      return seen.every((status) => status === 'COMPLETED') || seen;
    }, 90_000);
    const { nodes } = await client.get('query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Job { attempts { outcome failureCode } } } }', { ids });
    const lost = nodes.flatMap((job: { attempts: { failureCode: string | null }[] }) => job.attempts).filter((attempt: { failureCode: string | null }) => attempt.failureCode === 'WORKER_LOST');
    expect(lost.length).toBeGreaterThan(0);
  }, 180_000);

  test('a process that is asked to stop gives its jobs back without blame and exits with 0; what it leaves is whole (I7)', async () => {
    const ids = await upload(24, 1600);
    await until('a job to run', async () => (await count(ids, 'PROCESSING')) > 0, 60_000);
    expect(await running.end('SIGTERM')).toBe(0);
    const database = await openDatabase(readConfig(settings), createLog('silent'));
    try {
      const { db } = database;
      expect(await faultsOfHistory(db)).toEqual([]);
      const jobs = await db.job.findMany({ where: { id: { in: ids.map((id) => Buffer.from(id, 'base64').toString().slice(4)) } }, include: { attempts: true } });
      expect(jobs).toHaveLength(24);
      for (const { status, failures, suspect, attempts } of jobs) {
        expect({ failures, suspect }).toEqual({ failures: 0, suspect: false });
        expect(attempts.map(({ outcome }) => outcome)).toEqual(status === 'COMPLETED' ? ['COMPLETED'] : attempts.map(() => 'RELEASED'));
      }
      expect(new Set(jobs.map(({ status }) => status))).toContain('PENDING');
      expect(await db.analysis.count()).toBe(await db.job.count({ where: { status: 'COMPLETED' } }));
    } finally {
      await database.close();
    }
  }, 120_000);
});

test('a stop in the middle of a job gives it back, and it is done after the next start', async () => {
  const darkroom = await startTestApp({ SHUTDOWN_TIMEOUT: '200ms' }, orderedTasks);
  try {
    const { viewer, ...client } = await darkroom.client();
    const picture = await orderedPicture('hold');
    const [started] = await jobsOf({ viewer, ...client }).start(picture);
    await until('the work to begin', () => picture.runs().length === 1);
    await darkroom.restart();
    expect(isAlive(picture.runs()[0]!)).toBe(false);
    picture.letGo();
    const jobs = jobsOf(await darkroom.client(viewer));
    expect(await jobs.end(started!.jobId)).toMatchObject({ status: 'COMPLETED', attempts: [{ outcome: 'RELEASED', failureCode: null }, { outcome: 'COMPLETED' }] });
  } finally {
    await darkroom.stop();
  }
});

describe.skipIf(!inject('postgresUrl'))('workers in processes of their own', () => {
  let darkroom: TestApp;
  const workers: TestProcess[] = [];
  beforeAll(async () => (darkroom = await startTestApp({ ROLE: 'api', JOB_LEASE: '1s' })));
  afterEach(async () => {
    // A worker that is left over would take the jobs of the next test.
    await Promise.all(workers.splice(0).map((each) => each.end('SIGKILL')));
  });
  afterAll(() => darkroom.stop());

  async function startWorker(settings: Record<string, string> = {}): Promise<TestProcess> {
    const { DATABASE_URL, REDIS_URL, REDIS_PREFIX, DATA_DIR } = darkroom.app.config;
    const started = await startProcess(worker, { ROLE: 'worker', DATABASE_URL: DATABASE_URL!, REDIS_URL: REDIS_URL!, REDIS_PREFIX, DATA_DIR, JOB_LEASE: '1s', JOB_RETRY_DELAY: '50ms', ...settings });
    workers.push(started);
    return started;
  }

  test('a worker that is killed costs its jobs one attempt each, and nobody else anything', async () => {
    const jobs = jobsOf(await darkroom.client());
    const doomed = await startWorker({ JOB_CONCURRENCY: '2' });
    const held = await orderedPictures(2, 'hold', 'measure');
    const lost = await jobs.start(...held);
    await until('both to be measured', () => held.every((picture) => picture.runs().length === 1), 30_000);
    const others = await jobs.start(...(await orderedPictures(6, 'measure')));
    await doomed.end('SIGKILL');
    await startWorker({ JOB_CONCURRENCY: '2' });
    for (const { jobId } of lost) expect(await jobs.end(jobId)).toMatchObject({ status: 'COMPLETED', attempts: [{ outcome: 'RETRIED', failureCode: 'WORKER_LOST' }, { outcome: 'COMPLETED' }] });
    for (const { jobId } of others) expect(await jobs.end(jobId)).toMatchObject({ status: 'COMPLETED', attempts: [{ outcome: 'COMPLETED' }] });
    await until('the children of the killed worker to end', () => held.every((picture) => !isAlive(picture.runs()[0]!)));
  }, 60_000);

  test('a worker that was frozen past its lease changes nothing when it wakes up (I12)', async () => {
    const client = await darkroom.client();
    const jobs = jobsOf(client);
    const frozen = await startWorker({ JOB_CONCURRENCY: '1' });
    const picture = await orderedPicture('hold');
    const [started] = await jobs.start(picture);
    await until('the work to begin', () => picture.runs().length === 1, 30_000);
    frozen.signal('SIGSTOP');
    await until('the job to be taken away', async () => (await jobs.get(started!.jobId)).attempts[0].failureCode === 'WORKER_LOST');
    await startWorker({ JOB_CONCURRENCY: '1' });
    await until('another to begin', () => picture.runs().length === 2, 30_000);
    picture.letGo();
    const ended = await jobs.end(started!.jobId);
    expect(ended).toMatchObject({ status: 'COMPLETED', attempts: [{ outcome: 'RETRIED', failureCode: 'WORKER_LOST' }, { outcome: 'COMPLETED' }] });
    frozen.signal('SIGCONT');
    await until('the late finish', () => frozen.output().includes('LEASE_LOST') || frozen.output());
    expect(await jobs.get(started!.jobId)).toEqual(ended);
    expect(await darkroom.app.db.analysis.count({ where: { ownerId: client.viewer } })).toBe(1);
  }, 60_000);
});

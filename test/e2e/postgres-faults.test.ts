import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SignJWT } from 'jose';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { startPostgres, type PostgresServer } from '../../bin/services/postgres.ts';
import { readConfig } from '../../src/config.ts';
import { openDatabase, type Database } from '../../src/database/open.ts';
import { createLog } from '../../src/log.ts';
import { createTestClient, type Answer, type TestClient } from '../client.ts';
import { faultsOfHistory } from '../fixtures/history.ts';
import { startProgram, type Program } from '../fixtures/program.ts';
import { until } from '../until.ts';

const secret = 'a secret that only these processes know, and long enough';

/** API and worker as an operator runs them: two processes, one Postgres that is theirs alone, one Redis, one folder. */
describe.skipIf(!inject('postgresUrl'))('API and worker as two processes on Postgres', () => {
  let folder: string;
  let postgres: PostgresServer;
  let api: Program;
  let worker: Program;
  let database: Database;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'darkroom-faults-'));
    postgres = await startPostgres({ dir: join(folder, 'postgres') });
    const DATABASE_URL = await postgres.createDatabase();
    const settings = { ...inject('settings'), DATABASE_URL, DATA_DIR: join(folder, 'data'), REDIS_PREFIX: `faults-${process.pid}`, JWT_SECRET: secret, JOB_RETRY_DELAY: '50ms', JOB_CONCURRENCY: '2', COMPUTE_PROCESSES: '2', LIMIT_REQUESTS: 'none', LIMIT_COST: 'none' };
    [api, worker] = await Promise.all([startProgram({ ...settings, ROLE: 'api' }), startProgram({ ...settings, ROLE: 'worker' })]);
    database = await openDatabase(readConfig({ DATABASE_URL }), createLog('silent'));
  });
  afterAll(async () => {
    expect(await Promise.all([api.stop(), worker.stop()])).toEqual([0, 0]);
    await database.close();
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const newClient = async (viewer: string): Promise<TestClient> => {
    const token = await new SignJWT({}).setProtectedHeader({ alg: 'HS256' }).setSubject(viewer).setIssuedAt().setExpirationTime('10m').sign(new TextEncoder().encode(secret));
    return createTestClient(api.url, token, viewer);
  };
  const ready = async () => {
    const response = await fetch(`${api.url}/health/ready`);
    return { status: response.status, report: (await response.json()) as Record<string, { ok: boolean; detail?: string }> };
  };
  const objects = () => readdir(join(folder, 'data', 'objects', 'originals'));
  const storedKeys = async () => (await database.db.asset.findMany({ select: { storageKey: true } })).map(({ storageKey }) => storageKey.replace('originals/', ''));
  let drawn = 0;
  /** A picture like no other. */
  const picture = () => sharp({ create: { width: 120, height: 90, channels: 3, background: '#808080', noise: { type: 'gaussian', mean: 128, sigma: 40 } } }).png().withExif({ IFD0: { ImageDescription: String(drawn++) } }).toBuffer();

  test('what the API takes in the worker analyses, and a socket at the API sees it live', async () => {
    const client = await newClient('live');
    const events = client.subscribe('subscription { jobEvents { jobId seq status attempt at } }');
    const first = events.next();
    let isHeard = false;
    void first.then(() => (isHeard = true));
    const primer = await picture();
    await until('the subscription to be in force', async () => {
      await client.upload([{ name: 'primer.png', bytes: primer }]);
      return isHeard;
    });
    const { jobs } = await client.upload([{ name: 'a.png', bytes: await picture() }]);
    const seen = [];
    let longestMs = 0;
    for await (const { jobEvents } of events) {
      if (jobEvents.jobId !== jobs[0].id) continue;
      seen.push(jobEvents);
      longestMs = Math.max(longestMs, Date.now() - Date.parse(jobEvents.at));
      if (jobEvents.status === 'COMPLETED') break;
    }
    // Without a bell between the processes the socket would look again only after ten seconds.
    expect(longestMs).toBeLessThan(5_000);
    expect(seen.map(({ seq }) => seq)).toEqual(seen.map((_, index) => index + 1));
    expect([...new Set(seen.map(({ status, attempt }) => `${status} ${attempt}`))]).toEqual(['PENDING 0', 'PROCESSING 1', 'COMPLETED 1']);
    const jobId = Buffer.from(jobs[0].id, 'base64').toString().split(':')[1];
    const isEndedBy = ({ lines }: Program) => lines.some((line) => line.status === 'COMPLETED' && line.jobId === jobId);
    await until('the worker to say so', () => isEndedBy(worker));
    expect(isEndedBy(api)).toBe(false);
  });

  test('the same bytes uploaded twenty times at once are one image, one object, and twenty analyses that all end well', async () => {
    const client = await newClient('twenty');
    const bytes = await picture();
    const payloads = await Promise.all(Array.from({ length: 20 }, (_, index) => client.upload([{ name: `${index}.png`, bytes }])));
    const results = payloads.map(({ results }) => results[0]);
    expect(new Set(results.map(({ image }) => image.id)).size).toBe(1);
    expect(results.filter(({ alreadyStored }) => !alreadyStored)).toHaveLength(1);
    expect(await database.db.asset.count({ where: { ownerId: 'twenty' } })).toBe(1);
    expect((await objects()).sort()).toEqual((await storedKeys()).sort());
    const jobs = await client.untilEnded(payloads.flatMap(({ jobs }) => jobs.map(({ id }: { id: string }) => id)));
    expect(jobs.map(({ status }) => status)).toEqual(jobs.map(() => 'COMPLETED'));
    expect(jobs).toHaveLength(20);
  });

  test('a Postgres that crashes under load costs a moment: sentences meanwhile, health within seconds, no process and no job lost', async () => {
    const client = await newClient('load');
    const queries: { at: number; answer: Answer }[] = [];
    const uploads: Answer[] = [];
    let isOver = false;
    const asking = Array.from({ length: 3 }, async () => {
      while (!isOver) {
        queries.push({ answer: await client.ask('{ images(first: 5) { totalCount nodes { id analysis { provider } } } }'), at: Date.now() });
        await sleep(20);
      }
    });
    const uploading = Array.from({ length: 2 }, async () => {
      while (!isOver) {
        uploads.push(await client.send('mutation ($files: [File!]!) { uploadImages(files: $files) { jobs { id } } }', [{ name: 'a.png', bytes: await picture() }]));
        await sleep(100);
      }
    });
    const fails = (answer: Answer) => answer.errors?.map(({ extensions }) => extensions.code);
    const jobsIn = (status: 'COMPLETED' | 'PROCESSING') => database.db.job.count({ where: { ownerId: 'load', status } });

    await until('jobs to end and to run', async () => (await jobsIn('COMPLETED')) >= 3 && (await jobsIn('PROCESSING')) > 0, 20_000);
    await postgres.kill();
    const stoppedAt = Date.now();
    await until('many queries and an upload to meet the outage', () => queries.filter(({ at, answer }) => at > stoppedAt && fails(answer)).length >= 20 && uploads.some(fails), 20_000);
    const { status, report } = await ready();
    expect(status).toBe(503);
    expect(report.database).toEqual({ ok: false, detail: 'The database does not answer' });
    expect(Object.values(report).filter(({ ok }) => !ok)).toHaveLength(1);

    await postgres.restart();
    const backAt = Date.now();
    await until('the API to be healthy', async () => (await ready()).status === 200, 5_000);
    await until('queries to be answered', () => queries.some(({ at, answer }) => at > backAt && !answer.errors), 5_000);
    const uploadsBefore = uploads.length;
    await until('uploads to be taken', () => uploads.slice(uploadsBefore).some((answer) => !fails(answer)), 5_000);
    isOver = true;
    await Promise.all([...asking, ...uploading]);

    const sentence = 'The database does not answer right now; try again in a moment.';
    const refusals = [...queries.map(({ answer }) => answer), ...uploads].flatMap(({ errors }) => errors ?? []);
    expect([...new Set(refusals.map(({ extensions, message }) => `${extensions.code}: ${message.slice(0, sentence.length)}`))]).toEqual([`DATABASE_UNAVAILABLE: ${sentence}`]);
    expect([api.isRunning(), worker.isRunning(), api.noise, worker.noise]).toEqual([true, true, [], []]);

    await until('every job to end', async () => (await database.db.job.count({ where: { status: { in: ['PENDING', 'PROCESSING'] } } })) === 0, 60_000);
    const taken = uploads.flatMap(({ data }) => data?.uploadImages.jobs.map(({ id }: { id: string }) => id) ?? []);
    expect(taken.length).toBeGreaterThan(3);
    expect((await client.untilEnded(taken)).filter((job) => job.status !== 'COMPLETED')).toEqual([]);
    expect(await database.db.job.count({ where: { NOT: { status: 'COMPLETED' } } })).toBe(0);
    // A claim whose answer the crash cut off looks like a lost worker; nothing else may cost a try.
    expect(await database.db.jobAttempt.findMany({ where: { failureCode: { not: null }, NOT: { failureCode: 'WORKER_LOST' } } })).toEqual([]);
    expect(await faultsOfHistory(database.db)).toEqual([]);
    const kept = await objects();
    expect((await storedKeys()).filter((key) => !kept.includes(key))).toEqual([]);
  }, 120_000);
});

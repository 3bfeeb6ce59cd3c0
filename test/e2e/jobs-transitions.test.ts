import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { Prisma, type PrismaClient } from '../../src/database/generated/client.ts';
import type { Database } from '../../src/database/open.ts';
import type { Sql } from '../../src/database/sql.ts';
import {
  claimJobs, complete, expireDeadlines, expireLeases, fail, finishCancelled, heartbeat, holdAttempt, recordProgress, release, requestCancel, takeUnrung, writeNote, type ClaimedJob,
} from '../../src/jobs/transitions.ts';
import { jobReader, watched } from '../../src/jobs/read.ts';
import type { Viewer } from '../../src/access/viewer.ts';
import { createJob, openBareDatabase } from '../fixtures/job-rows.ts';
import { faultsOfHistory } from '../fixtures/history.ts';
import { until } from '../until.ts';

// Redis has no part in this: where it is the only difference the same database would be tested twice.
describe.skipIf(inject('settings').REDIS_URL && !inject('postgresUrl'))('the life of a job row', () => {
  let database: Database;
  let db: PrismaClient;
  beforeAll(async () => {
    database = await openBareDatabase();
    db = database.db;
  });
  afterAll(() => database.close());
  afterEach(async () => {
    expect(await faultsOfHistory(db)).toEqual([]);
    await db.job.deleteMany();
    expect(await db.jobEvent.count()).toBe(0);
  });

  const leaseMs = 60_000;
  const claim = async (wish: Partial<Parameters<typeof claimJobs>[1]> = {}) => (await claimJobs(database.sql, { count: 1, leaseMs, running: 0, lastOwner: '', ...wish }))[0] ?? null;
  const mustClaim = async (wish?: Parameters<typeof claim>[0]): Promise<ClaimedJob> => {
    const job = await claim(wish);
    if (!job) throw new Error('Expected a job to claim but there was none');
    return job;
  };
  const result = { result: { found: 'nothing' }, modelVersion: '1', peakMemoryBytes: null };
  const failure = { code: 'PROVIDER_ERROR', message: 'no', retryable: true } as const;
  const get = (id: string) => db.job.findUniqueOrThrow({ where: { id }, include: { attempts: { orderBy: { attempt: 'asc' } } } });
  const runOut = (id: string) => db.$executeRaw`update job set lease_until = now() - interval '1 second' where id = ${id}::uuid`;
  /** The error code of Postgres, however the adapter wraps it. */
  const refusal = (statement: Promise<unknown>) => statement.then(() => 'done', (error: unknown) => /J000\d|23\d{3}/.exec(JSON.stringify(error) + String(error))?.[0] ?? String(error));

  test('of many who finish one job at once, one does (I2)', async () => {
    for (let round = 0; round < 20; round++) {
      const { id, ownerId } = await createJob(db);
      const job = await mustClaim();
      await requestCancel(database.sql, round % 2 ? id : randomUUID(), ownerId);
      const wins = await Promise.all(
        Array.from({ length: 10 }, (_, index) => [() => complete(database.sql, job, result), () => finishCancelled(database.sql, job), async () => (await fail(database.sql, job, { ...failure, retryable: false }, 1)) !== null][index % 3]!()),
      );
      expect(wins.filter(Boolean)).toHaveLength(1);
      expect(await get(id)).toMatchObject(round % 2 ? { status: 'CANCELLED' } : { finishedAt: expect.any(Date) });
    }
  });

  test('a job that is read past the client is the same in every column', async () => {
    const { id, ownerId } = await createJob(db, { deadline: new Date(Date.now() + 60_000), idempotencyKey: 'one', priority: -3, parameters: { deep: [1, 'two'] } });
    const every = { ...watched, ...Object.fromEntries(Object.keys(Prisma.JobScalarFieldEnum).map((field) => [field, true])) };
    const read = jobReader({ db, sql: database.sql }, { id: ownerId } as Viewer, id, every);
    const same = async () => expect(await read()).toEqual(await db.job.findUnique({ where: { id } }));
    await same();
    const job = await mustClaim();
    await recordProgress(database.sql, job, 50, 'half');
    await same();
    await complete(database.sql, job, { ...result, peakMemoryBytes: 5_000_000_000 });
    await same();
    expect(await read()).toMatchObject({ status: 'COMPLETED', peakMemoryBytes: 5_000_000_000n, result: { found: 'nothing' } });
    expect(await jobReader({ db, sql: database.sql }, { id: 'somebody else' } as Viewer, id, every)()).toBeNull();
    expect(await jobReader({ db, sql: database.sql }, { id: ownerId } as Viewer, id, { ...watched, cacheHit: true, stage: false })()).toEqual({ id, seq: 4, status: 'COMPLETED', cacheHit: false });
    expect(await jobReader({ db, sql: database.sql }, { id: ownerId } as Viewer, id, { ...watched, attempts: { select: { attempt: true } } })()).toMatchObject({ status: 'COMPLETED', attempts: [{ attempt: 1 }] });
  });

  test('an ended job never changes, in any column (I3)', async () => {
    const ends = {
      COMPLETED: (job: ClaimedJob) => complete(database.sql, job, result),
      FAILED: (job: ClaimedJob) => fail(database.sql, job, { ...failure, retryable: false }, 1),
      CANCELLED: async (job: ClaimedJob) => [await requestCancel(database.sql, job.id, job.ownerId), await finishCancelled(database.sql, job)],
    };
    for (const [status, end] of Object.entries(ends)) {
      const { id } = await createJob(db);
      await end(await mustClaim());
      expect((await get(id)).status).toBe(status);
      for (const change of ["status = 'PENDING', finished_at = null", "status = (case status when 'FAILED' then 'CANCELLED' else 'FAILED' end)::job_status, failure_code = 'INTERNAL', failure_message = 'x'", "finished_at = finished_at + interval '1 hour'", 'progress = 50', "result = '{}'", 'attempt = attempt + 1', "failure_message = 'x'", 'cancel_requested = not cancel_requested', 'priority = 7']) {
        expect([status, change, await refusal(db.$executeRawUnsafe(`update job set ${change} where id = '${id}'`))]).toEqual([status, change, 'J0001']);
      }
    }
  });

  test('no statement can skip an attempt, an order of states or a number of an event', async () => {
    const { id } = await createJob(db);
    const update = (change: string) => refusal(db.$executeRawUnsafe(`update job set ${change} where id = '${id}'`));
    expect(await update('attempt = 1')).toBe('J0002');
    expect(await update("status = 'PROCESSING', lease_until = now()")).toBe('J0002');
    expect(await update("status = 'PROCESSING', lease_until = now(), attempt = 2")).toBe('J0002');
    expect(await update("status = 'COMPLETED', finished_at = now()")).toBe('J0003');
    expect(await update('seq = seq + 1')).toBe('J0004');
    expect(await update("status = 'FAILED', finished_at = now()")).toBe('23514'); // without a reason
    expect(await update('lease_until = now()')).toBe('23514');
  });

  test('what a worker writes after it lost its lease changes nothing (I4)', async () => {
    const { id } = await createJob(db);
    const late = await mustClaim();
    await runOut(id);
    expect(await expireLeases(database.sql, 0)).toMatchObject([{ id }]);
    const writes = () => Promise.all([
      complete(database.sql, late, result), fail(database.sql, late, failure, 1), heartbeat(database.sql, late, leaseMs), recordProgress(database.sql, late, 50, 'late'), release(database.sql, late), finishCancelled(database.sql, late),
    ]);
    const nothing = [false, null, null, false, false, false];
    expect(await writes()).toEqual(nothing);
    const again = await mustClaim();
    expect(again).toMatchObject({ id, attempt: 2, suspect: true });
    const before = await get(id);
    expect(await writes()).toEqual(nothing);
    expect(await get(id)).toEqual(before);
    expect(await complete(database.sql, again, result)).toBe(true);
    expect(await writes()).toEqual(nothing);
    expect((await get(id)).attempts).toMatchObject([{ outcome: 'RETRIED', failureCode: 'WORKER_LOST' }, { outcome: 'COMPLETED', failureCode: null }]);
  });

  test('what a worker writes finds its row by the id, also where nothing ran when the planner counted', async () => {
    await Promise.all(Array.from({ length: 300 }, () => createJob(db)));
    await db.$executeRaw`analyze job`;
    await createJob(db);
    const job = await mustClaim();
    const plans: string[] = [];
    const explain = async (statement: TemplateStringsArray | Prisma.Sql, ...values: unknown[]) => {
      const lines = await database.sql.$queryRaw<object[]>`explain ${'raw' in statement ? Prisma.sql(statement, ...values) : statement}`;
      plans.push(lines.flatMap((line) => Object.values(line)).join('\n'));
      return lines;
    };
    const explaining = { $queryRaw: explain, $executeRaw: explain } as unknown as Sql;
    await Promise.all([
      complete(explaining, job, result), fail(explaining, job, failure, 1), heartbeat(explaining, job, leaseMs), recordProgress(explaining, job, 50, 'on'), release(explaining, job), finishCancelled(explaining, job),
      holdAttempt(explaining, job), writeNote(explaining, job, 'name', 'note'),
    ]);
    expect(plans.map((plan) => /(?<= using )\w+/.exec(plan)?.[0] ?? plan)).toEqual(Array(8).fill('job_pkey'));
  });

  test('of fifty claims at once one gets the job (I5)', async () => {
    const { id } = await createJob(db);
    const claims = await Promise.all(Array.from({ length: 50 }, () => claim()));
    expect(claims.filter(Boolean)).toMatchObject([{ id, attempt: 1 }]);
  });

  test('fifty claims at once get fifty jobs, whoever owns them', async () => {
    const owners = ['a', 'b', 'c'];
    await Promise.all(Array.from({ length: 50 }, (_, index) => createJob(db, { ownerId: owners[index % 3]! })));
    const claimed: string[] = [];
    await until('every job to be claimed', async () => {
      claimed.push(...(await Promise.all(Array.from({ length: 50 }, () => claim()))).flatMap((job) => job?.id ?? []));
      return claimed.length >= 50 || claimed.length;
    });
    expect(new Set(claimed).size).toBe(50);
  });

  test('a job whose workers always die ends FAILED as WORKER_LOST when its budget is used up (I6)', async () => {
    const { id } = await createJob(db, { maxFailures: 4 });
    let claims = 0;
    for (; claims < 10 && (await claim()); claims++) {
      await runOut(id);
      await expireLeases(database.sql, 0);
    }
    expect(claims).toBe(4);
    const job = await get(id);
    expect(job).toMatchObject({ status: 'FAILED', failureCode: 'WORKER_LOST', failures: 4, attempt: 4 });
    expect(job.attempts.map((attempt) => attempt.outcome)).toEqual(['RETRIED', 'RETRIED', 'RETRIED', 'FAILED']);
  });

  test('a lease that is still kept is not taken, and reconcilers at once take each lost job once', async () => {
    const jobs = await Promise.all(Array.from({ length: 20 }, () => createJob(db)));
    while (await claim());
    expect(await expireLeases(database.sql, 0)).toEqual([]);
    await Promise.all(jobs.map(({ id }) => runOut(id)));
    const taken = (await Promise.all(Array.from({ length: 5 }, () => expireLeases(database.sql, 60_000)))).flat();
    expect(taken.map(({ id }) => id).sort()).toEqual(jobs.map(({ id }) => id).sort());
    expect(await db.job.findMany({ where: { failures: { not: 1 } } })).toEqual([]);
  });

  test('a job that nobody rang for is found, and one that was just rung for is left alone (I9)', async () => {
    const { id } = await createJob(db);
    await createJob(db, { runAfter: new Date(Date.now() + 60_000) });
    expect(await takeUnrung(database.sql, 5_000)).toMatchObject([{ id, attempt: 0 }]);
    expect(await takeUnrung(database.sql, 5_000)).toEqual([]);
    expect(await takeUnrung(database.sql, 0)).toMatchObject([{ id }]);
  });

  test('a job that is given back runs again at once, without blame', async () => {
    const { id } = await createJob(db);
    const job = await mustClaim();
    await recordProgress(database.sql, job, 60, 'measuring');
    expect(await release(database.sql, job)).toBe(true);
    expect(await get(id)).toMatchObject({ status: 'PENDING', failures: 0, suspect: false, progress: 0, stage: null });
    expect(await takeUnrung(database.sql, 5_000)).toMatchObject([{ id, attempt: 1 }]);
    expect(await mustClaim()).toMatchObject({ id, attempt: 2 });
    expect((await get(id)).attempts).toMatchObject([{ outcome: 'RELEASED' }, { outcome: null }]);
  });

  test('a cancel that comes while a job is given back, lost or failed ends it as CANCELLED', async () => {
    const ends = { release: (job: ClaimedJob) => release(database.sql, job), fail: (job: ClaimedJob) => fail(database.sql, job, failure, 1), lose: async (job: ClaimedJob) => [await runOut(job.id), await expireLeases(database.sql, 1)] };
    for (const [name, end] of Object.entries(ends)) {
      const { id, ownerId } = await createJob(db);
      const job = await mustClaim();
      expect(await requestCancel(database.sql, id, ownerId)).toBe('REQUESTED');
      expect(await complete(database.sql, job, result)).toBe(false);
      await end(job);
      expect([name, (await get(id)).status]).toEqual([name, 'CANCELLED']);
      expect(await requestCancel(database.sql, id, ownerId)).toBeNull();
    }
  });

  test('waiting jobs fail at their deadline and running ones learn how long they have', async () => {
    const waiting = await createJob(db, { deadline: new Date(Date.now() - 1_000) });
    expect(await expireDeadlines(database.sql)).toMatchObject([{ id: waiting.id }]);
    expect(await get(waiting.id)).toMatchObject({ status: 'FAILED', failureCode: 'DEADLINE_EXCEEDED', attempt: 0 });
    await createJob(db, { deadline: new Date(Date.now() + 30_000) });
    const beat = await heartbeat(database.sql, await mustClaim(), leaseMs);
    expect(beat?.deadlineInMs).toBeGreaterThan(20_000);
    expect(beat?.deadlineInMs).toBeLessThanOrEqual(30_000);
  });

  test('the wait before another try doubles, at most to five minutes, and a provider may ask for another', async () => {
    const { id } = await createJob(db, { maxFailures: 40 });
    const waits: number[] = [];
    for (let failures = 0; failures < 12; failures++) {
      await fail(database.sql, await mustClaim(), failure, 1_000);
      const [row] = await db.$queryRaw<{ ms: number }[]>`select (extract(epoch from run_after - now()) * 1000)::float8 as ms from job where id = ${id}::uuid`;
      waits.push(row!.ms);
      await db.job.update({ where: { id }, data: { runAfter: new Date(0) } });
    }
    waits.forEach((wait, failures) => {
      const whole = Math.min(300_000, 1_000 * 2 ** failures);
      expect(wait).toBeLessThanOrEqual(whole);
      expect(wait).toBeGreaterThan(whole / 2 - 5_000);
    });
    await fail(database.sql, await mustClaim(), { ...failure, retryAfterMs: 77_000 }, 1_000);
    expect(Math.abs((await get(id)).runAfter.getTime() - Date.now() - 77_000)).toBeLessThan(10_000);
  });

  test('owners are served in turn, whoever came first and whatever priority he gives himself', async () => {
    for (let index = 0; index < 20; index++) await createJob(db, { ownerId: 'a whale', priority: 100 });
    for (let index = 0; index < 2; index++) await createJob(db, { ownerId: 'b minnow' });
    for (let index = 0; index < 2; index++) await createJob(db, { ownerId: 'c shrimp' });
    const served: string[] = [];
    for (let lastOwner = ''; served.length < 7; served.push(lastOwner)) {
      const job = await mustClaim({ lastOwner });
      await complete(database.sql, job, result);
      lastOwner = job.ownerId;
    }
    expect(served.filter((owner) => owner !== 'a whale').sort()).toEqual(['b minnow', 'b minnow', 'c shrimp', 'c shrimp']);
  });

  test('one with six hundred waiting jobs does not starve four with five each', async () => {
    const rows = (ownerId: string, count: number) => Array.from({ length: count }, () => ({ id: randomUUID(), ownerId, operation: 'analyze', provider: 'local', parameters: {}, maxFailures: 3, cacheKey: '0'.repeat(64) }));
    await db.job.createMany({ data: rows('a whale', 600) });
    await db.job.createMany({ data: ['b', 'c', 'd', 'e'].flatMap((owner) => rows(owner, 5)) });
    // Ten run at a time; the one that began first ends first. Five owners who take turns have the twenty jobs of four done in about 25 claims.
    const running: ClaimedJob[] = [];
    const served: string[] = [];
    for (let lastOwner = ''; served.length < 35; lastOwner = served.at(-1)!) {
      if (running.length === 10) await complete(db, running.shift()!, result);
      const job = await mustClaim({ running: running.length, lastOwner });
      running.push(job);
      served.push(job.ownerId);
    }
    expect(served.filter((owner) => owner !== 'a whale')).toHaveLength(20);
    for (const job of running) await complete(db, job, result);
  });

  test('an owner has no more running than he may, and the others are served meanwhile', async () => {
    for (let index = 0; index < 3; index++) await createJob(db, { ownerId: 'a' });
    const first = await mustClaim({ mostOfOwner: 1 });
    expect(await claim({ running: 1, mostOfOwner: 1 })).toBeNull();
    await createJob(db, { ownerId: 'b' });
    expect(await mustClaim({ running: 1, mostOfOwner: 1 })).toMatchObject({ ownerId: 'b' });
    await complete(db, first, result);
    expect(await mustClaim({ running: 1, mostOfOwner: 1 })).toMatchObject({ ownerId: 'a' });
  });

  test('an owner who has jobs running waits for those who have none', async () => {
    for (let index = 0; index < 4; index++) await createJob(db, { ownerId: 'a' });
    await mustClaim();
    await mustClaim({ running: 1 });
    await createJob(db, { ownerId: 'b' });
    expect(await mustClaim({ running: 2, lastOwner: 'b' })).toMatchObject({ ownerId: 'b' });
  });

  test('a claim of several is as fair as as many claims of one', async () => {
    const owners = [['a', 5, 3], ['b', 4, 0], ['c', 1, 1], ['d', 6, 0], ['e', 2, 2]] as const;
    for (const [ownerId, , busy] of owners) for (let index = 0; index < busy; index++) await createJob(db, { ownerId });
    while (await claim());
    for (const [ownerId, waiting] of owners) for (let index = 0; index < waiting; index++) await createJob(db, { ownerId, priority: index % 3 });
    const undone = new Error('undone');
    /** What the claims give, which did not happen afterwards. */
    const claimsOf = async (work: (tx: Prisma.TransactionClient) => Promise<ClaimedJob[]>) => {
      let jobs: ClaimedJob[] = [];
      await expect(db.$transaction(async (tx) => {
        jobs = await work(tx);
        throw undone;
      })).rejects.toBe(undone);
      const running = new Map<string, number>(owners.map(([ownerId, , busy]) => [ownerId, busy]));
      const loads = jobs.map(({ ownerId }) => {
        running.set(ownerId, running.get(ownerId)! + 1);
        return running.get(ownerId);
      });
      return { loads, first: jobs[0]?.id, ofB: jobs.filter(({ ownerId }) => ownerId === 'b').map(({ id }) => id) };
    };
    for (const [count, lastOwner, mostOfOwner] of [[1, '', 0], [5, '', 0], [7, 'b', 0], [12, 'd', 0], [12, '', 3], [50, 'c', 0]] as const) {
      const wish = { leaseMs, running: 1, mostOfOwner };
      const oneByOne = await claimsOf(async (tx) => {
        const jobs: ClaimedJob[] = [];
        while (jobs.length < count) {
          const [job] = await claimJobs(tx, { ...wish, count: 1, lastOwner: jobs.at(-1)?.ownerId ?? lastOwner });
          if (!job) break;
          jobs.push(job);
        }
        return jobs;
      });
      expect(await claimsOf((tx) => claimJobs(tx, { ...wish, count, lastOwner }))).toEqual(oneByOne);
      expect(oneByOne.loads).toHaveLength(Math.min(count, mostOfOwner ? 0 + 3 + 1 + 3 + 1 : 18));
    }
  });

  test('while nothing runs a claim of several gives one, which may be a suspect', async () => {
    const suspect = await createJob(db, { ownerId: 'a', suspect: true });
    await createJob(db, { ownerId: 'b' });
    await createJob(db, { ownerId: 'b' });
    const wish = { leaseMs, count: 3, lastOwner: '' };
    expect(await claimJobs(database.sql, { ...wish, running: 0 })).toMatchObject([{ id: suspect.id }]);
    expect(await claimJobs(database.sql, { ...wish, running: 1 })).toMatchObject([{ ownerId: 'b' }, { ownerId: 'b' }]);
  });

  test('of one owner the higher priority goes first, then the older job', async () => {
    const low = await createJob(db, { ownerId: 'a', priority: -1 });
    const first = await createJob(db, { ownerId: 'a' });
    await sleep(5); // created_at has whole milliseconds
    const second = await createJob(db, { ownerId: 'a' });
    const high = await createJob(db, { ownerId: 'a', priority: 1 });
    const order = [await mustClaim(), await mustClaim(), await mustClaim(), await mustClaim()].map(({ id }) => id);
    expect(order).toEqual([high.id, first.id, second.id, low.id]);
  });

  test('a suspect runs alone; one that waited long goes before everybody else', async () => {
    const suspect = await createJob(db, { ownerId: 'd', suspect: true });
    const healthy = await createJob(db, { ownerId: 'a', priority: 9 });
    await createJob(db, { ownerId: 'a' });
    expect(await mustClaim({ running: 1 })).toMatchObject({ id: healthy.id });
    await db.job.update({ where: { id: suspect.id }, data: { runAfter: new Date(Date.now() - 60_000) } });
    expect(await claim({ running: 1 })).toBeNull();
    await createJob(db, { ownerId: 'c' });
    expect(await mustClaim({ running: 0 })).toMatchObject({ id: suspect.id, suspect: true });
  });
});

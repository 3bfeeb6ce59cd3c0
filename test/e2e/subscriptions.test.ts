import { randomUUID } from 'node:crypto';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createSocketClient } from 'graphql-ws';
import { Client as PostgresClient } from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { WebSocket } from 'ws';
import { startTestApp, type TestApp } from '../app.ts';
import { createTestClient, type TestClient } from '../client.ts';
import { jobsOf } from '../fixtures/job-client.ts';
import { createJob } from '../fixtures/job-rows.ts';
import { orderedPicture, orderedPictures, orderedTasks } from '../fixtures/ordered-picture.ts';
import { until } from '../until.ts';

let darkroom: TestApp;
beforeAll(async () => (darkroom = await startTestApp({ JOB_CONCURRENCY: '2', COMPUTE_PROCESSES: '3' }, orderedTasks)));
afterAll(() => darkroom.stop());

interface Event { cursor: string; jobId: string; seq: number; status: string }
const watchAll = 'subscription ($after: Cursor, $ids: [ID!]) { jobEvents(after: $after, jobIds: $ids) { cursor jobId seq status } }';
const hasEnded = (status: string) => ['COMPLETED', 'FAILED', 'CANCELLED'].includes(status);
const inFuture = () => new Date(Date.now() + 3_600_000);

/** Each job's events are 1, 2, 3 … up to an end, if it came to one. */
function expectWhole(events: Event[], jobIds: string[]): void {
  for (const jobId of jobIds) {
    const own = events.filter((event) => event.jobId === jobId);
    expect(own.map(({ seq }) => seq)).toEqual(own.map((_, index) => index + 1));
    expect(hasEnded(own.at(-1)!.status)).toBe(true);
  }
  expect(new Set(events.map(({ cursor }) => cursor)).size).toBe(events.length);
}

test('job: the state of the moment comes first, then every change, then the end, and with it the end of the stream', async () => {
  const client = await darkroom.client();
  const picture = await orderedPicture('hold');
  const [started] = await jobsOf(client).start(picture);
  await until('the work to begin', () => picture.runs().length === 1);
  const seen = [];
  for await (const { job } of client.subscribe('subscription ($id: ID!) { job(id: $id) { status inputs { id } attempts { outcome } result { __typename } } }', { id: started!.jobId })) {
    seen.push(job);
    if (seen.length === 1) picture.letGo();
  }
  const inputs = [{ id: started!.imageId }];
  expect(seen[0]).toMatchObject({ status: 'PROCESSING', inputs, result: null });
  expect(seen.at(-1)).toEqual({ status: 'COMPLETED', inputs, attempts: [{ outcome: 'COMPLETED' }], result: { __typename: 'AnalyzeResult' } });
});

test('a client that subscribes after the end still sees the end', async () => {
  const client = await darkroom.client();
  const [started] = await jobsOf(client).start(await orderedPicture('measure'));
  await jobsOf(client).end(started!.jobId);
  const seen = [];
  for await (const { job } of client.subscribe('subscription ($id: ID!) { job(id: $id) { id status progress } }', { id: started!.jobId })) seen.push(job);
  expect(seen).toEqual([{ id: started!.jobId, status: 'COMPLETED', progress: 100 }]);
  expectWhole(await jobsOf(client).events(started!.jobId).then((events) => events.map((event) => ({ ...event, jobId: started!.jobId }))), [started!.jobId]);
});

test('jobEvents goes on without gap or duplicate over ten sockets that break', async () => {
  const client = await darkroom.client();
  const working = (await jobsOf(client).start(...(await orderedPictures(15, 'measure')))).map(({ jobId }) => jobId);
  // One job more for each socket, which only that socket's turn ends: however fast the others are, none goes without an event.
  const waiting = await Promise.all(Array.from({ length: 11 }, async () => {
    const { id } = await createJob(darkroom.app.db, { ownerId: client.viewer, runAfter: inFuture() });
    return Buffer.from(`Job:${id}`).toString('base64');
  }));
  const jobIds = [...working, ...waiting];
  const events: Event[] = [];
  let sockets = 0;
  for (let isOver = false; !isOver; sockets++) {
    await jobsOf(client).cancel(waiting[sockets]!);
    const socket = createSocketClient({ url: `${darkroom.url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket, connectionParams: { authorization: `Bearer ${client.token}` }, retryAttempts: 0 });
    let fresh = 0;
    try {
      for await (const { data } of socket.iterate<{ jobEvents: Event }>({ query: watchAll, variables: { after: events.at(-1)?.cursor, ids: jobIds } })) {
        events.push(data!.jobEvents);
        if (++fresh === 1 && sockets < 10) socket.terminate();
      }
      isOver = true;
    } catch (error) {
      if (sockets >= 10) throw error;
    } finally {
      await socket.dispose();
    }
  }
  expect(sockets).toBe(11);
  expectWhole(events, jobIds);
});

test('a viewer sees every event of his own jobs, in order, and none of another', async () => {
  const [alice, bob] = [await darkroom.client(), await darkroom.client()];
  const collect = (client: TestClient) => {
    const events: Event[] = [];
    const stream = client.subscribe(watchAll);
    return { events, stream, done: (async () => { for await (const { jobEvents } of stream) events.push(jobEvents); })() };
  };
  const [hers, his] = [collect(alice), collect(bob)];
  // "From now on" begins when the subscription is in force, which an event shows.
  for (const [client, { events }] of [[alice, hers], [bob, his]] as const) {
    await until('the stream to be in force', async () => {
      const { id } = await createJob(darkroom.app.db, { ownerId: client.viewer, runAfter: inFuture() });
      await darkroom.app.events.publish(`viewer:${client.viewer}`);
      await jobsOf(client).cancel(Buffer.from(`Job:${id}`).toString('base64'));
      return events.length > 0;
    });
  }
  const start = async (client: TestClient) => (await jobsOf(client).start(...(await orderedPictures(3, 'measure')))).map(({ jobId }) => jobId);
  const [herJobs, hisJobs] = await Promise.all([start(alice), start(bob)]);
  const ends = (events: Event[], jobIds: string[]) => jobIds.filter((id) => events.some(({ jobId, status }) => jobId === id && hasEnded(status))).length === jobIds.length;
  await until('all ends to be seen', () => ends(hers.events, herJobs) && ends(his.events, hisJobs));
  await Promise.all([hers.stream.return(), his.stream.return(), hers.done, his.done]);
  expectWhole(hers.events, herJobs);
  expectWhole(his.events, hisJobs);
  expect(hers.events.filter(({ jobId }) => hisJobs.includes(jobId))).toEqual([]);
  expect(his.events.filter(({ jobId }) => herJobs.includes(jobId))).toEqual([]);
  const stolen = bob.subscribe('subscription ($id: ID!) { job(id: $id) { status } }', { id: herJobs[0] });
  await expect(stolen.next()).rejects.toMatchObject({ extensions: { code: 'NOT_FOUND' } });
  await expect(bob.subscribe(watchAll, { ids: [hisJobs[0], herJobs[0]] }).next()).rejects.toMatchObject({ message: 'There is no job with the id at place 1 of jobIds', extensions: { code: 'NOT_FOUND' } });
});

test('jobs: the unfinished ones that match come first, then whatever changes', async () => {
  const client = await darkroom.client();
  const jobs = jobsOf(client);
  const [done] = await jobs.start(await orderedPicture('measure'));
  await jobs.end(done!.jobId);
  const held = await orderedPictures(2, 'hold');
  const started = await jobs.start(...held);
  const stream = client.subscribe('subscription { jobs(filter: { operation: [ANALYZE] }) { id status } }');
  const seen: { id: string; status: string }[] = [];
  for await (const { jobs: job } of stream) {
    seen.push(job);
    if (seen.length === 2) held.forEach((picture) => picture.letGo());
    if (started.every(({ jobId }) => seen.some(({ id, status }) => id === jobId && status === 'COMPLETED'))) break;
  }
  expect(seen.slice(0, 2).map(({ id }) => id).toSorted()).toEqual(started.map(({ jobId }) => jobId).toSorted());
  expect(seen.some(({ id }) => id === done!.jobId)).toBe(false);
});

test('the same over server-sent events', async () => {
  const client = await darkroom.client();
  const [started] = await jobsOf(client).start(await orderedPicture('measure'));
  const sse = createSseClient({ url: `${darkroom.url}/graphql`, headers: { authorization: `Bearer ${client.token}` }, retryAttempts: 0 });
  const events: Event[] = [];
  for await (const { data } of sse.iterate<{ jobEvents: Event }>({ query: watchAll, variables: { ids: [started!.jobId] } })) events.push(data!.jobEvents);
  expectWhole(events, [started!.jobId]);
  const after: Event[] = [];
  for await (const { data } of sse.iterate<{ jobEvents: Event }>({ query: watchAll, variables: { ids: [started!.jobId], after: events[0]!.cursor } })) after.push(data!.jobEvents);
  expect(after).toEqual(events.slice(1));
  sse.dispose();
});

test('a reader that stands still stops nobody: another sees every event, and so does he when he goes on', async () => {
  const client = await darkroom.client();
  const { app } = darkroom;
  const { id } = await createJob(app.db, { ownerId: client.viewer, runAfter: inFuture() });
  const jobId = Buffer.from(`Job:${id}`).toString('base64');
  // About 8 KB an event: the buffers of two systems are full long before the end.
  const query = `subscription ($ids: [ID!]) { jobEvents(jobIds: $ids) { seq ${Array.from({ length: 99 }, (_, index) => `a${index}: jobId`).join(' ')} } }`;
  const payload = { query, variables: { ids: [jobId] } };

  const still = new WebSocket(`${darkroom.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const late: number[] = [];
  let isOver = false;
  still.on('message', (data) => {
    const { type, payload: answer } = JSON.parse(String(data)) as { type: string; payload: { data: { jobEvents: { seq: number } } } };
    if (type === 'connection_ack') {
      still.send(JSON.stringify({ id: '1', type: 'subscribe', payload }));
      still.pause();
    }
    if (type === 'next') late.push(answer.data.jobEvents.seq);
    if (type === 'complete') isOver = true;
  });
  still.once('open', () => still.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${client.token}` } })));
  await until('the still reader is there', async () => (await app.seats.taken(client.viewer)) === 1);

  const changes = 2_000;
  await app.db.$executeRawUnsafe(`do $$ begin for n in 1..${changes} loop update job set stage = 'step ' || n where id = '${id}'; end loop; end $$`);
  expect(await jobsOf(client).cancel(jobId)).toBe('CANCELLED');
  const whole = Array.from({ length: changes + 2 }, (_, index) => index + 1);
  const seen: number[] = [];
  for await (const { jobEvents } of client.subscribe(query, payload.variables)) seen.push(jobEvents.seq);
  expect(seen).toEqual(whole);
  expect(late.length).toBeLessThan(changes);
  still.resume();
  await until('the still reader saw the end', () => isOver);
  expect(late).toEqual(whole);
  still.close();
  await app.db.job.delete({ where: { id } }); // no work ever goes through so many stages before it begins
});

test('whoever leaves leaves no listener', async () => {
  const client = await darkroom.client();
  const { events } = darkroom.app;
  const subscribe = events.subscribe;
  let listeners = 0;
  events.subscribe = async (topic, listener) => {
    const unsubscribe = await subscribe(topic, listener);
    listeners++;
    return async () => { listeners--; await unsubscribe(); };
  };
  const held = await orderedPicture('hold');
  const [started] = await jobsOf(client).start(held);
  await until('the work to begin', () => held.runs().length === 1);
  const id = started!.jobId;
  const before = listeners;
  const streams = Array.from({ length: 5 }, () => [
    client.subscribe('subscription ($id: ID!) { job(id: $id) { status } }', { id }), client.subscribe('subscription { jobs { id } }'), client.subscribe(watchAll, { ids: [id] }),
  ]).flat();
  await Promise.all(streams.map((stream) => stream.next()));
  expect(listeners).toBe(before + streams.length);
  await Promise.all(streams.map((stream) => stream.return()));
  await until('all listeners to be gone', () => listeners === before);
  held.letGo();
  await jobsOf(client).end(id);
  await until('the worker\'s own to be gone as well', () => listeners === 0);
  events.subscribe = subscribe;
});

test('events keep their order when their numbers get another digit', async () => {
  const client = await darkroom.client();
  const { db } = darkroom.app;
  await db.$executeRaw`select setval('job_event_id_seq', 99998)`;
  const ids = await db.$transaction(async (tx) => {
    const created: string[] = [];
    for (let index = 0; index < 4; index++) created.push(Buffer.from(`Job:${(await createJob(tx, { ownerId: client.viewer, runAfter: inFuture() })).id}`).toString('base64'));
    return created;
  });
  for (const id of ids) await jobsOf(client).cancel(id);
  const events: Event[] = [];
  for await (const { jobEvents } of client.subscribe(watchAll, { ids })) events.push(jobEvents);
  expect(events.map(({ jobId }) => jobId)).toEqual([...ids, ...ids]);
  expectWhole(events, ids);
});

test('which of many jobs are still open is asked at first, and then their ends are counted', async () => {
  const client = await darkroom.client();
  const ids = await Promise.all(Array.from({ length: 8 }, async () => Buffer.from(`Job:${(await createJob(darkroom.app.db, { ownerId: client.viewer, runAfter: inFuture() })).id}`).toString('base64')));
  const { sql } = darkroom.app;
  const queryRaw = sql.$queryRaw.bind(sql);
  let asked = 0;
  sql.$queryRaw = (statement, ...values) => {
    if (Array.isArray(statement) && statement.join('').includes('not exists (select 1 from job_event')) asked++;
    return queryRaw(statement, ...values);
  };
  try {
    const [first, ...waiting] = ids;
    const cancelling = [jobsOf(client).cancel(first!)];
    const events: Event[] = [];
    for await (const { jobEvents } of client.subscribe(watchAll, { ids })) {
      events.push(jobEvents);
      // Each is cancelled after the end before was seen, so none comes together with another.
      const next = hasEnded(jobEvents.status) ? waiting.shift() : undefined;
      if (next) cancelling.push(jobsOf(client).cancel(next));
    }
    await Promise.all(cancelling);
    expectWhole(events, ids);
  } finally {
    sql.$queryRaw = queryRaw;
  }
  expect(asked).toBe(1);
});

test('a cursor that is none is refused in a sentence', async () => {
  const client = await darkroom.client();
  await expect(client.subscribe(watchAll, { after: 'yesterday' }).next()).rejects.toMatchObject({ extensions: { code: 'INVALID_INPUT' } });
  await expect(client.subscribe(watchAll, { ids: [] }).next()).rejects.toMatchObject({ extensions: { code: 'INVALID_INPUT' } });
});

test('a cursor of another database, whose transactions are ahead, is refused and not waited for', async () => {
  const client = await darkroom.client();
  const { id } = await createJob(darkroom.app.db, { ownerId: client.viewer, status: 'CANCELLED', finishedAt: new Date() });
  const ids = [Buffer.from(`Job:${id}`).toString('base64')];
  const after = Buffer.from('9000000000000000000.1').toString('base64url');
  for (const variables of [{ after }, { after, ids }]) {
    await expect(client.subscribe(watchAll, variables).next()).rejects.toMatchObject({ extensions: { code: 'INVALID_INPUT', hint: expect.stringContaining('without `after`') } });
  }
  const [event] = await jobsOf(client).events(ids[0]!);
  expect((await client.subscribe(watchAll, { after: event.cursor, ids }).next()).done).toBe(true);
});

// PGlite runs one transaction at a time, so nothing can be overtaken there.
describe.skipIf(!inject('postgresUrl'))('transactions that overtake each other', () => {
  test('an event whose transaction began earlier and ended later is not skipped', async () => {
    const client = await darkroom.client();
    const connections = await Promise.all([0, 1].map(async () => {
      const connection = new PostgresClient({ connectionString: darkroom.app.config.DATABASE_URL });
      await connection.connect();
      return connection;
    }));
    const [slow, fast] = connections as [PostgresClient, PostgresClient];
    const insert = `insert into job (id, owner_id, operation, provider, parameters, max_failures, cache_key, run_after)
      values ($1, $2, 'analyze', 'local', '{}', 3, $3, now() + interval '1 hour')`;
    const [first, second, third] = [randomUUID(), randomUUID(), randomUUID()];
    const events: Event[] = [];
    const stream = client.subscribe(watchAll);
    const reading = (async () => { for await (const { jobEvents } of stream) events.push(jobEvents); })();
    await until('the stream to be in force', async () => {
      await createJob(darkroom.app.db, { ownerId: client.viewer, runAfter: inFuture() });
      await darkroom.app.events.publish(`viewer:${client.viewer}`);
      return events.length > 0;
    });
    const ring = () => darkroom.app.events.publish(`viewer:${client.viewer}`);
    const seen = () => events.map(({ jobId }) => Buffer.from(jobId, 'base64').toString().slice(4)).filter((id) => ([first, second, third] as string[]).includes(id));

    await slow.query('begin');
    await slow.query(insert, [first, client.viewer, '0'.repeat(64)]);
    await fast.query('begin');
    await fast.query(insert, [second, client.viewer, '0'.repeat(64)]);
    await fast.query('commit');
    await ring();
    await fast.query(insert, [third, client.viewer, '0'.repeat(64)]);
    await ring();
    await slow.query('commit'); // and rings no bell
    await until('all three to be seen', () => seen().length === 3 || seen());
    expect(seen()).toEqual([first, second, third]);

    await darkroom.app.db.job.updateMany({ where: { ownerId: client.viewer }, data: { status: 'CANCELLED', finishedAt: new Date() } });
    await stream.return();
    await reading;
    await Promise.all(connections.map((connection) => connection.end()));
  });
});

test('a database that was restored from a dump tells its events, old and new, though its transactions count from the beginning', async () => {
  const client = await darkroom.client();
  const old = (await jobsOf(client).start(await orderedPicture('measure')))[0]!.jobId;
  await client.untilEnded([old]);
  await darkroom.app.sql.$executeRaw`update job_event set xid = (xid::text::bigint + 1000000000)::text::xid8`;
  await darkroom.restart();
  const later = createTestClient(darkroom.url, client.token, client.viewer);
  const [started] = await jobsOf(later).start(await orderedPicture('measure'));
  const events: Event[] = [];
  for await (const { jobEvents } of later.subscribe(watchAll, { ids: [old, started!.jobId] })) events.push(jobEvents);
  expectWhole(events, [old, started!.jobId]);
  expect(events[0]!.jobId).toBe(old);
});

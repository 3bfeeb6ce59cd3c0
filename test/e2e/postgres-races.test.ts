import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { newDatabase, startTestApp, type TestApp } from '../app.ts';
import { cuttingProxy, type CuttingProxy } from '../fixtures/cutting-proxy.ts';
import { jobsOf } from '../fixtures/job-client.ts';
import { orderedPicture, orderedPictures, orderedTasks } from '../fixtures/ordered-picture.ts';
import { until } from '../until.ts';

/** What PGlite, which does one thing at a time, cannot show. */
describe.skipIf(!inject('postgresUrl'))('at the same moment, and at the worst one', () => {
  let darkroom: TestApp;
  let proxy: CuttingProxy;
  beforeAll(async () => {
    proxy = await cuttingProxy((await newDatabase())['DATABASE_URL']!);
    // The proxy reads the statements that it cuts at, so each of them has to be sent with its text.
    darkroom = await startTestApp({ DATABASE_URL: `${proxy.url}?pgbouncer=true`, JOB_CONCURRENCY: '4', COMPUTE_PROCESSES: '4' }, orderedTasks);
  });
  afterAll(async () => {
    await darkroom.stop();
    proxy.close();
  });

  test('pictures that look the same and are analysed at the same moment are linked, each with each', async () => {
    const client = await darkroom.client();
    const pictures = await orderedPictures(4, 'hold');
    const started = await jobsOf(client).start(...pictures);
    await until('all to be measured', () => pictures.every((picture) => picture.runs().length === 1), 30_000);
    for (const picture of pictures) picture.letGo();
    await Promise.all(started.map(({ jobId }) => jobsOf(client).end(jobId)));
    const { nodes } = await client.get('query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Image { id duplicates { images { id } } } } }', { ids: started.map(({ imageId }) => imageId) });
    const ids = started.map(({ imageId }) => imageId).sort();
    for (const { duplicates } of nodes) expect(duplicates.images.map(({ id }: { id: string }) => id).sort()).toEqual(ids);
    expect(await darkroom.app.db.nearDuplicate.count({ where: { ownerId: client.viewer } })).toBe(12);
  });

  test('an upload whose COMMIT was done and never answered is stored once, with its bytes', async () => {
    const client = await darkroom.client();
    const before = proxy.cuts();
    proxy.cut('after', 'COMMIT');
    const { results } = await client.upload([await orderedPicture('measure')], { run: [] });
    expect(proxy.cuts()).toBe(before + 1);
    expect(results).toMatchObject([{ alreadyStored: false }]);
    const [row, ...others] = await darkroom.app.db.asset.findMany({ where: { ownerId: client.viewer } });
    expect(others).toEqual([]);
    expect(await darkroom.app.storage.stat(row!.storageKey)).toMatchObject({ byteSize: row!.byteSize });
  });

  test.each(['before', 'after'] as const)('a job whose connection breaks right %s COMMIT has ended, once, and was not run again', async (when) => {
    const client = await darkroom.client();
    const picture = await orderedPicture('hold');
    const [started] = await jobsOf(client).start(picture);
    await until('it to be measured', () => picture.runs().length === 1, 30_000);
    const before = proxy.cuts();
    proxy.cut(when, 'COMMIT');
    picture.letGo();
    expect(await jobsOf(client).end(started!.jobId)).toMatchObject({ status: 'COMPLETED', failure: null, attempts: [{ outcome: 'COMPLETED' }] });
    expect(proxy.cuts()).toBe(before + 1);
    expect(await darkroom.app.db.analysis.count({ where: { ownerId: client.viewer } })).toBe(1);
    expect(picture.runs()).toHaveLength(1);
  });

  test('a job whose connection breaks while it says how far it is goes on, and that costs none of its tries', async () => {
    const client = await darkroom.client();
    const before = proxy.cuts();
    proxy.cut('before', 'set progress = greatest');
    const picture = await orderedPicture('hold');
    const [started] = await jobsOf(client).start(picture);
    await until('the cut', () => proxy.cuts() > before, 30_000);
    picture.letGo();
    expect(await jobsOf(client).end(started!.jobId)).toMatchObject({ status: 'COMPLETED', attempts: [{ outcome: 'COMPLETED' }] });
    expect(proxy.cuts()).toBe(before + 1);
  });
});

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Prisma } from '../../src/database/generated/client.ts';
import { nearest, type NearestQuery, storingVector, type Neighbour } from '../../src/database/vectors.ts';
import { startTestApp, type TestApp } from '../app.ts';

/** Enough vectors of one owner that the index answers, and a small neighbour who must not be drowned by them. */
const crowd = 5_200;
let darkroom: TestApp;
const db = () => darkroom.app.db;
const [whale, minnow] = [randomUUID(), randomUUID()];

beforeAll(async () => {
  darkroom = await startTestApp();
  for (const [owner, count] of [[whale, crowd], [minnow, 30]] as const) {
    await db().$executeRaw`
      insert into asset (id, owner_id, kind, filename, content_type, byte_size, sha256, storage_key, width, height, format)
      select gen_random_uuid(), ${owner}, 'IMAGE', 'drawn.png', 'image/png', i, lpad(i::text, 64, '0'), ${owner} || i, 10, 10, case when i % 50 = 0 then 'PNG' else 'JPEG' end
      from generate_series(1, ${count}::int) i`;
    // Clusters, as pictures have them; independent noise in 256 dimensions would have no near neighbours at all.
    await db().$executeRaw`
      insert into image_vector (asset_id, owner_id, model, embedding)
      select asset.id, ${owner}, 'vd1', (select array_agg(sin(d * (1 + byte_size % 97)) + 0.5 * sin(d * byte_size * 0.618)) from generate_series(1, 256) d)::vector
      from asset where owner_id = ${owner}`;
  }
}, 120_000);
afterAll(() => darkroom.stop());

const target = Array.from({ length: 256 }, (_, d) => Math.sin((d + 1) * 18) + 0.3 * Math.sin(d));
const ids = (neighbours: Neighbour[]) => neighbours.map((neighbour) => neighbour.assetId);

const findNearest = (query: NearestQuery) => darkroom.app.sql.$queryRaw<Neighbour[]>(nearest(query));

async function exact(owner: string, limit: number, where = Prisma.sql`true`): Promise<string[]> {
  const rows = await db().$queryRaw<{ id: string }[]>`
    select asset.id from asset join image_vector on asset_id = asset.id where asset.owner_id = ${owner} and ${where}
    order by (embedding::vector(256) <=> ${JSON.stringify(target)}::text::vector) + 0, asset.id limit ${limit}`;
  return rows.map((row) => row.id);
}

test('through the index a page is full, in order, and finds at least 95 % of the true neighbours', async () => {
  const found = await findNearest({ ownerId: whale, model: 'vd1', to: target, limit: 100 });
  expect(found).toHaveLength(100);
  const distances = found.map((neighbour) => neighbour.distance);
  expect(distances).toEqual([...distances].sort((a, b) => a - b));
  const truth = new Set(await exact(whale, 100));
  expect(ids(found).filter((id) => truth.has(id)).length).toBeGreaterThanOrEqual(95);
});

test('a selective filter does not empty the page: the index is read on until it is full', async () => {
  const where = Prisma.sql`asset.format = 'PNG'`;
  const found = await findNearest({ ownerId: whale, model: 'vd1', to: target, limit: 50, where });
  expect(found).toHaveLength(50);
  const truth = new Set(await exact(whale, 50, where));
  expect(ids(found).filter((id) => truth.has(id)).length).toBeGreaterThanOrEqual(47);
});

test('pages behind a cursor repeat nobody', async () => {
  const walked: string[] = [];
  let after: Neighbour | undefined;
  for (let page = 0; page < 6; page += 1) {
    const found = await findNearest({ ownerId: whale, model: 'vd1', to: target, limit: 20, after });
    expect(found).toHaveLength(20);
    walked.push(...ids(found));
    after = found.at(-1);
  }
  expect(new Set(walked).size).toBe(120);
});

test('a small owner is searched exactly, and sees nobody else', async () => {
  const found = await findNearest({ ownerId: minnow, model: 'vd1', to: target, limit: 100 });
  expect(ids(found)).toEqual(await exact(minnow, 100));
  expect(found).toHaveLength(30);
});

test('vectors of different models never meet, and a vector without a direction or of a wrong length is refused', async () => {
  const [assetId] = await exact(minnow, 1);
  await db().$executeRaw`insert into image_vector (asset_id, owner_id, model, embedding) values (${assetId}::uuid, ${minnow}, 'other-model', '[1,2,3]')`;
  expect(await findNearest({ ownerId: minnow, model: 'vd1', to: target, limit: 100 })).toHaveLength(30);
  const store = (values: number[]) => db().$executeRaw(storingVector({ assetId: assetId!, ownerId: minnow, model: 'vd1', values }));
  await expect(store(Array<number>(256).fill(0))).rejects.toThrow(/image_vector_direction/);
  await expect(store([1, 2, 3])).rejects.toThrow(/image_vector_vd1_length/);
  await expect(store(Array<number>(256).fill(NaN))).rejects.toThrow(/NaN/);
});

import type { PGlite } from '@electric-sql/pglite';
import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PrismaClient } from '../src/database/generated/client.ts';
import { openPglite, pgliteAdapter } from '../src/database/pglite.ts';
import { maintain } from '../src/database/upkeep.ts';
import { createLog } from '../src/log.ts';

let pglite: PGlite;
let db: PrismaClient;
beforeAll(async () => {
  pglite = await openPglite();
  await pglite.exec(`
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL);
    INSERT INTO account VALUES (1, 0);`);
  db = new PrismaClient({ adapter: pgliteAdapter(pglite) });
});
afterAll(async () => {
  await db.$disconnect();
  await pglite.close();
});

/** The foreign key is looked at when the transaction commits, and there is no parent 7. */
const insertOrphan = (client: PrismaClient, id: number) => client.$transaction(async (tx) => tx.$executeRaw`INSERT INTO child VALUES (${id}, 7)`);
const childExists = async (id: number) => (await pglite.query('SELECT 1 FROM child WHERE id = $1', [id])).rows.length === 1;

test('a COMMIT that fails rejects', async () => {
  await expect(insertOrphan(db, 1)).rejects.toMatchObject({ cause: { originalCode: '23503' } });
  expect(await childExists(1)).toBe(false);
});

test('the adapter as published reports that COMMIT as done: when this fails, ours may go', async () => {
  const published: SqlMigrationAwareDriverAdapterFactory = new PrismaPGlite(pglite);
  const client = new PrismaClient({ adapter: published });
  await expect(insertOrphan(client, 2)).resolves.toBe(1);
  expect(await childExists(2)).toBe(false);
  await client.$disconnect();
});

test('the isolation level that was asked for is the one inside', async () => {
  const level = (isolationLevel?: 'Serializable') =>
    db.$transaction(async (tx) => tx.$queryRaw<{ transaction_isolation: string }[]>`SHOW transaction_isolation`, { isolationLevel });
  expect(await level('Serializable')).toEqual([{ transaction_isolation: 'serializable' }]);
  expect(await level()).toEqual([{ transaction_isolation: 'read committed' }]);
});

test('a transaction that throws leaves nothing, and the next one works', async () => {
  const failing = db.$transaction(async (tx) => {
    await tx.$executeRaw`INSERT INTO parent VALUES (1)`;
    throw new Error('changed my mind');
  });
  await expect(failing).rejects.toThrow('changed my mind');
  await expect(db.$transaction(async (tx) => tx.$executeRaw`INSERT INTO nowhere VALUES (1)`)).rejects.toThrow(/nowhere/);
  expect(await db.$queryRaw`SELECT id FROM parent`).toEqual([]);
});

test('transactions that meet run one after another', async () => {
  const addOne = () =>
    db.$transaction(
      async (tx) => {
        const [row] = await tx.$queryRaw<{ balance: number }[]>`SELECT balance FROM account WHERE id = 1`;
        await tx.$executeRaw`UPDATE account SET balance = ${(row?.balance ?? 0) + 1} WHERE id = 1`;
      },
      { maxWait: 20_000 },
    );
  await Promise.all(Array.from({ length: 50 }, addOne));
  expect(await db.$queryRaw`SELECT balance FROM account`).toEqual([{ balance: 50 }]);
});

test('a batch is one transaction', async () => {
  await expect(db.$transaction([db.$executeRaw`INSERT INTO parent VALUES (2)`, db.$executeRaw`INSERT INTO parent VALUES (2)`])).rejects.toThrow();
  expect(await db.$queryRaw`SELECT id FROM parent`).toEqual([]);
});

test('a script that fails rejects', async () => {
  const adapter = await pgliteAdapter(pglite).connect();
  await expect(adapter.executeScript('SELECT 1; SELECT * FROM nowhere')).rejects.toMatchObject({ cause: { originalCode: '42P01' } });
});

describe('upkeep', () => {
  const log = createLog('silent');
  const ask = async <Value>(sql: string) => Object.values((await pglite.query<Record<string, Value>>(sql)).rows[0]!)[0]!;
  const sizeOf = (table: string) => ask<number>(`select pg_relation_size('${table}')::int`);

  test('a table whose rows are written again and again does not grow for ever', async () => {
    await pglite.exec(`create table kept (id int, text text); insert into kept select n, repeat('x', 300) from generate_series(1, 2000) n; create table left_alone as select * from kept`);
    const before = await sizeOf('kept');
    for (let round = 0; round < 12; round++) {
      await pglite.exec(`update kept set text = repeat('${round % 10}', 300)`);
      await maintain(pglite, log);
    }
    expect(await sizeOf('kept')).toBeLessThan(before * 3);
    for (let round = 0; round < 12; round++) await pglite.exec(`update left_alone set text = repeat('${round % 10}', 300)`);
    expect(await sizeOf('left_alone')).toBeGreaterThan(before * 10);
  });

  test('a plan that was made for an empty table is made anew when it has grown', async () => {
    await pglite.exec(`create table growing (id int primary key, text text); set plan_cache_mode = force_generic_plan; prepare one (int) as select text from growing where id = $1`);
    const plan = async () => (await pglite.query<Record<string, string>>('explain execute one (7)')).rows.map((line) => line['QUERY PLAN']).join('\n');
    await pglite.exec('set enable_indexscan = off; set enable_bitmapscan = off');
    expect(await plan()).toContain('Seq Scan');
    await pglite.exec(`reset enable_indexscan; reset enable_bitmapscan; insert into growing select n, repeat('x', 300) from generate_series(1, 10000) n`);
    expect(await plan()).toContain('Seq Scan');
    await maintain(pglite, log);
    expect(await plan()).toContain('Index Scan');
    await pglite.exec('reset plan_cache_mode');
  });

  test('to clear a table of vectors does not mend the graph of their index, which takes milliseconds for each', async () => {
    await pglite.exec(`create extension vector; create table vectors (id int primary key, embedding vector(64)); create index graph on vectors using hnsw (embedding vector_cosine_ops);
      insert into vectors select n, (select array_agg(random() - 0.5) from generate_series(1, 64 + 0 * n))::vector from generate_series(1, 1000) n; delete from vectors where id % 2 = 0`);
    const cleared = () => ask<Date | null>(`select last_vacuum from pg_stat_user_tables where relname = 'vectors'`);
    /** What of the index changes is written to the log first. */
    const written = async (work: () => Promise<unknown>) => {
      const from = await ask<string>('select pg_current_wal_insert_lsn()::text');
      await work();
      return ask<number>(`select (pg_current_wal_insert_lsn() - '${from}')::int`);
    };
    expect(await cleared()).toBeNull();
    const kept = await written(() => maintain(pglite, log));
    expect(await cleared()).not.toBeNull();
    const mended = await written(() => pglite.exec('vacuum vectors'));
    expect(mended).toBeGreaterThan(kept * 4);
  });

  test('what a start after a kill has to go through is bounded', async () => {
    const logBytes = () => ask<number>('select (pg_current_wal_lsn() - redo_lsn)::int from pg_control_checkpoint()');
    await pglite.exec(`select pg_logical_emit_message(false, '', repeat('x', 1000000)) from generate_series(1, 70)`);
    expect(await logBytes()).toBeGreaterThan(64_000_000);
    await maintain(pglite, log);
    expect(await logBytes()).toBeLessThan(1_000_000);
  });
});

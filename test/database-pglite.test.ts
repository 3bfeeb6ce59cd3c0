import type { PGlite } from '@electric-sql/pglite';
import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PrismaClient } from '../src/database/generated/client.ts';
import { openPglite, pgliteAdapter } from '../src/database/pglite.ts';

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

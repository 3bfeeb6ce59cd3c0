import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../bin/services/postgres.ts';
import { type Database, type DatabaseSettings, openDatabase } from '../src/database/open.ts';
import type { SchemaSource } from '../src/database/migrations.ts';
import { isTransient, isUnreachable, withRetry } from '../src/database/retry.ts';
import { createLog } from '../src/log.ts';

const log = createLog('silent');
let folder: string;
let source: SchemaSource;
let server: PostgresServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'darkroom-database-'));
  source = { schemaFile: join(folder, 'schema.prisma'), migrationsFolder: join(folder, 'migrations') };
  await writeFile(source.schemaFile, 'datasource db {\n  provider = "postgresql"\n}\n');
  await mkdir(join(source.migrationsFolder, '20260101000000_init'), { recursive: true });
  await writeFile(
    join(source.migrationsFolder, '20260101000000_init/migration.sql'),
    `CREATE EXTENSION vector;
     CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL, parent_id int REFERENCES account DEFERRABLE INITIALLY DEFERRED, seen_at timestamptz NOT NULL DEFAULT now());
     CREATE TABLE point (at vector(3) NOT NULL);
     CREATE FUNCTION twice(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN n := n * 2; RETURN n; END $$;
     INSERT INTO account VALUES (1, 0);`,
  );
  server = await startPostgres({ dir: join(folder, 'postgres') });
}, 300_000);
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const settings = (url?: string): DatabaseSettings => ({ DATABASE_URL: url, DATA_DIR: join(folder, 'data'), DB_POOL_SIZE: 5, DB_STATEMENT_TIMEOUT: 5000 });

describe.each(['pglite', 'postgres'] as const)('a database on %s', (kind) => {
  let database: Database;
  let ownSettings: DatabaseSettings;
  beforeAll(async () => {
    ownSettings = settings(kind === 'postgres' ? await server.createDatabase() : undefined);
    database = await openDatabase(ownSettings, log, source);
  });
  afterAll(() => database.close());

  test('is migrated when it is open, and answers', async () => {
    await database.check();
    expect(database.kind).toBe(kind);
    expect(await database.db.$queryRaw`SELECT twice(2) AS four, '[1,2,3]'::vector <-> '[1,2,4]' AS distance`).toEqual([{ four: 4, distance: 1 }]);
  });

  test('a COMMIT that fails rejects, and leaves nothing', async () => {
    const orphan = database.db.$transaction(async (tx) => tx.$executeRaw`INSERT INTO account VALUES (2, 0, 99)`);
    await expect(orphan).rejects.toThrow();
    expect(await database.db.$queryRaw`SELECT id FROM account WHERE id = 2`).toEqual([]);
  });

  test('a transaction past the client leaves all or nothing, and its connection to others', async () => {
    const { sql } = database;
    const ids = () => sql.$queryRaw`SELECT id FROM account WHERE id > 10 ORDER BY id`;
    const insert = (id: number, parentId: number | null, then = async () => {}) => sql.transaction(async (tx) => {
      await tx.$executeRaw`INSERT INTO account VALUES (${id}, 0, ${parentId})`;
      expect(await tx.$queryRaw`SELECT id FROM account WHERE id = ${id}`).toEqual([{ id }]);
      await then();
      return id;
    });
    // More than there are connections.
    const changedMind = Array.from({ length: 10 }, (_, k) => insert(20 + k, null, () => Promise.reject(new Error('changed my mind'))).catch((error: Error) => error.message));
    expect(await Promise.all(changedMind)).toEqual(Array(10).fill('changed my mind'));
    const orphans = Array.from({ length: 10 }, (_, k) => insert(40 + k, 99).catch((error: { cause: { originalCode: string } }) => error.cause.originalCode));
    expect(await Promise.all(orphans)).toEqual(Array(10).fill('23503'));
    await expect(sql.transaction((tx) => tx.$executeRaw`INSERT INTO nowhere VALUES (1)`)).rejects.toMatchObject({ cause: { table: 'nowhere' } });
    expect(await ids()).toEqual([]);
    expect(await Promise.all(Array.from({ length: 10 }, (_, k) => insert(11 + k, null)))).toHaveLength(10);
    expect(await ids()).toHaveLength(10);
    await sql.$executeRaw`DELETE FROM account WHERE id > 10`;
  });

  test('the isolation level that was asked for is the one inside', async () => {
    const level = await database.db.$transaction(async (tx) => tx.$queryRaw`SHOW transaction_isolation`, { isolationLevel: 'Serializable' });
    expect(level).toEqual([{ transaction_isolation: 'serializable' }]);
  });

  test('transactions that meet are tried again until each has happened once', async () => {
    const addOne = () =>
      database.db.$transaction(
        async (tx) => {
          const [row] = await tx.$queryRaw<{ balance: number }[]>`SELECT balance FROM account WHERE id = 1`;
          await tx.$executeRaw`UPDATE account SET balance = ${(row?.balance ?? 0) + 1} WHERE id = 1`;
        },
        { isolationLevel: 'Serializable' },
      );
    await Promise.all(Array.from({ length: 20 }, () => withRetry(addOne, { attempts: 50 })));
    expect(await database.db.$queryRaw`SELECT balance FROM account WHERE id = 1`).toEqual([{ balance: 20 }]);
  });

  test('a moment is the same one after it was stored', async () => {
    const moment = new Date('2026-07-01T12:34:56.789Z');
    await database.db.$executeRaw`UPDATE account SET seen_at = ${moment} WHERE id = 1`;
    expect(await database.db.$queryRaw`SELECT seen_at, extract(epoch FROM seen_at)::float8 AS epoch FROM account WHERE id = 1`).toEqual([
      { seen_at: moment, epoch: moment.getTime() / 1000 },
    ]);
  });

  test('it opens again with what it had', async () => {
    await database.close();
    database = await openDatabase(ownSettings, log, source);
    expect(await database.db.$queryRaw`SELECT count(*)::int AS accounts FROM account`).toEqual([{ accounts: 1 }]);
  });
});

test.each(['pglite', 'postgres'] as const)('every migration of Darkroom applies on %s', async (kind) => {
  const url = kind === 'postgres' ? await server.createDatabase() : undefined;
  const database = await openDatabase({ ...settings(url), DATA_DIR: join(folder, 'ours') }, log);
  expect(await database.db.asset.count()).toBe(0);
  await database.close();
});

describe('Postgres', () => {
  test('processes that start at once migrate an empty database once', async () => {
    const own = settings(await server.createDatabase());
    const opened = await Promise.all(Array.from({ length: 4 }, () => openDatabase(own, log, source)));
    const counts = await Promise.all(opened.map(({ db }) => db.$queryRaw`SELECT count(*)::int AS migrations FROM _prisma_migrations`));
    expect(counts).toEqual(opened.map(() => [{ migrations: 1 }]));
    await Promise.all(opened.map((database) => database.close()));
  });

  test('a process that starts while another migrates waits for it, and takes its work for no failure', async () => {
    const own = settings(await server.createDatabase());
    const slow = { ...source, migrationsFolder: join(folder, 'slow') };
    await mkdir(join(slow.migrationsFolder, '20260101000000_slow'), { recursive: true });
    await writeFile(join(slow.migrationsFolder, '20260101000000_slow/migration.sql'), 'CREATE TABLE slow (id int); SELECT pg_sleep(1);');

    const first = openDatabase(own, log, slow);
    const client = new pg.Client({ connectionString: own.DATABASE_URL });
    await client.connect();
    const isMigrating = () => client.query('SELECT 1 FROM _prisma_migrations').then(({ rowCount }) => rowCount === 1, () => false);
    for (const deadline = Date.now() + 10_000; !(await isMigrating()); ) expect(Date.now()).toBeLessThan(deadline);
    const second = await openDatabase(own, log, slow);
    expect((await client.query('SELECT finished_at IS NOT NULL AS finished, rolled_back_at FROM _prisma_migrations')).rows).toEqual([{ finished: true, rolled_back_at: null }]);
    await client.end();
    await Promise.all([(await first).close(), second.close()]);
  });

  test('a moment is the same one although the server has another time zone', async () => {
    const url = await server.createDatabase();
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(`ALTER DATABASE ${new URL(url).pathname.slice(1)} SET timezone = 'Asia/Tokyo'`);
    await client.end();
    const database = await openDatabase(settings(url), log, source);
    const moment = new Date('2026-07-01T12:34:56.789Z');
    await database.db.$executeRaw`UPDATE account SET seen_at = ${moment}`;
    expect(await database.db.$queryRaw`SELECT seen_at, extract(epoch FROM seen_at)::float8 AS epoch FROM account`).toEqual([{ seen_at: moment, epoch: moment.getTime() / 1000 }]);
    await database.close();
  });

  test('a statement that runs too long is ended', async () => {
    const database = await openDatabase({ ...settings(await server.createDatabase()), DB_STATEMENT_TIMEOUT: 200 }, log, source);
    await expect(database.db.$queryRaw`SELECT pg_sleep(20)::text`).rejects.toThrow(/statement timeout/);
    await database.close();
  });

  test('a statement is planned once for a connection, unless its pooler hands connections about', async () => {
    const url = await server.createDatabase();
    for (const [address, planned] of [[url, 1], [`${url}?pgbouncer=true`, 0]] as const) {
      const database = await openDatabase({ ...settings(address), DB_POOL_SIZE: 1 }, log, source);
      for (let n = 0; n < 3; n++) expect(await database.sql.$queryRaw`SELECT id + ${n} AS id FROM account`).toEqual([{ id: 1 + n }]);
      expect(await database.sql.$queryRaw`SELECT count(*)::int AS planned FROM pg_prepared_statements WHERE statement LIKE '%AS id FROM account'`).toEqual([{ planned }]);
      await database.close();
    }
  });

  test('a server that crashes and comes back costs the work a few tries', async () => {
    const database = await openDatabase(settings(await server.createDatabase()), log, source);
    const work = Array.from({ length: 10 }, () => withRetry(async () => database.db.$queryRaw`SELECT pg_sleep(0.3)::text`, { attempts: 12 }));
    await Promise.all([Promise.all(work), server.kill().then(() => server.restart())]);
    await database.check();
    await database.close();
  });

  test('a server that is not there is said at the start', async () => {
    await expect(openDatabase(settings('postgresql://me:secret@127.0.0.1:1/nothing'), log, source)).rejects.toThrow(/Expected a Postgres at 127\.0\.0\.1:1\/nothing.*ECONNREFUSED/);
  });
});

test('what is no transient fault is not tried again', async () => {
  let tries = 0;
  const work = () => withRetry(() => Promise.reject(new Error(`unique ${++tries}`)));
  await expect(work()).rejects.toThrow('unique 1');
  expect(isTransient(undefined)).toBe(false);
});

test('what says that the database is out of reach is told from what says it of others', () => {
  const error = (fields: object, message = '') => Object.assign(new Error(message), fields);
  for (const away of [
    error({}, 'Connection terminated unexpectedly'),
    error({ name: 'PrismaClientKnownRequestError', code: 'P2039', meta: { driverAdapterError: { name: 'DriverAdapterError', cause: { kind: 'postgres', originalCode: '57P03' } } } }),
    error({ name: 'PrismaClientKnownRequestError', code: 'P2010', meta: { driverAdapterError: { name: 'DriverAdapterError', cause: { kind: 'DatabaseNotReachable' } } } }),
    error({ code: 'EAI_AGAIN', syscall: 'getaddrinfo' }),
    Object.assign(new AggregateError([error({ code: 'ECONNREFUSED', syscall: 'connect' })]), { code: 'ECONNREFUSED' }),
  ]) {
    expect([isUnreachable(away), isTransient(away)], away.message).toEqual([true, true]);
  }
  for (const other of [error({ code: 'EPIPE', syscall: 'write' }), error({ cause: error({ code: 'ECONNREFUSED', syscall: 'connect' }) }, 'The object store does not answer'), error({ code: 'P2034' }), error({ code: 'P2002' })]) {
    expect(isUnreachable(other), other.message).toBe(false);
  }
});

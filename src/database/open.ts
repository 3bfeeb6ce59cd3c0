import { join } from 'node:path';
import type { SqlDriverAdapter, SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import type { Log } from '../log.ts';
import { PrismaClient } from './generated/client.ts';
import { lockFolder } from './lock.ts';
import { applyMigrations } from './migrate.ts';
import { ourSchema, type SchemaSource } from './migrations.ts';
import { openPglite, pgliteAdapter } from './pglite.ts';
import { connectForMigrations, postgresAdapter } from './postgres.ts';
import { directSql, type DirectSql } from './sql.ts';
import { startUpkeep } from './upkeep.ts';

export interface DatabaseSettings {
  /** Without it the database is a PGlite in `DATA_DIR/pglite`, which belongs to this process alone. */
  DATABASE_URL?: string | undefined;
  DATA_DIR: string;
  DB_POOL_SIZE: number;
  /** Milliseconds. */
  DB_STATEMENT_TIMEOUT: number;
}

export interface Database {
  db: PrismaClient;
  sql: DirectSql;
  kind: 'pglite' | 'postgres';
  /** Rejects when the database does not answer. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the database at its newest migration. Whoever opens it closes it. */
export async function openDatabase(settings: DatabaseSettings, log: Log, source: SchemaSource = ourSchema): Promise<Database> {
  const { DATABASE_URL } = settings;
  return DATABASE_URL ? openPostgres({ ...settings, DATABASE_URL }, log, source) : openEmbedded(settings, log, source);
}

async function openEmbedded(settings: DatabaseSettings, log: Log, source: SchemaSource): Promise<Database> {
  const folder = join(settings.DATA_DIR, 'pglite');
  const unlock = await lockFolder(folder);
  try {
    const pglite = await openPglite(folder);
    const adapter = pgliteAdapter(pglite);
    try {
      await migrate(await adapter.connect(), log, source);
    } catch (error) {
      await pglite.close();
      throw error;
    }
    const upkeep = startUpkeep(pglite, log);
    return database('pglite', adapter, settings, async () => {
      await upkeep.stop();
      await pglite.close();
      await unlock();
    });
  } catch (error) {
    await unlock();
    throw error;
  }
}

async function openPostgres(settings: DatabaseSettings & { DATABASE_URL: string }, log: Log, source: SchemaSource): Promise<Database> {
  const connection = await connectForMigrations(settings.DATABASE_URL, log);
  try {
    await migrate(connection, log, source);
    await mustSeeEverything(connection);
  } finally {
    await connection.dispose();
  }
  return database('postgres', postgresAdapter(settings, log), settings, async () => {});
}

async function migrate(connection: SqlDriverAdapter, log: Log, source: SchemaSource): Promise<void> {
  const applied = await applyMigrations(connection, source);
  if (applied.length > 0) log.info({ migrations: applied }, 'the database is at its newest migration');
}

/** Policies hold for every role but the owner of the tables. Any other would find an empty database and take it for the truth. */
async function mustSeeEverything(connection: SqlDriverAdapter): Promise<void> {
  const sql = `SELECT current_user::text, string_agg(relname, ', ' ORDER BY relname) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND row_security_active(oid)`;
  const [row] = (await connection.queryRaw({ sql, args: [], argTypes: [] })).rows;
  if (row?.[1]) throw new Error(`Expected the role of DATABASE_URL to own the tables of Darkroom, but row-level security hides rows of ${String(row[1])} from ${String(row[0])}. Connect as their owner, or give that role BYPASSRLS.`);
}

async function database(kind: Database['kind'], adapter: SqlMigrationAwareDriverAdapterFactory, settings: DatabaseSettings, close: () => Promise<void>): Promise<Database> {
  const driver = await adapter.connect();
  // The client and `sql` share one driver, and so one pool.
  const { provider, adapterName } = adapter;
  // PGlite runs one transaction at a time: with Prisma's two seconds, a queue of ten would already lose some.
  const db = new PrismaClient({ adapter: { provider, adapterName, connect: async () => driver }, transactionOptions: { maxWait: 10_000, timeout: settings.DB_STATEMENT_TIMEOUT } });
  return {
    db,
    sql: directSql(driver),
    kind,
    async check() {
      // Prisma's own words are for a log: they run over several lines and tell strangers the address.
      await db.$queryRaw`SELECT 1`.catch((cause: unknown) => {
        throw new Error('The database does not answer', { cause });
      });
    },
    async close() {
      await db.$disconnect();
      await close();
    },
  };
}

import { isDriverAdapterError, type SqlDriverAdapter } from '@prisma/driver-adapter-utils';
import { openEngine } from './engine.ts';
import { everyTable, hasChecksum, listMigrations, ourSchema, readMigrations, readSchema, type SchemaSource } from './migrations.ts';

/** What the database has against what the folder has. */
export interface MigrationStatus {
  applied: string[];
  pending: string[];
  /** Begun and not finished. A migration is one transaction, so nothing of it is there. */
  unfinished: string[];
  /** Applied, and different in the folder since. */
  changed: string[];
  /** Applied by a newer program: the folder does not have them. */
  unknown: string[];
}

/**
 * Brings the database to the newest migration and gives the names of what it applied; a migration is applied whole or not at all.
 * The engine is loaded only when something is pending. `adapter` must be one connection, because the lock belongs to it.
 */
export async function applyMigrations(adapter: SqlDriverAdapter, source: SchemaSource = ourSchema): Promise<string[]> {
  const { pending } = trusted(await migrationStatus(adapter, source));
  if (pending.length === 0) return [];

  // The number of Prisma's own lock: processes that start at once, and its CLI, wait for each other here.
  await execute(adapter, 'SELECT pg_advisory_lock(72707369)');
  const status = trusted(await migrationStatus(adapter, source));
  if (status.unfinished.length > 0) await execute(adapter, `UPDATE _prisma_migrations SET rolled_back_at = now() WHERE ${isOpen}`);
  return status.pending.length > 0 ? runEngine(adapter, source) : [];
}

export async function migrationStatus(adapter: SqlDriverAdapter, source: SchemaSource = ourSchema): Promise<MigrationStatus> {
  const migrations = await readMigrations(source);
  const rows = await readHistory(adapter);
  const finished = new Map(rows.filter((row) => row.finished).map((row) => [row.name, row.checksum]));
  const known = new Set(migrations.map((migration) => migration.name));
  return {
    applied: [...finished.keys()],
    pending: migrations.filter(({ name }) => !finished.has(name)).map(({ name }) => name),
    unfinished: rows.filter((row) => !row.finished).map((row) => row.name),
    changed: migrations.filter(({ name, sql }) => finished.has(name) && !hasChecksum(sql, finished.get(name) ?? '')).map(({ name }) => name),
    unknown: [...finished.keys()].filter((name) => !known.has(name)),
  };
}

/** Refuses a database whose history this program cannot continue. */
function trusted(status: MigrationStatus): MigrationStatus {
  if (status.unknown.length > 0) {
    throw new Error(`Expected a database of this version of Darkroom or an older one, but a newer one has applied ${status.unknown.join(', ')}. Run that version, or restore a backup from before.`);
  }
  if (status.changed.length > 0) {
    throw new Error(`Expected migrations to stay as they were applied, but ${status.changed.join(', ')} changed since. Restore its migration.sql and put the change into a new migration (npm run migrate -- --create NAME).`);
  }
  return status;
}

async function runEngine(adapter: SqlDriverAdapter, source: SchemaSource): Promise<string[]> {
  let fault: unknown;
  // The engine marks a migration as finished after its script, and a crash between the two leaves a doubt. So the script marks it itself.
  const executeScript = (script: string) =>
    adapter.executeScript(`${script}\n;\nUPDATE _prisma_migrations SET finished_at = now() WHERE ${isOpen}`).catch((error: unknown) => {
      fault = error;
      throw error;
    });
  const engine = await openEngine(Object.assign(Object.create(adapter) as SqlDriverAdapter, { executeScript }), await readSchema(source));
  try {
    const { appliedMigrationNames } = await engine.applyMigrations({ migrationsList: await listMigrations(source), filters: everyTable });
    return appliedMigrationNames;
  } catch (error) {
    if (!fault) throw error;
    const { unfinished } = await migrationStatus(adapter, source);
    throw new Error(`Migration ${unfinished.join(', ')} failed and nothing of it was kept: ${reason(fault)}`, { cause: error });
  } finally {
    engine.free();
  }
}
const isOpen = 'finished_at IS NULL AND rolled_back_at IS NULL';

function reason(fault: unknown): string {
  const text = isDriverAdapterError(fault) ? (fault.cause.originalMessage ?? fault.message) : String(fault);
  return /extension "vector" is not available/.test(text) ? `${text}. Install pgvector on the server of this database.` : text;
}

async function readHistory(adapter: SqlDriverAdapter): Promise<{ name: string; checksum: string; finished: boolean }[]> {
  const [exists] = await query(adapter, `SELECT to_regclass('_prisma_migrations') IS NOT NULL`);
  if (exists?.[0] !== true) return [];
  const rows = await query(adapter, 'SELECT migration_name, checksum, finished_at IS NOT NULL FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY started_at');
  return rows.map(([name, checksum, finished]) => ({ name: String(name), checksum: String(checksum), finished: finished === true }));
}

const execute = (adapter: SqlDriverAdapter, sql: string) => adapter.executeRaw({ sql, args: [], argTypes: [] });
const query = async (adapter: SqlDriverAdapter, sql: string) => (await adapter.queryRaw({ sql, args: [], argTypes: [] })).rows;

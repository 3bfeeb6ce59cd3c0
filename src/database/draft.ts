import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SqlDriverAdapter } from '@prisma/driver-adapter-utils';
import { openEngine } from './engine.ts';
import { everyTable, listMigrations, lockfile, ourSchema, readSchema, type SchemaSource } from './migrations.ts';
import { shadowDatabase } from './pglite.ts';

/** The SQL that leads from the migrations to schema.prisma: empty when the two agree. What Prisma has no words for is not compared. */
export async function schemaDifference(source: SchemaSource = ourSchema): Promise<string> {
  const shadow = await shadowDatabase();
  // The engine disposes of a shadow database itself; the same one serves as its main connection, of which it only asks the version.
  const shared: SqlDriverAdapter = Object.assign(Object.create(shadow) as SqlDriverAdapter, { dispose: async () => {} });
  const schema = await readSchema(source);
  try {
    const engine = await openEngine(shared, schema, () => Promise.resolve(shared));
    const { exitCode, stdout } = await engine.diff({
      from: { tag: 'migrations', ...(await listMigrations(source)) },
      to: { tag: 'schemaDatamodel', files: [schema] },
      script: true,
      exitCode: true,
      filters: everyTable,
    });
    engine.free();
    return exitCode === 0 ? '' : (stdout ?? '');
  } finally {
    await shadow.dispose();
  }
}

/** Writes what `schemaDifference` says as a new migration and gives its file; nothing when there is nothing to say. Read it before it is applied. */
export async function createMigration(name: string, source: SchemaSource = ourSchema, now = new Date()): Promise<string | undefined> {
  if (!/^[a-z0-9_]+$/.test(name)) throw new Error(`Expected a name of a-z, 0-9 and _ for the migration but received "${name}"`);
  await mkdir(source.migrationsFolder, { recursive: true });
  const sql = await schemaDifference(source);
  if (sql === '') return undefined;
  const timestamp = now.toISOString().replace(/\D/g, '').slice(0, 14);
  const folder = join(source.migrationsFolder, `${timestamp}_${name}`);
  await mkdir(folder);
  await writeFile(join(folder, 'migration.sql'), sql);
  await writeFile(join(source.migrationsFolder, lockfile.path), lockfile.content);
  return join(folder, 'migration.sql');
}

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MigrationList } from '@prisma/schema-engine-wasm';

/** Where a schema is described (schema.prisma) and how it came about (a folder per migration, in the order of their names). */
export interface SchemaSource {
  schemaFile: string;
  migrationsFolder: string;
}

export const ourSchema: SchemaSource = {
  schemaFile: fileURLToPath(new URL('../../prisma/schema.prisma', import.meta.url)),
  migrationsFolder: fileURLToPath(new URL('../../prisma/migrations', import.meta.url)),
};

export interface Migration {
  name: string;
  sql: string;
}

export const readSchema = async ({ schemaFile }: SchemaSource) => ({ path: schemaFile, content: await readFile(schemaFile, 'utf8') });

/** The migrations of a folder, oldest first. */
export async function readMigrations({ migrationsFolder }: SchemaSource): Promise<Migration[]> {
  const entries = await readdir(migrationsFolder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name).sort();
  return Promise.all(names.map(async (name) => ({ name, sql: await readScript(join(migrationsFolder, name)) })));
}

const readScript = (folder: string) =>
  readFile(join(folder, 'migration.sql'), 'utf8').catch((cause: unknown) => {
    throw new Error(`Expected a migration.sql in ${folder}. Write it, or delete the folder.`, { cause });
  });

/** The same, as the engine wants it. */
export async function listMigrations(source: SchemaSource): Promise<MigrationList> {
  return {
    baseDir: source.migrationsFolder,
    lockfile,
    shadowDbInitScript: '',
    migrationDirectories: (await readMigrations(source)).map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } },
    })),
  };
}

/** What Prisma's CLI keeps beside the migrations, so that nobody applies them to another kind of database. */
export const lockfile = { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' };

export const everyTable = { externalTables: [], externalEnums: [] };

/** Whether this is the script that the checksum was made of. Line ends do not count: git may have changed them. */
export function hasChecksum(sql: string, checksum: string): boolean {
  const unix = sql.replaceAll('\r\n', '\n');
  return [sql, unix, unix.replaceAll('\n', '\r\n')].some((text) => createHash('sha256').update(text).digest('hex') === checksum);
}

import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SqlDriverAdapter, SqlQuery } from '@prisma/driver-adapter-utils';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { applyMigrations, migrationStatus } from '../src/database/migrate.ts';
import { ourSchema, type SchemaSource } from '../src/database/migrations.ts';
import { shadowDatabase } from '../src/database/pglite.ts';

let source: SchemaSource;
let adapter: SqlDriverAdapter;

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-migrate-'));
  source = { schemaFile: join(folder, 'schema.prisma'), migrationsFolder: join(folder, 'migrations') };
  await writeFile(source.schemaFile, 'datasource db {\n  provider = "postgresql"\n}\n');
  await write('20260101000000_first', 'CREATE TABLE first (id int PRIMARY KEY);\n');
  await adapter.executeScript('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
});
beforeAll(async () => {
  adapter = await shadowDatabase();
});
afterAll(() => adapter.dispose());
afterEach(async () => {
  await rm(join(source.schemaFile, '..'), { recursive: true });
});

async function write(name: string, sql: string): Promise<void> {
  await mkdir(join(source.migrationsFolder, name), { recursive: true });
  await writeFile(join(source.migrationsFolder, name, 'migration.sql'), sql);
}
const rows = async (sql: string) => (await adapter.queryRaw({ sql, args: [], argTypes: [] })).rows;

test('a second apply applies nothing, and a new migration alone', async () => {
  expect(await applyMigrations(adapter, source)).toEqual(['20260101000000_first']);
  expect(await applyMigrations(adapter, source)).toEqual([]);
  await write('20260102000000_second', 'CREATE TABLE second (id int);\n');
  expect(await applyMigrations(adapter, source)).toEqual(['20260102000000_second']);
  expect(await migrationStatus(adapter, source)).toMatchObject({ applied: ['20260101000000_first', '20260102000000_second'], pending: [] });
});

test('the history is the one that Prisma keeps', async () => {
  await applyMigrations(adapter, source);
  const [row] = await rows('SELECT migration_name, checksum, applied_steps_count, finished_at IS NOT NULL, rolled_back_at, logs FROM _prisma_migrations');
  // sha256sum migration.sql
  expect(row).toEqual(['20260101000000_first', '5642275eaedcfcee9892921ff712141b76e9bee4d9cd44e38b987759d0a5b1b6', 1, true, null, null]);
});

test('a function body with semicolons and a trailing comment are one script', async () => {
  await write('20260102000000_trigger', `CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; RETURN 2; END $$ -- the end`);
  await applyMigrations(adapter, source);
  expect(await rows('SELECT f()')).toEqual([[2]]);
});

test('a migration that fails is named, leaves nothing behind and runs again once it is mended', async () => {
  await write('20260102000000_broken', 'CREATE TABLE second (id int);\nINSERT INTO nowhere VALUES (1);\n');
  await expect(applyMigrations(adapter, source)).rejects.toThrow(/20260102000000_broken failed and nothing of it was kept.*relation "nowhere" does not exist/s);
  expect(await migrationStatus(adapter, source)).toMatchObject({ applied: ['20260101000000_first'], unfinished: ['20260102000000_broken'] });
  expect(await rows(`SELECT to_regclass('second')::text`)).toEqual([[null]]);
  await expect(applyMigrations(adapter, source)).rejects.toThrow(/20260102000000_broken failed/);

  await write('20260102000000_broken', 'CREATE TABLE second (id int);\n');
  expect(await applyMigrations(adapter, source)).toEqual(['20260102000000_broken']);
  expect(await migrationStatus(adapter, source)).toMatchObject({ pending: [], unfinished: [] });
});

test('a process that dies right after the script of a migration has applied it', async () => {
  let isOver = false;
  const dying: SqlDriverAdapter = Object.assign(Object.create(adapter) as SqlDriverAdapter, {
    executeScript: async (script: string) => {
      await adapter.executeScript(script);
      isOver = true;
    },
    queryRaw: (query: SqlQuery) => (isOver ? Promise.reject(new Error('the process died here')) : adapter.queryRaw(query)),
  });
  await expect(applyMigrations(dying, source)).rejects.toThrow();
  expect(await migrationStatus(adapter, source)).toMatchObject({ applied: ['20260101000000_first'], pending: [], unfinished: [] });
  expect(await applyMigrations(adapter, source)).toEqual([]);
});

test('an applied migration that was changed is refused by its name; other line ends are no change', async () => {
  await applyMigrations(adapter, source);
  await write('20260101000000_first', 'CREATE TABLE first (id int PRIMARY KEY);\r\n');
  expect(await applyMigrations(adapter, source)).toEqual([]);
  await write('20260101000000_first', 'CREATE TABLE first (id bigint PRIMARY KEY);\n');
  await expect(applyMigrations(adapter, source)).rejects.toThrow(/20260101000000_first changed since/);
});

test('a database that a newer program has migrated is refused', async () => {
  await write('20260102000000_newer', 'CREATE TABLE second (id int);\n');
  await applyMigrations(adapter, source);
  await rm(join(source.migrationsFolder, '20260102000000_newer'), { recursive: true });
  await expect(applyMigrations(adapter, source)).rejects.toThrow(/a newer one has applied 20260102000000_newer/);
});

test('of jobs that were there before is known with how many inputs they must have been started, ended ones too', async () => {
  const name = '20261126102000_input_count';
  await rm(source.migrationsFolder, { recursive: true });
  await cp(ourSchema.migrationsFolder, source.migrationsFolder, { recursive: true });
  await rm(join(source.migrationsFolder, name), { recursive: true });
  await applyMigrations(adapter, source);
  await adapter.executeScript(`
    insert into asset (id, owner_id, kind, filename, content_type, byte_size, sha256, storage_key)
      select gen_random_uuid(), 'anna', 'AUDIO', 'a', 'audio/wav', 1, repeat(n::text, 64), 'originals/' || n from generate_series(1, 3) n;
    insert into job (id, owner_id, operation, provider, parameters, max_failures, cache_key, status, finished_at)
      select gen_random_uuid(), 'anna', operation, 'local', parameters::jsonb, 3, repeat('0', 64), 'CANCELLED', now()
      from (values ('analyze', '{}'), ('generate', '{}'), ('remove-background', '{"onImage": true}'), ('clone-voice', '{}')) earlier(operation, parameters);
    insert into job_input (job_id, position, asset_id)
      select job.id, row_number() over (order by asset.id) - 1, asset.id from job, asset where operation = 'clone-voice';
    delete from asset where id = (select asset_id from job_input where position = 1)`);
  await cp(join(ourSchema.migrationsFolder, name), join(source.migrationsFolder, name), { recursive: true });
  expect(await applyMigrations(adapter, source)).toEqual([name]);
  expect(await rows('select operation, input_count from job order by operation')).toEqual([['analyze', 1], ['clone-voice', 3], ['generate', 0], ['remove-background', 2]]);
});

test('the engine in WebAssembly belongs to the Prisma that is installed', async () => {
  const require = createRequire(import.meta.url);
  const version = async (path: string) => (JSON.parse(await readFile(path, 'utf8')) as { version: string }).version;
  const engines = createRequire(require.resolve('prisma/package.json')).resolve('@prisma/engines/package.json');
  const expected = createRequire(engines).resolve('@prisma/engines-version/package.json');
  const wasm = join(require.resolve('@prisma/schema-engine-wasm'), '../package.json');
  expect(await version(wasm)).toBe(await version(expected));
});

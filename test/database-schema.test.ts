import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMigration, schemaDifference } from '../src/database/draft.ts';
import type { SchemaSource } from '../src/database/migrations.ts';

let folder: string;
let source: SchemaSource;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'darkroom-schema-'));
  source = { schemaFile: join(folder, 'schema.prisma'), migrationsFolder: join(folder, 'migrations') };
});
afterAll(() => rm(folder, { recursive: true }));

const describeTables = (...models: string[]) => writeFile(source.schemaFile, ['datasource db {\n  provider = "postgresql"\n}', ...models].join('\n\n'));

test('schema.prisma and the migrations agree', async () => {
  expect(await schemaDifference()).toBe('');
});

test('a new migration says what the schema has and the migrations lack; then they agree', async () => {
  await describeTables('model First {\n  id Int @id\n}');
  const first = await createMigration('first', source, new Date('2026-01-01T00:00:00Z'));
  expect(first).toBe(join(source.migrationsFolder, '20260101000000_first/migration.sql'));
  expect(await createMigration('nothing', source)).toBeUndefined();

  await describeTables('model First {\n  id   Int    @id\n  name String\n}');
  const second = await createMigration('second', source, new Date('2026-01-02T00:00:00Z'));
  expect(await readFile(second ?? '', 'utf8')).toContain('ALTER TABLE "First" ADD COLUMN     "name" TEXT NOT NULL');
  expect(await schemaDifference(source)).toBe('');
});

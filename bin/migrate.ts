import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { readConfig } from '../src/config.ts';
import { createMigration } from '../src/database/draft.ts';
import { openDatabase } from '../src/database/open.ts';
import { createLog } from '../src/log.ts';

// npm run migrate                     applies what is pending to the configured database
// npm run migrate -- --create NAME    writes the difference between the migrations and schema.prisma as a new migration
try {
  const { values } = parseArgs({ options: { create: { type: 'string' } } });
  if (values.create === undefined) await applyPending();
  else await create(values.create);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

async function applyPending(): Promise<void> {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const database = await openDatabase(readConfig(process.env), createLog('info'));
  await database.close();
  console.log('The database is at its newest migration.');
}

async function create(name: string): Promise<void> {
  const file = await createMigration(name);
  console.log(file ? `Wrote ${file}. Read it before you apply it.` : 'Nothing to do: the migrations and schema.prisma agree.');
}

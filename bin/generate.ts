import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type GraphQLSchema, lexicographicSortSchema, printSchema } from 'graphql';
import { envExample } from '../src/config.ts';

// npm run generate              writes everything that is printed from something else
// npm run generate -- --check   fails when a committed one of them is stale
const root = fileURLToPath(new URL('..', import.meta.url));
const check = process.argv.includes('--check');

if (!check) generateClient(); // not committed, so never stale; and other tests may be reading it
const stale = [keep('.env.example', envExample()), keep('schema.graphql', await schemaText())].filter((name) => name !== undefined);
if (stale.length > 0) {
  console.error(`Stale: ${stale.join(', ')}. Run \`npm run generate\` and commit what it changes.`);
  process.exitCode = 1;
}

/** The Prisma client and Pothos' types; they are not committed. */
function generateClient(): void {
  const cli = join(dirname(createRequire(import.meta.url).resolve('prisma/package.json')), 'build/index.js');
  // Prisma looks for its schema engine although generating does not use it, and would download it; any program at that place stops the search.
  const environment = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, PRISMA_HIDE_UPDATE_MESSAGE: '1', CHECKPOINT_DISABLE: '1' };
  execFileSync(process.execPath, [cli, 'generate', '--no-hints'], { cwd: root, env: environment, stdio: ['ignore', 'ignore', 'inherit'] });
}

async function schemaText(): Promise<string | undefined> {
  const module = new URL('../src/graphql/schema.ts', import.meta.url);
  if (!existsSync(module)) return undefined;
  const { schema } = (await import(module.href)) as { schema: GraphQLSchema };
  return `${printSchema(lexicographicSortSchema(schema))}\n`;
}

/** Gives the file's name when it is stale and must stay so. */
function keep(name: string, text: string | undefined): string | undefined {
  const file = join(root, name);
  if (text === undefined) {
    console.log(`Skipped ${name}: what it is printed from is not there yet.`);
    return undefined;
  }
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return undefined;
  if (check) return name;
  writeFileSync(file, text);
  console.log(`Wrote ${name}.`);
  return undefined;
}

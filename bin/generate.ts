import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type GraphQLSchema, lexicographicSortSchema, printSchema } from 'graphql';
import { envExample } from '../src/config.ts';
import { errorCodes, failureCodes, failureHints, type FailureCode } from '../src/errors.ts';

// npm run generate               writes everything that is printed from something else
// npm run generate -- --check    fails when a committed one of them is stale
// npm run generate -- --client   only what is not committed: the database client
const root = fileURLToPath(new URL('..', import.meta.url));
const check = process.argv.includes('--check');

if (!check) generateClient(); // not committed, so never stale; and other tests may be reading it
if (!process.argv.includes('--client')) {
  const printed = [keep('.env.example', envExample()), keep('docs/errors.md', errorsText()), keep('schema.graphql', await schemaText())];
  const stale = printed.filter((name) => name !== undefined);
  if (stale.length > 0) {
    console.error(`Stale: ${stale.join(', ')}. Run \`npm run generate\` and commit what it changes.`);
    process.exitCode = 1;
  }
}

/** The Prisma client and Pothos' types; they are not committed. */
function generateClient(): void {
  const cli = join(dirname(createRequire(import.meta.url).resolve('prisma/package.json')), 'build/index.js');
  // Prisma looks for its schema engine although generating does not use it, and would download it; any program at that place stops the search.
  // Prisma starts Pothos' generator by its name, and npm is not always there to say where that is.
  const path = [join(root, 'node_modules/.bin'), process.env['PATH']].join(delimiter);
  const environment = { ...process.env, PATH: path, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, PRISMA_HIDE_UPDATE_MESSAGE: '1', CHECKPOINT_DISABLE: '1' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, 'generate', '--no-hints'], { cwd: root, env: environment, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });
  if (status === 0) return;
  console.error(`The database client could not be generated from prisma/schema.prisma:\n${stdout}${stderr}`);
  process.exit(1);
}

function errorsText(): string {
  const table = (codes: Record<string, string>) => ['| code | meaning |', '|---|---|', ...Object.entries(codes).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`)].join('\n');
  const failures = Object.entries(failureHints).map(([code, hint]) => `| \`${code}\` | ${failureCodes[code as FailureCode]} | ${hint} |`);
  return `# Error codes

Printed from src/errors.ts by \`npm run generate\`; change it there. Both lists are closed: a client may switch over them.

## What is wrong with a request

In \`errors[].extensions.code\`, and in \`code\` of a refused file or id. The message says what was expected and what came, \`extensions.hint\` what helps.

${table(errorCodes)}

## Why work failed

In \`failure.code\` of a job whose status is \`FAILED\`; \`failure.retryable\` says whether \`retryJobs\` may help.

Every failure has a \`hint\`; where nobody knows a better one it is that of the table.

| code | meaning | what helps |
|---|---|---|
${failures.join('\n')}
`;
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
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  console.log(`Wrote ${name}.`);
  return undefined;
}

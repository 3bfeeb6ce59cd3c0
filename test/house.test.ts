import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** The arrows of the house: who may import whom. An arrow that points left is a design change, not a detail. */
const src = fileURLToPath(new URL('../src', import.meta.url));
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts') && !name.startsWith('database/generated/'));

/** From left to right: a file imports only from its own place or from places further right. The first pattern that fits counts. */
const places: [string, RegExp][] = [
  ['start', /^(main|darkroom)\.ts$/],
  ['ground', /^(config|errors|log|within|rounds|sizes|keyset|spool|secret-strength)\.ts$|^access\/(viewer|scopes|static-keys|limits\/limits)\.ts$/],
  ['builder', /^graphql\/(builder|multipart|errors|scope-plugin|id-plugin)\.ts$/],
  ['graphql', /^graphql\//],
  ['app', /^app\.ts$/],
  ['operation schema', /^operations\/[^/]+\/schema\.ts$/],
  ['features', /^(search|uploads|access)\/|^webhooks\/schema\.ts$/],
  ['jobs', /^jobs\//],
  ['webhooks', /^webhooks\//],
  ['provider', /^operations\/[^/]+\/providers\//],
  ['operations', /^operations\//],
  ['assets', /^assets\//],
  ['connections', /^redis\.ts$/],
  ['tools', /^(compute|storage|database|queue|http)\/|^(events|rates|seats)\.ts$/],
];
const order = ['start', 'graphql', 'operation schema', 'features', 'jobs', 'webhooks', 'operations', 'provider', 'assets', 'builder', 'app', 'tools', 'connections', 'ground'];

const placeOf = (file: string) => places.find(([, pattern]) => pattern.test(file))?.[0];
const toolOf = (file: string) => file.split('/')[0]!;

interface Import {
  file: string;
  target: string;
  isType: boolean;
}
const imports: Import[] = files.flatMap((file) => {
  const text = readFileSync(join(src, file), 'utf8');
  return [...text.matchAll(/^(?:import|export)\s+(type\s)?[^;]*?from\s+'([^']+)'|^import\s+'([^']+)'|import\('([^']+)'\)/gm)].map(([, type, from, bare, lazy]) => {
    const name = (from ?? bare ?? lazy)!;
    return { file, isType: Boolean(type), target: name.startsWith('.') ? relative(src, join(src, dirname(file), name)) : name };
  });
});
const internal = imports.filter(({ target }) => target.endsWith('.ts') && !target.startsWith('database/generated/'));

test('every file has its place in the house', () => {
  expect(files.filter((file) => placeOf(file) === undefined)).toEqual([]);
  expect(imports.length).toBeGreaterThan(200);
});

test('a file imports only to the right, and the type App from everywhere', () => {
  const wrong = internal.filter(({ file, target, isType }) => {
    if (target === 'app.ts' && isType) return false;
    // An operation's provider list points at its providers; a provider knows the contract, a vendor that many operations share, and what its operation says a provider is.
    if (placeOf(file) === 'provider') return placeOf(target) === 'operations' && dirname(dirname(file)) !== dirname(target) && !['operations/define.ts', 'operations/fal.ts'].includes(target);
    return order.indexOf(placeOf(file)!) > order.indexOf(placeOf(target)!);
  });
  expect(wrong).toEqual([]);
});

test('tools do not know each other', () => {
  const wrong = internal.filter(({ file, target }) => placeOf(file) === 'tools' && placeOf(target) === 'tools' && toolOf(file) !== toolOf(target));
  expect(wrong).toEqual([]);
});

test('a provider sees no database, queue, storage or graph', () => {
  const wrong = internal.filter(({ file, target }) => placeOf(file) === 'provider' && /^(database|queue|storage|jobs|assets|graphql|search|uploads|access|events|redis|app)/.test(target));
  expect(wrong).toEqual([]);
});

test('a vendor is known to one place', () => {
  const homes: [RegExp, RegExp][] = [
    [/^ioredis$/, /^redis\.ts$/],
    [/^rate-limiter-flexible$/, /^rates\.ts$/],
    [/^bee-queue/, /^queue\/bee\.ts$/],
    [/^sharp$|^zxing-wasm|^thumbhash$|^culori/, /^compute\//],
    [/^music-metadata$/, /^compute\/audio\.ts$/],
    [/^minio$/, /^storage\/s3\.ts$/],
    [/^@azure\//, /^operations\/analyze\/providers\/azure-vision\.ts$/],
    [/^@prisma\/|^pg$|^@electric-sql\/|^pglite-prisma-adapter$/, /^database\//],
    [/^yazl$/, /^assets\/zip\.ts$/],
    [/^pino$/, /^log\.ts$/],
    [/^@tus\//, /^uploads\/resumable\.ts$/],
    [/^ipaddr\.js$/, /^http\/guard\.ts$/],
    [/^jose$/, /^access\//],
    [/^(graphql-yoga|graphql-ws|ws|@fastify\/busboy|@graphql-yoga\/)/, /^graphql\//],
  ];
  const wrong = imports.filter(({ file, target }) => homes.some(([vendor, home]) => vendor.test(target) && !home.test(file)));
  expect(wrong).toEqual([]);
});

test('only main.ts reads the environment, and nobody writes to the console', () => {
  const reads = files.filter((file) => file !== 'main.ts' && /process\.env\b|console\./.test(readFileSync(join(src, file), 'utf8')));
  expect(reads).toEqual([]);
});

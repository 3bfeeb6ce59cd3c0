import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { bindMigrationAwareSqlAdapterFactory, type SqlDriverAdapter } from '@prisma/driver-adapter-utils';
import type { SchemaEngine } from '@prisma/schema-engine-wasm';

/** Prisma's own schema engine as WebAssembly: no download, no child process. `shadow` gives an empty database to replay migrations in. */
export async function openEngine(adapter: SqlDriverAdapter, schema: { path: string; content: string }, shadow = refuseShadow): Promise<SchemaEngine> {
  const { SchemaEngine } = await (shared.darkroomSchemaEngine ??= load());
  const factory = bindMigrationAwareSqlAdapterFactory({
    provider: adapter.provider,
    adapterName: adapter.adapterName,
    connect: () => Promise.resolve(adapter),
    connectToShadowDb: shadow,
  });
  return SchemaEngine.new({ datamodels: [[schema.path, schema.content]] }, () => {}, factory);
}
const refuseShadow = (): Promise<SqlDriverAdapter> => Promise.reject(new Error('Expected no need for a shadow database here'));

/** The part that is used here; its types belong to the browser's, which are not loaded. */
interface WebAssemblyApi {
  instantiate(bytes: Uint8Array, imports: Record<string, object>): Promise<{ instance: { exports: { __wbindgen_start(): void } } }>;
}
const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyApi };

// One for the whole process, also where this module is loaded twice (as by a test runner): the package's glue holds a single memory,
// and a second `__wbg_set_wasm` would pull it away from the first.
const shared = globalThis as { darkroomSchemaEngine?: ReturnType<typeof load> };

/** What the package's own entry does with a bundler: Node 20 cannot import a .wasm file. */
async function load() {
  const glue = await import('@prisma/schema-engine-wasm/schema_engine_bg');
  const folder = dirname(createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm'));
  const { instance } = await WebAssembly.instantiate(await readFile(join(folder, 'schema_engine_bg.wasm')), { './schema_engine_bg.js': glue });
  glue.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  return glue;
}

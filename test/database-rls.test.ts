import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startPostgres, type PostgresServer } from '../bin/services/postgres.ts';
import type { Prisma } from '../src/database/generated/client.ts';
import { openDatabase, type Database } from '../src/database/open.ts';
import { createLog, type Log } from '../src/log.ts';

let folder: string;
let server: PostgresServer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'darkroom-rls-'));
  server = await startPostgres({ dir: join(folder, 'postgres') });
}, 300_000);
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});
const open = (url?: string, log: Log = createLog('silent')) => openDatabase({ DATABASE_URL: url, DATA_DIR: join(folder, 'data'), DB_POOL_SIZE: 5, DB_STATEMENT_TIMEOUT: 10_000 }, log);

type Client = Prisma.TransactionClient;
const readerRole = 'darkroom_reader';

/** The work as another role does it, for the viewer that it names, if any. */
function asReader<Result>({ db }: Database, viewer: string | null, work: (tx: Client) => Promise<Result>): Promise<Result> {
  return db.$transaction(async (tx) => {
    await tx.$executeRawUnsafe(`set local role ${readerRole}`);
    if (viewer !== null) await tx.$queryRaw`select set_config('darkroom.viewer_id', ${viewer}, true)`;
    return work(tx);
  });
}

/** Two rows in every table, one for each asset, all of them the owner's. */
async function fill({ db }: Database, owner: string): Promise<void> {
  const job = await db.job.create({ data: { id: randomUUID(), ownerId: owner, operation: 'analyze', provider: 'local', parameters: {}, maxFailures: 3, cacheKey: '0'.repeat(64) } });
  await db.$executeRaw`update job set status = 'PROCESSING', attempt = 1, lease_until = now() where id = ${job.id}::uuid`;
  const ids = [randomUUID(), randomUUID()];
  for (const [position, id] of ids.entries()) {
    await db.asset.create({
      data: {
        id, ownerId: owner, kind: 'AUDIO', filename: 'a.wav', contentType: 'audio/wav', byteSize: 1, sha256: String(position).repeat(64), storageKey: `originals/${id}`,
        inputOf: { create: { jobId: job.id, position } },
        analyses: { create: { id: randomUUID(), ownerId: owner, provider: 'local', modelVersion: '1', facts: {} } },
        tags: { create: { ownerId: owner, name: 'red', source: 'user', confidence: 1 } },
        colors: { create: { ownerId: owner, position: 0, name: 'red', l: 1, a: 0, b: 0, share: 1 } },
        searchDocument: { create: { ownerId: owner, title: 'red' } },
      },
    });
    await db.$executeRaw`insert into image_hash values (${id}::uuid, ${owner}, repeat('1', 256)::bit(256), repeat('1', 256)::bit(256), 100)`;
    await db.$executeRaw`insert into image_vector values (${id}::uuid, 'vd1', ${owner}, array_fill(1, array[256])::vector)`;
  }
  await db.upload.create({ data: { id: randomUUID(), ownerId: owner, filename: 'a.jpg', byteSize: 1, expiresAt: new Date(), assetId: ids[0] } });
  await db.$executeRaw`insert into near_duplicate values (${ids[0]}::uuid, ${ids[1]}::uuid, ${owner}, 0, 1), (${ids[1]}::uuid, ${ids[0]}::uuid, ${owner}, 0, 1)`;
}

/** Every table of Darkroom, whether a role that is not its owner is bound by policies there, and whether rows have an owner of their own. */
const tablesOf = ({ db }: Database) => db.$queryRaw<{ name: string; bound: boolean; forced: boolean; owned: boolean; policies: string[] }[]>`
  select relname::text as name, relrowsecurity as bound, relforcerowsecurity as forced,
    exists (select from pg_attribute where attrelid = pg_class.oid and attname = 'owner_id' and not attisdropped) as owned,
    coalesce((select array_agg(polcmd::text || ': ' || pg_get_expr(polqual, polrelid)) from pg_policy where polrelid = pg_class.oid), '{}') as policies
  from pg_class where relkind in ('r', 'p') and relnamespace = current_schema()::regnamespace and relname <> '_prisma_migrations' order by relname`;

describe.each(['pglite', 'postgres'] as const)('on %s', (kind) => {
  let database: Database;
  let names: string[];
  const countsOf = async (tx: Client): Promise<Record<string, number>> => {
    const counts = names.map((name) => `select '${name}' as name, count(*)::int as rows from ${name}`).join(' union all ');
    const rows = await tx.$queryRawUnsafe<{ name: string; rows: number }[]>(counts);
    return Object.fromEntries(rows.map((row) => [row.name, row.rows]));
  };
  const each = (rows: number) => Object.fromEntries(names.map((name) => [name, rows]));

  beforeAll(async () => {
    database = await open(kind === 'postgres' ? await server.createDatabase() : undefined);
    const granted = await database.db.$queryRaw<{ name: string }[]>`select table_name::text as name from information_schema.table_privileges where grantee = ${readerRole} and privilege_type = 'SELECT' order by 1`;
    names = granted.map(({ name }) => name);
    for (const owner of ['alice', 'bob']) await fill(database, owner);
  });
  afterAll(() => database.close());

  test('every table is closed to other roles, and rows that have an owner are for that owner', async () => {
    const tables = await tablesOf(database);
    expect(tables.filter(({ bound }) => !bound).map(({ name }) => name)).toEqual([]);
    const forOwner = /^r: \(owner_id = NULLIF\(current_setting\('darkroom\.viewer_id'::text, true\), ''::text\)\)$/;
    expect(tables.filter(({ owned, policies }) => owned && !(policies.length === 1 && forOwner.test(policies[0]!)))).toEqual([]);
    expect(names.length).toBeGreaterThanOrEqual(12);
    expect(tables.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
  });

  test('Darkroom itself, who owns the tables, sees everything whatever the setting says', async () => {
    expect((await tablesOf(database)).filter(({ forced }) => forced)).toEqual([]);
    expect(await database.db.$queryRaw`select owner_id as owner, count(*)::int as assets from asset group by 1 order by 1`).toEqual([{ owner: 'alice', assets: 2 }, { owner: 'bob', assets: 2 }]);
  });

  test('who names no viewer sees nothing, also on a connection where somebody else has named one before', async () => {
    expect(await asReader(database, null, countsOf)).toEqual(each(0));
    await asReader(database, 'alice', countsOf);
    // PGlite has one connection, and a pool gives back one that was used.
    await Promise.all(Array.from({ length: 5 }, async () => expect(await asReader(database, null, countsOf)).toEqual(each(0))));
    expect(await asReader(database, '', countsOf)).toEqual(each(0));
    expect(await asReader(database, 'ALICE', countsOf)).toEqual(each(0));
  });

  test('who names a viewer sees that viewer\'s rows only, in every table', async () => {
    const all = await database.db.$transaction(countsOf);
    const counts = await asReader(database, 'alice', countsOf);
    for (const name of names) {
      expect(counts[name], name).toBeGreaterThan(0);
      expect(counts[name]! * 2, name).toBe(all[name]);
    }
    const owned = (await tablesOf(database)).filter((table) => table.owned && names.includes(table.name));
    for (const { name } of owned) {
      expect(await asReader(database, 'alice', (tx) => tx.$queryRawUnsafe(`select distinct owner_id from ${name}`)), name).toEqual([{ owner_id: 'alice' }]);
    }
    expect(await asReader(database, 'alice', (tx) => tx.$queryRaw`select distinct asset.owner_id from job_input join asset on asset.id = asset_id`)).toEqual([{ owner_id: 'alice' }]);
  });

  test('a reader writes nothing, not even where it is granted everything by mistake', async () => {
    const before = await database.db.$transaction(countsOf);
    await expect(asReader(database, 'alice', (tx) => tx.$executeRaw`delete from asset`)).rejects.toThrow(/permission denied/);
    const grant = (verb: string) => database.db.$executeRawUnsafe(`${verb} all on all tables in schema public ${verb === 'grant' ? 'to' : 'from'} ${readerRole}`);
    await grant('grant');
    try {
      for (const name of names) expect(await asReader(database, 'alice', (tx) => tx.$executeRawUnsafe(`delete from ${name}`)), name).toBe(0);
      expect(await asReader(database, 'alice', (tx) => tx.$executeRaw`update asset set owner_id = 'bob'`)).toBe(0);
      await expect(asReader(database, 'alice', (tx) => tx.$executeRaw`insert into image_tag select asset_id, owner_id, 'mine', source, confidence from image_tag`)).rejects.toThrow(/row-level security/);
    } finally {
      await grant('revoke');
      await database.db.$executeRawUnsafe(`grant select on ${names.join(', ')} to ${readerRole}`);
    }
    expect(await database.db.$transaction(countsOf)).toEqual(before);
  });
});

describe('who migrates', () => {
  const query = async (url: string, sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(sql).finally(() => client.end());
  };

  test('may be unable to make roles: the log says so, and Darkroom starts', async () => {
    // A server of its own, in which nobody has made the role yet.
    const strict = await startPostgres({ dir: join(folder, 'strict') });
    try {
      const url = new URL(await strict.createDatabase());
      await query(url.href, `create role tenant login; alter database ${url.pathname.slice(1)} owner to tenant; create extension vector; grant all on schema public to tenant`);
      url.username = 'tenant';
      const lines: string[] = [];
      const database = await open(url.href, pino(new Writable({ write: (line, _encoding, done) => { lines.push(String(line)); done(); } })));
      await fill(database, 'alice');
      expect(await database.db.asset.count()).toBe(2);
      expect(await database.db.$queryRaw`select 1 from pg_roles where rolname = ${readerRole}`).toEqual([]);
      await database.close();
      expect(lines.join('')).toContain('The role darkroom_reader was not made, because tenant may not create roles. Darkroom works without it.');
    } finally {
      await strict.stop();
    }
  });

  test('is the owner: a program that connects as somebody else, whom policies would blind, refuses to start', async () => {
    const url = new URL(await server.createDatabase());
    await (await open(url.href)).close();
    await query(url.href, 'create role lodger login; grant all on all tables in schema public to lodger');
    url.username = 'lodger';
    await expect(open(url.href)).rejects.toThrow(/^Expected the role of DATABASE_URL to own the tables of Darkroom, but row-level security hides rows of analysis, api_key, asset, .* from lodger\. Connect as their owner/);
    await query(url.href.replace('lodger', 'postgres'), 'alter role lodger bypassrls');
    await (await open(url.href)).close();
  });

  test('may be many at once on one server: each database is migrated, and there is one role', async () => {
    const strict = await startPostgres({ dir: join(folder, 'many') });
    try {
      const urls = await Promise.all(Array.from({ length: 4 }, () => strict.createDatabase()));
      const databases = await Promise.all(urls.map((url) => open(url)));
      for (const database of databases) expect(await asReader(database, 'alice', (tx) => tx.asset.count())).toBe(0);
      await Promise.all(databases.map((database) => database.close()));
    } finally {
      await strict.stop();
    }
  });
});

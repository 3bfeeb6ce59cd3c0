import { PGlite } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite-pgvector';
import type { IsolationLevel, SqlDriverAdapter, SqlMigrationAwareDriverAdapterFactory, Transaction } from '@prisma/driver-adapter-utils';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { preparedQueries, type Query } from './pglite-query.ts';

/** An embedded Postgres with pgvector, in a folder or, without one, in memory. Queries run on this thread, one after another. */
export function openPglite(folder?: string): Promise<PGlite> {
  return PGlite.create({ dataDir: folder ?? 'memory://', extensions: { vector } });
}

/** Prisma's way to an open PGlite. The shadow database it offers is a fresh one in memory. */
export function pgliteAdapter(pglite: PGlite): SqlMigrationAwareDriverAdapterFactory {
  const queries = preparedQueries(pglite);
  return {
    provider: 'postgres',
    adapterName: 'pglite-prisma-adapter',
    connect: () => connect(pglite, queries),
    connectToShadowDb: shadowDatabase,
  };
}

/** An empty database with pgvector at hand, in memory, gone when it is disposed. */
export async function shadowDatabase(): Promise<SqlDriverAdapter> {
  const pglite = await openPglite();
  return Object.assign(await connect(pglite, preparedQueries(pglite)), { dispose: () => pglite.close() });
}

/**
 * pglite-prisma-adapter 0.7.2 reports a COMMIT that failed as done, sets the isolation level before BEGIN, where it is lost,
 * and does not wait for a script, so that a migration that failed counts as applied. This puts the three right.
 */
async function connect(pglite: PGlite, { outside, inside }: ReturnType<typeof preparedQueries>): Promise<SqlDriverAdapter> {
  const adapter = await new PrismaPGlite(asDatabase(outside)).connect();
  return Object.assign(adapter, {
    executeScript: (script: string) => pglite.exec(script).then(() => {}, (error) => asDriverError(adapter, error)),
    startTransaction: (isolationLevel?: IsolationLevel) => startTransaction(pglite, inside, isolationLevel),
  });
}

async function startTransaction(pglite: PGlite, query: Query, isolationLevel?: IsolationLevel): Promise<Transaction> {
  return new Promise((resolve, reject) => {
    const done = pglite.transaction(async (inner) => {
      const adapter = await new PrismaPGlite(asDatabase(query)).connect();
      const run = (sql: string) => inner.exec(sql).then(() => {}, (error) => asDriverError(adapter, error));
      if (isolationLevel) await run(`SET TRANSACTION ISOLATION LEVEL ${isolationLevel}`);
      await new Promise<void>((end) => {
        const ended = () => {
          end();
          return done.catch((error) => asDriverError(adapter, error));
        };
        resolve({
          provider: 'postgres',
          adapterName: adapter.adapterName,
          options: { usePhantomQuery: true },
          queryRaw: (query) => adapter.queryRaw(query),
          executeRaw: (query) => adapter.executeRaw(query),
          createSavepoint: (name) => run(`SAVEPOINT ${name}`),
          rollbackToSavepoint: (name) => run(`ROLLBACK TO SAVEPOINT ${name}`),
          releaseSavepoint: (name) => run(`RELEASE SAVEPOINT ${name}`),
          commit: ended,
          rollback: () => inner.rollback().then(ended, ended),
        });
      });
    });
    // Until the transaction has begun this is the answer; afterwards `commit` and `rollback` give it.
    done.catch(reject);
  });
}

/** The adapter asks nothing but `query` of a database. */
const asDatabase = (query: Query) => ({ query }) as unknown as PGlite;

/** The adapter's own translation of a Postgres error into one that Prisma has a code for. */
const asDriverError = (adapter: SqlDriverAdapter, error: unknown) => (adapter as unknown as { onError(error: unknown): never }).onError(error);

import type { SqlDriverAdapter, SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { PrismaPg } from '@prisma/adapter-pg';
import type { Pool, PoolConfig } from 'pg';
import type { Log } from '../log.ts';
import { nameStatements } from './statement-names.ts';

export interface PostgresSettings {
  DATABASE_URL: string;
  DB_POOL_SIZE: number;
  /** Milliseconds. */
  DB_STATEMENT_TIMEOUT: number;
}

/** Prisma's way to Postgres: a pool in which neither a statement, an idle transaction nor a connection attempt can hang for ever. */
export function postgresAdapter(settings: PostgresSettings, log: Log): SqlMigrationAwareDriverAdapterFactory {
  return adapter(settings.DATABASE_URL, log, {
    max: settings.DB_POOL_SIZE,
    statement_timeout: settings.DB_STATEMENT_TIMEOUT,
    idle_in_transaction_session_timeout: settings.DB_STATEMENT_TIMEOUT,
  });
}

/** One connection that may work as long as a migration takes, but does not wait for ever behind another's locks. */
export async function connectForMigrations(url: string, log: Log): Promise<SqlDriverAdapter> {
  const connection = await adapter(url, log, { max: 1, idleTimeoutMillis: 0, lock_timeout: 300_000 }).connect();
  const pool = (connection as unknown as { underlyingDriver(): Pool }).underlyingDriver();
  // What a migration has to say to the operator.
  pool.on('connect', (client) => client.on('notice', ({ message }) => log.info(`Postgres: ${message}`)));
  await pool.query('SELECT 1').catch(async (cause: unknown) => {
    await connection.dispose();
    const { host, pathname } = new URL(url);
    throw new Error(`Expected a Postgres at ${host}${pathname} but received "${String(cause)}". Check DATABASE_URL.`, { cause });
  });
  // adapter-pg 7.10.0 cuts a script at every semicolon, also inside a function body, and runs the parts one by one.
  return Object.assign(connection, { executeScript: async (script: string) => void (await pool.query(script)) });
}

function adapter(url: string, log: Log, config: PoolConfig): PrismaPg {
  const warn = (error: Error) => log.warn({ err: error }, 'a connection to Postgres broke');
  return new PrismaPg(
    { ...config, connectionString: inUtc(url), connectionTimeoutMillis: 10_000, keepAlive: true, keepAliveInitialDelayMillis: 10_000, application_name: 'darkroom' },
    { onPoolError: warn, onConnectionError: warn, ...(!isPooled(url) && { statementNameGenerator: nameStatements() }) },
  );
}

/** A pooler that hands connections about, and so has no use for plans that one of them keeps, says so in its URL, as Prisma has it. */
const isPooled = (url: string) => new URL(url).searchParams.get('pgbouncer') === 'true';

/** adapter-pg drops the offset of a timestamp, which is right in UTC alone; a server may have another time zone as its default. */
function inUtc(url: string): string {
  const parsed = new URL(url);
  parsed.searchParams.set('options', `${parsed.searchParams.get('options') ?? ''} -c timezone=UTC`.trim());
  return parsed.href;
}

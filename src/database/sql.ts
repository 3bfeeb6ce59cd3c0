import { type ArgType, ColumnTypeEnum, type SqlDriverAdapter, type SqlQueryable } from '@prisma/driver-adapter-utils';
import { Prisma } from './generated/client.ts';

/** Where hand-written SQL runs: Prisma's client, one of its transactions, or, past the client, `directSql`. */
export interface Sql {
  $queryRaw<Rows>(statement: TemplateStringsArray | Prisma.Sql, ...values: unknown[]): Promise<Rows>;
  $executeRaw(statement: TemplateStringsArray | Prisma.Sql, ...values: unknown[]): Promise<number>;
}

/** Straight on the driver that Prisma's client uses. A statement is never part of a transaction that somebody else has begun. */
export interface DirectSql extends Sql {
  /** All that `work` says to the `Sql` it is given, or nothing if it rejects. */
  transaction<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result>;
}

/**
 * Statements with the same templates, and the same values in their rows, as Prisma's client has them: what the client does around a raw statement
 * costs four times the statement itself.
 */
export function directSql(driver: SqlDriverAdapter): DirectSql {
  return {
    ...statements(driver),
    async transaction(work) {
      const transaction = await driver.startTransaction();
      // Some drivers leave the statement to whoever ends the transaction.
      const say = async (sql: string) => transaction.options.usePhantomQuery || (await transaction.executeRaw({ sql, args: [], argTypes: [] }));
      try {
        const result = await work(statements(transaction));
        await say('COMMIT');
        await transaction.commit();
        return result;
      } catch (error) {
        // What went wrong is told, and not that the connection is gone for the rollback too.
        await say('ROLLBACK').catch(() => {});
        await transaction.rollback().catch(() => {});
        throw error;
      }
    },
  };
}

function statements(driver: SqlQueryable): Sql {
  return {
    async $queryRaw<Rows>(statement: TemplateStringsArray | Prisma.Sql, ...values: unknown[]) {
      const { columnNames, columnTypes, rows } = await driver.queryRaw(queryOf(statement, values));
      const readers = columnTypes.map((type) => readersByType[type]);
      return rows.map((row) => {
        const named: Record<string, unknown> = {};
        for (let index = 0; index < columnNames.length; index++) {
          const value = row[index];
          const read = readers[index];
          named[columnNames[index]!] = value === null || !read ? value : read(value);
        }
        return named;
      }) as Rows;
    },
    $executeRaw: (statement, ...values) => driver.executeRaw(queryOf(statement, values)),
  };
}

const scalar: ArgType = { scalarType: 'unknown', arity: 'scalar' };
const list: ArgType = { scalarType: 'unknown', arity: 'list' };

function queryOf(statement: TemplateStringsArray | Prisma.Sql, values: unknown[]) {
  const { text, values: args } = 'raw' in statement ? Prisma.sql(statement, ...values) : statement;
  return { sql: text, args, argTypes: args.map((arg) => (Array.isArray(arg) ? list : scalar)) };
}

/** The driver leaves these as text, for Prisma's client to read. */
const readersByType: Partial<Record<number, (value: unknown) => unknown>> = {
  [ColumnTypeEnum.Int64]: (value) => BigInt(value as string),
  [ColumnTypeEnum.DateTime]: (value) => new Date(value as string),
  [ColumnTypeEnum.Json]: (value) => (typeof value === 'string' ? (JSON.parse(value) as unknown) : value),
};

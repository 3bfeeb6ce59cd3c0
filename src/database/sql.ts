import { type ArgType, ColumnTypeEnum, type SqlQueryable } from '@prisma/driver-adapter-utils';
import { Prisma } from './generated/client.ts';

/** Where hand-written SQL runs: Prisma's client, one of its transactions, or, past the client, `directSql`. */
export interface Sql {
  $queryRaw<Rows>(statement: TemplateStringsArray | Prisma.Sql, ...values: unknown[]): Promise<Rows>;
  $executeRaw(statement: TemplateStringsArray | Prisma.Sql, ...values: unknown[]): Promise<number>;
}

/**
 * One statement straight on the driver that Prisma's client uses, with the same templates and the same values in its rows: what the client
 * does around a raw statement costs four times the statement itself. It is never part of a transaction that somebody else has begun.
 */
export function directSql(driver: SqlQueryable): Sql {
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

import { parse, type PGlite, protocol, type QueryOptions, type Results } from '@electric-sql/pglite';
import { nameStatements } from './statement-names.ts';

export type Query = (sql: string, values?: unknown[], options?: QueryOptions) => Promise<Results>;

const { serialize } = protocol;

/**
 * `query` as PGlite's own, but a statement is planned once and then takes one exchange in place of six, which is a third of its time.
 * `outside` is for statements of their own, `inside` for those of the transaction that is open.
 */
export function preparedQueries(pglite: PGlite): { outside: Query; inside: Query } {
  const nameOf = nameStatements();
  const planned = new Map<string, number[]>();
  const send = (...messages: Uint8Array[]) => pglite.execProtocolStream(Buffer.concat([...messages, serialize.sync()]), { syncToFs: false });

  /** The types of a statement's parameters. One without a name is forgotten with the next one without a name. */
  async function plan(name: string, sql: string): Promise<number[]> {
    const known = name ? planned.get(name) : undefined;
    if (known) return known;
    const types = parse.parseDescribeStatementResults(await send(serialize.parse({ name, text: sql }), serialize.describe({ type: 'S', name })));
    if (name) planned.set(name, types);
    return types;
  }

  const parsersOf = mergedParsers(pglite);
  const inside: Query = (sql, values = [], { parsers, ...options } = {}) =>
    pglite.runExclusive(async () => {
      const name = nameOf({ sql });
      const types = await plan(name, sql);
      const texts = values.map((value, index) => (value == null ? null : (pglite.serializers[types[index]!] ?? String)(value)));
      const messages = await send(serialize.bind({ statement: name, values: texts }), serialize.describe({ type: 'P' }), serialize.execute());
      return parse.parseResults(messages, parsersOf(parsers), options)[0]!;
    });

  return {
    inside,
    outside: async (sql, values, options) => {
      await pglite._checkReady();
      return pglite._runExclusiveTransaction(async () => {
        const results = await inside(sql, values, options);
        await pglite.syncToFs();
        return results;
      });
    },
  };
}

/** The database's own parsers, and over them those of a caller, who sends the same ones each time: to merge them anew takes longer than many a statement. */
function mergedParsers(pglite: PGlite): (own: QueryOptions['parsers']) => typeof pglite.parsers {
  const merged = new WeakMap<object, typeof pglite.parsers>();
  return (own = {}) => {
    const all = merged.get(own) ?? { ...pglite.parsers, ...own };
    merged.set(own, all);
    return all;
  };
}

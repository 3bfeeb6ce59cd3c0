import { resolveCursorConnection } from '@pothos/plugin-relay';
import { UserError } from './errors.ts';

/** The largest page; a request for more is refused, never cut. */
export const maxPageSize = 100;
export const defaultPageSize = 20;

/** Where a connection can be asked for its rows: without the second, a client that asks for `nodes` had every row read twice. */
export const nodePaths = [['edges', 'node'], ['nodes']];

interface PageArguments {
  first?: number | null;
  last?: number | null;
  after?: string | null;
  before?: string | null;
}

/** Refuses a page that cannot be given as it was asked for. */
export function checkPage({ first, last, after, before }: PageArguments): void {
  for (const [name, size] of [['first', first], ['last', last]] as const) {
    if (size != null && (size < 0 || size > maxPageSize)) {
      throw new UserError('INVALID_INPUT', `Expected ${name} between 0 and ${maxPageSize} but received ${size}`, { hint: 'Ask for the next page with `after: pageInfo.endCursor`' });
    }
  }
  if (first != null && last != null) throw new UserError('INVALID_INPUT', 'Expected `first` or `last` but received both');
  if (after != null && before != null) throw new UserError('INVALID_INPUT', 'Expected `after` or `before` but received both');
}

/** A cursor names the sort value and the id of its row, so it stays good when rows come and go; and its list, where others are sorted by the like. */
export const printCursor = (value: string | number, id: string, list?: string): string => Buffer.from(JSON.stringify(list ? [value, id, list] : [value, id])).toString('base64url');

/** What a list is sorted by. Where Postgres compares, only what it can compare is let through. */
const kinds = {
  time: (value: unknown): value is string => typeof value === 'string' && /^[1-9]\d{3}-/.test(value) && new Date(value).toISOString() === value,
  integer: (value: unknown): value is number => typeof value === 'number' && (value | 0) === value,
  number: (value: unknown): value is number => Number.isFinite(value),
  text: (value: unknown): value is string => typeof value === 'string',
};
export type CursorKind = keyof typeof kinds;
type ValueOf<Kind extends CursorKind> = (typeof kinds)[Kind] extends (value: unknown) => value is infer Value ? Value : never;

export function parseCursor<Kind extends CursorKind>(cursor: string, kind: Kind, list?: string): { value: ValueOf<Kind>; id: string } {
  try {
    const [value, id, itsList] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (kinds[kind](value) && typeof id === 'string' && /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/.test(id) && itsList === list) return { value: value as ValueOf<Kind>, id };
  } catch {
    // Neither JSON nor a time: not ours.
  }
  throw new UserError('INVALID_INPUT', 'Expected a cursor of the same list but received something else', { hint: 'Send `pageInfo.endCursor` of the page before, with the same filter and order' });
}

/** A page of a list with the newest first. It continues behind the cursor's time and id, whether that row still exists or not. */
export function newestFirst<Row extends { id: string; createdAt: Date }>(args: PageArguments, find: (page: { where: object; orderBy: object[]; take: number }) => Promise<Row[]>) {
  checkPage(args);
  return resolveCursorConnection<Promise<Row[]>>(
    { args, defaultSize: defaultPageSize, maxSize: maxPageSize, toCursor: (row) => printCursor(row.createdAt.toISOString(), row.id) },
    ({ after, before, inverted, limit }) => {
      const direction = inverted ? 'asc' : 'desc';
      return find({ where: behindCursor({ after, before }), orderBy: [{ createdAt: direction }, { id: direction }], take: limit });
    },
  );
}

function behindCursor({ after, before }: { after?: string | undefined; before?: string | undefined }) {
  const cursor = after ?? before;
  if (!cursor) return {};
  const { value, id } = parseCursor(cursor, 'time');
  const at = new Date(value);
  return after
    ? { createdAt: { lte: at }, OR: [{ createdAt: { lt: at } }, { id: { lt: id } }] }
    : { createdAt: { gte: at }, OR: [{ createdAt: { gt: at } }, { id: { gt: id } }] };
}

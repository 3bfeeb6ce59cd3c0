import type { ResolveCursorConnectionArgs } from '@pothos/plugin-relay';
import type { App } from '../app.ts';
import type { Asset, Viewer as ViewerRow } from '../database/generated/client.ts';
import { parseCursor, printCursor } from '../keyset.ts';
import { UserError } from '../errors.ts';

/** A viewer as admins see one: the row, and what is stored and running for it. */
export interface Account extends ViewerRow {
  assetCount: number;
  storedBytes: number;
  jobCount: number;
}

type Page = Pick<ResolveCursorConnectionArgs, 'after' | 'before' | 'inverted' | 'limit'>;

/** The rows with their figures, in two queries however many they are. */
export async function withFigures({ db }: App, rows: ViewerRow[]): Promise<Account[]> {
  const ids = rows.map(({ id }) => id);
  const [assets, jobs] = await Promise.all([
    db.$queryRaw<{ id: string; count: number; bytes: number }[]>`select owner_id as id, count(*)::int as count, sum(byte_size)::float8 as bytes from asset where owner_id = any(${ids}) group by owner_id`,
    db.$queryRaw<{ id: string; count: number }[]>`select owner_id as id, count(*)::int as count from job where owner_id = any(${ids}) group by owner_id`,
  ]);
  return rows.map((row) => {
    const stored = assets.find(({ id }) => id === row.id);
    return { ...row, assetCount: stored?.count ?? 0, storedBytes: stored?.bytes ?? 0, jobCount: jobs.find(({ id }) => id === row.id)?.count ?? 0 };
  });
}

/** Viewers in the order of their ids, which never changes while somebody turns the pages. */
export async function findAccounts(app: App, { after, before, inverted, limit }: Page): Promise<Account[]> {
  const rows = await app.db.viewer.findMany({
    where: { id: { gt: after ? readViewerCursor(after) : undefined, lt: before ? readViewerCursor(before) : undefined } },
    orderBy: { id: inverted ? 'desc' : 'asc' },
    take: limit,
  });
  return withFigures(app, rows);
}

export const viewerCursor = ({ id }: { id: string }): string => Buffer.from(id).toString('base64url');

function readViewerCursor(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString();
  if (id && !id.includes('\0') && viewerCursor({ id }) === cursor) return id;
  throw new UserError('INVALID_INPUT', 'Expected a cursor of the same list but received something else', { hint: 'Send `pageInfo.endCursor` of the page before' });
}

/** What a viewer has uploaded, the newest first. */
export function findUploads({ db }: App, ownerId: string, { after, before, inverted, limit }: Page): Promise<Asset[]> {
  const direction = inverted ? 'asc' : 'desc';
  const cursor = after ?? before;
  const beyond = cursor ? beyondCursor(cursor, after ? 'lt' : 'gt') : {};
  return db.asset.findMany({ where: { ownerId, producedById: null, ...beyond }, orderBy: [{ createdAt: direction }, { id: direction }], take: limit });
}

export const uploadCursor = ({ createdAt, id }: Asset): string => printCursor(createdAt.toISOString(), id);

function beyondCursor(cursor: string, side: 'lt' | 'gt') {
  const { value, id } = parseCursor(cursor, 'time');
  const at = new Date(value);
  return { OR: [{ createdAt: { [side]: at } }, { createdAt: at, id: { [side]: id } }] };
}

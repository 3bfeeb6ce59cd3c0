import type { Viewer } from '../access/viewer.ts';
import type { Sql } from '../database/sql.ts';
import { UserError } from '../errors.ts';
import { megabytes } from '../sizes.ts';

/** Bytes of all files of a viewer: uploads, and what jobs have made of them. */
export async function storedBytes(sql: Sql, viewer: Pick<Viewer, 'id'>): Promise<number> {
  // In SQL, because Prisma's sum of an Int ends at 2 GB.
  const [row] = await sql.$queryRaw<{ bytes: number }[]>`select coalesce(sum(byte_size), 0)::float8 as bytes from asset where owner_id = ${viewer.id}`;
  return row!.bytes;
}

interface Wanted {
  limit: number | null;
  viewer: Viewer;
  byteSize: number;
}

/** Refuses a file for which the viewer has no room. */
export async function mustHaveRoom(sql: Sql, { limit, viewer, byteSize }: Wanted): Promise<void> {
  if (limit === null) return;
  const stored = await storedBytes(sql, viewer);
  if (stored + byteSize <= limit) return;
  throw new UserError('QUOTA_EXCEEDED', `Expected files of at most ${megabytes(limit)} together, of which ${megabytes(Math.max(0, limit - stored))} are free, but received ${megabytes(byteSize)}`, {
    hint: 'Delete images that are not needed any more',
  });
}

/** Refuses work that makes more files for a viewer who is full. What is under way meanwhile is not stopped: it may end above the limit. */
export async function mustNotBeFull(sql: Sql, { limit, viewer }: Omit<Wanted, 'byteSize'>): Promise<void> {
  if (limit === null) return;
  const stored = await storedBytes(sql, viewer);
  if (stored < limit) return;
  throw new UserError('QUOTA_EXCEEDED', `Expected files of less than ${megabytes(limit)} together before work that makes more but there are ${megabytes(stored)}`, { hint: 'Delete images that are not needed any more' });
}

/** The same as `mustHaveRoom` before the row is written, one upload of a viewer after the other: however many come at once, none gets past the limit. */
export async function holdRoom(tx: Sql, wanted: Wanted): Promise<void> {
  if (wanted.limit === null) return;
  // A statement of its own: the sum must see what was written while this one waited.
  await tx.$executeRaw`select pg_advisory_xact_lock(hashtextextended(${`room ${wanted.viewer.id}`}, 0))`;
  await mustHaveRoom(tx, wanted);
}

import type { Viewer } from '../access/viewer.ts';
import type { Prisma, PrismaClient } from '../database/generated/client.ts';
import { UserError } from '../errors.ts';

type Client = PrismaClient | Prisma.TransactionClient;

/** Jobs of a viewer that wait or run. */
export async function jobsInFlight(db: Client, viewer: Pick<Viewer, 'id'>): Promise<number> {
  return db.job.count({ where: { ownerId: viewer.id, status: { in: ['PENDING', 'PROCESSING'] } } });
}

export interface Wanted {
  /** Null: there is none. */
  limit: number | null;
  viewer: Viewer;
  jobs: number;
}

/** Refuses jobs for which the viewer has no place in line. */
export async function mustFitInLine(db: Client, { limit, viewer, jobs }: Wanted): Promise<void> {
  if (limit === null || jobs === 0) return;
  const inFlight = await jobsInFlight(db, viewer);
  if (inFlight + jobs <= limit) return;
  throw new UserError('QUOTA_EXCEEDED', `Expected at most ${limit} jobs that wait or run at a time, of which there are ${inFlight}, but received ${jobs} more`, {
    hint: 'Wait until some have ended, or cancel those that are not needed',
  });
}

/** The same before the row is written, one job of a viewer after the other: however many come at once, none gets past the limit. */
export async function holdPlaceInLine(tx: Prisma.TransactionClient, wanted: Wanted): Promise<void> {
  if (wanted.limit === null) return;
  // A statement of its own: the count must see what was written while this one waited.
  await tx.$executeRaw`select pg_advisory_xact_lock(hashtextextended(${`jobs ${wanted.viewer.id}`}, 0))`;
  await mustFitInLine(tx, wanted);
}

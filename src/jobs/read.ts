import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { Prisma } from '../database/generated/client.ts';

/** What tells a watcher whether a job has changed, and ended. */
export const watched = { id: true, seq: true, status: true } as const satisfies Prisma.JobSelect;
type JobSelect = Prisma.JobSelect & typeof watched;
/** With whatever else was selected. */
type WatchedJob = Prisma.JobGetPayload<{ select: typeof watched }>;

const scalars: Record<string, string> = Prisma.JobScalarFieldEnum;
const columnOf = (field: string) => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const asPrismaHasIt = (field: string) => `${columnOf(field)}${field === 'status' ? '::text' : ''} as "${field}"`;

/** Reads a job of the viewer as Prisma's client does; where only columns are selected, past the client, because whoever watches a job reads it after every ring. */
export function jobReader({ db, sql }: Pick<App, 'db' | 'sql'>, viewer: Viewer, id: string, select: JobSelect): () => Promise<WatchedJob | null> {
  const fields = Object.entries(select).filter(([, isSelected]) => isSelected).map(([field]) => field);
  if (!fields.every((field) => field in scalars)) return () => db.job.findFirst({ select, where: { id, ownerId: viewer.id } });
  const statement = Prisma.sql`select ${Prisma.raw(fields.map(asPrismaHasIt).join(', '))} from job where id = ${id}::uuid and owner_id = ${viewer.id}`;
  return async () => (await sql.$queryRaw<WatchedJob[]>(statement))[0] ?? null;
}

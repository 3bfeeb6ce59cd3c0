import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { Prisma, type Job } from '../database/generated/client.ts';

const columnOf = (field: string) => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const columns = Prisma.raw(Object.values(Prisma.JobScalarFieldEnum).map((field) => `${columnOf(field)}${field === 'status' ? '::text' : ''} as "${field}"`).join(', '));

/** A job of the viewer as Prisma's client gives it, without what belongs to it: past the client, because whoever watches a job reads it after every ring. */
export async function readJob({ sql }: Pick<App, 'sql'>, viewer: Viewer, id: string): Promise<Job | null> {
  const [job] = await sql.$queryRaw<Job[]>`select ${columns} from job where id = ${id}::uuid and owner_id = ${viewer.id}`;
  return job ?? null;
}

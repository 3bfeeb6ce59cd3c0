import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import type { JobStatus, Prisma } from '../database/generated/client.ts';
import { UserError } from '../errors.ts';
import { maxPageSize } from '../keyset.ts';
import { jobsWhere, type JobFilterInput } from './schema.ts';

/** What a mutation of many jobs can do something about. */
interface Kind {
  statuses: JobStatus[];
  /** Without a wish in the filter. */
  defaultStatuses: JobStatus[];
  where(app: App, viewer: Viewer): Promise<Prisma.JobWhereInput>;
  /** Before their age. */
  order: Prisma.JobOrderByWithRelationInput[];
}

/** Those that wait go first, so that none of them begins in the place of one that is stopped. */
export const cancellable: Kind = { statuses: ['PENDING', 'PROCESSING'], defaultStatuses: ['PENDING', 'PROCESSING'], where: async () => ({ cancelRequested: false }), order: [{ status: 'asc' }] };

/** A job that was retried stands aside for its retry, whatever became of that: the same work is never started twice. */
export const retriable: Kind = {
  statuses: ['FAILED', 'CANCELLED'],
  defaultStatuses: ['FAILED'],
  order: [],
  async where({ sql }, viewer) {
    const incomplete = await sql.$queryRaw<{ id: string }[]>`
      select id from job where owner_id = ${viewer.id} and status in ('FAILED', 'CANCELLED')
        and input_count > (select count(*) from job_input where job_id = job.id) order by created_at limit 30000`; // Prisma takes no more values
    return { retries: { none: {} }, id: { notIn: incomplete.map(({ id }) => id) } };
  },
};

type GlobalId = { id: string; typename: string };

/** The ids that were sent, or those of the oldest hundred that the filter means; `count` tells how many of these there are now. */
export async function selectJobs(
  app: App,
  viewer: Viewer,
  { ids, filter }: { ids?: GlobalId[] | null; filter?: JobFilterInput | null },
  { statuses, defaultStatuses, where, order }: Kind,
): Promise<{ ids: GlobalId[]; count(): Promise<number> }> {
  if (ids && !filter) {
    if (ids.length > maxPageSize) throw new UserError('INVALID_INPUT', `Expected at most ${maxPageSize} ids but received ${ids.length}`);
    return { ids, count: async () => 0 };
  }
  if (!filter || ids) throw new UserError('INVALID_INPUT', `Expected either ids or filter but received ${ids ? 'both' : 'neither'}`, { hint: 'An empty filter means every job that this can be done with' });
  const wrong = filter.status?.filter((status) => !statuses.includes(status)) ?? [];
  if (wrong.length > 0) throw new UserError('INVALID_INPUT', `Expected a filter with a status of ${statuses.join(' and ')} but received ${wrong.join(', ')}`);
  const wanted = { AND: [jobsWhere(viewer.id, { ...filter, status: filter.status ?? defaultStatuses }), await where(app, viewer)] };
  const rows = await app.db.job.findMany({ where: wanted, select: { id: true }, orderBy: [...order, { createdAt: 'asc' }, { id: 'asc' }], take: maxPageSize });
  return { ids: rows.map(({ id }) => ({ id, typename: 'Job' })), count: () => app.db.job.count({ where: wanted }) };
}

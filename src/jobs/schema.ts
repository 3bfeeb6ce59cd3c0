import { queryFromInfo } from '@pothos/plugin-prisma';
import type { App } from '../app.ts';
import { AssetRef, Image } from '../assets/schema.ts';
import type { Job as JobRow, Prisma } from '../database/generated/client.ts';
import { UserError } from '../errors.ts';
import { builder, asSent, rowId, type Context } from '../graphql/builder.ts';
import { maxPageSize, newestFirst } from '../keyset.ts';
import { OperationName } from '../operations/schema.ts';
import type { JobOptions } from './start.ts';
import { Job, JobStatus } from './types.ts';
import { checkWait, waitForJobs } from './wait.ts';

export const JobFilter = builder.inputType('JobFilter', {
  description: 'Every condition that is given must hold.',
  fields: (t) => ({
    status: t.field({ type: [JobStatus], description: 'Any of these.' }),
    operation: t.field({ type: [OperationName], description: 'Any of these.' }),
    imageId: t.globalID({ for: Image, description: 'Jobs that have this image as an input.' }),
    createdAfter: t.field({ type: 'DateTime' }),
    createdBefore: t.field({ type: 'DateTime' }),
  }),
});
export type JobFilterInput = typeof JobFilter.$inferInput;

/** The rows a filter means; always the viewer's own. */
export function jobsWhere(ownerId: string, filter: JobFilterInput | null | undefined): Prisma.JobWhereInput {
  return {
    ownerId,
    ...(filter?.status && { status: { in: [...new Set(filter.status)] } }),
    ...(filter?.operation && { operation: { in: [...new Set(filter.operation as string[])] } }),
    ...(filter?.imageId && { inputs: { some: { assetId: rowId(filter.imageId) } } }),
    ...((filter?.createdAfter || filter?.createdBefore) && { createdAt: { gt: filter.createdAfter ?? undefined, lt: filter.createdBefore ?? undefined } }),
  };
}

async function jobPage(args: Parameters<typeof newestFirst>[0], { app: { db } }: Context, where: Prisma.JobWhereInput, query: object) {
  const connection = await newestFirst(args, ({ where: behind, ...page }) => db.job.findMany({ ...query, where: { AND: [where, behind] }, ...page }));
  return { ...connection, countAll: () => db.job.count({ where }) };
}

const JobConnection = builder.connectionObject(
  {
    type: Job,
    name: 'JobConnection',
    description: 'Jobs, the newest first.',
    fields: (t) => ({
      totalCount: t.int({ description: 'Of all pages together.', resolve: (connection) => (connection as unknown as { countAll(): Promise<number> }).countAll() }),
    }),
  },
  { name: 'JobEdge' },
);

/** With what tells the place of a job in its list. */
const nodes = { path: ['edges', 'node'], select: { id: true, createdAt: true } };

builder.queryFields((t) => ({
  job: t.prismaField({
    type: Job,
    scope: 'jobs:read',
    nullable: true,
    description: 'One job of the viewer; null when there is none with this id.',
    args: { id: t.arg.globalID({ required: true, for: Job }) },
    resolve: (query, _root, { id }, { app, viewer }) => app.db.job.findFirst({ ...query, where: { id: rowId(id), ownerId: viewer.id } }),
  }),
  jobs: t.field({
    type: JobConnection,
    scope: 'jobs:read',
    description: 'The viewer\'s jobs, the newest first.',
    args: { filter: t.arg({ type: JobFilter }), ...t.arg.connectionArgs() },
    resolve: (_root, { filter, ...args }, context, info) => jobPage(args, context, jobsWhere(context.viewer.id, filter), queryFromInfo({ context, info, ...nodes })) as never,
  }),
}));

builder.prismaObjectField(Image, 'jobs', (t) =>
  t.field({
    type: JobConnection,
    scope: 'jobs:read',
    description: 'Jobs that have this image as an input, the newest first.',
    select: { id: true },
    args: { filter: t.arg({ type: JobFilter }), ...t.arg.connectionArgs() },
    resolve: (image, { filter, ...args }, context, info) =>
      jobPage(args, context, { ...jobsWhere(context.viewer.id, filter), AND: { inputs: { some: { assetId: image.id } } } }, queryFromInfo({ context, info, ...nodes })) as never,
  }),
);

builder.prismaInterfaceField(AssetRef, 'producedBy', (t) => t.relation('producedBy', { nullable: true, description: 'The job whose output this is; null for an upload.' }));

interface Refused {
  id: string;
  code: string;
  message: string;
  hint: string | null;
}

export const Refusal = builder.objectRef<Refused>('JobRefusal').implement({
  description: 'Why nothing was done for one of the ids.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'The id as it was sent.' }),
    code: t.exposeString('code'),
    message: t.exposeString('message'),
    hint: t.exposeString('hint', { nullable: true, description: 'What helps.' }),
  }),
});

export interface StartedJobs {
  jobIds: string[];
  refusals: Refused[];
}

/** The viewer's jobs with these ids, in this order. */
export async function findInOrder({ app, viewer }: Context, query: object, jobIds: string[]): Promise<JobRow[]> {
  const jobs: JobRow[] = await app.db.job.findMany({ ...query, where: { id: { in: jobIds }, ownerId: viewer.id } });
  return jobIds.flatMap((id) => jobs.find((job) => job.id === id) ?? []);
}

export const StartJobsPayload = builder.objectRef<StartedJobs>('StartJobsPayload').implement({
  description: 'One bad id does not spoil the others: each is a job or a refusal.',
  fields: (t) => ({
    jobs: t.prismaField({
      type: [Job],
      resolve: (query, { jobIds }, _args, context) => findInOrder(context, query, jobIds),
    }),
    refusals: t.expose('refusals', { type: [Refusal] }),
  }),
});

/** One job for each image, at most a hundred of them; with `waitMs` all are waited for together. */
export async function startForImages(
  app: App,
  imageIds: readonly { id: string; typename: string }[],
  options: JobOptions | null | undefined,
  start: (id: string, options: JobOptions) => Promise<{ id: string }>,
): Promise<StartedJobs> {
  const { waitMs, ...each } = options ?? {};
  checkWait(waitMs ?? 0);
  if (imageIds.length > maxPageSize) throw new UserError('INVALID_INPUT', `Expected at most ${maxPageSize} imageIds but received ${imageIds.length}`);
  if (each.idempotencyKey && imageIds.length > 1) throw new UserError('INVALID_INPUT', `Expected one image with an idempotencyKey but received ${imageIds.length}`, { hint: 'A key names one job; send a request for each image' });
  const started = await startEach(imageIds, (id) => start(id, each));
  await waitForJobs(app, started.jobIds, waitMs ?? 0);
  return started;
}

/** Starts one job for each id; what the request got wrong for one of them becomes its refusal. */
export async function startEach(ids: readonly { id: string; typename: string }[], start: (id: string) => Promise<{ id: string }>): Promise<StartedJobs> {
  const started: StartedJobs = { jobIds: [], refusals: [] };
  for (const sent of ids) {
    try {
      started.jobIds.push((await start(rowId(sent))).id);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      started.refusals.push({ id: asSent(sent), code: error.code, message: error.message, hint: error.hint ?? null });
    }
  }
  return started;
}

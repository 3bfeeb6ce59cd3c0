import { queryFromInfo } from '@pothos/plugin-prisma';
import { UserError } from '../errors.ts';
import { builder, globalId, rowId } from '../graphql/builder.ts';
import { maxPageSize } from '../keyset.ts';
import { jobReader, watched } from './read.ts';
import { jobsWhere, JobFilter } from './schema.ts';
import { Job, JobStatus } from './types.ts';
import { watchEvents, watchJob, watchJobs, type JobEventRow } from './watch.ts';

const JobEvent = builder.objectRef<JobEventRow>('JobEvent').implement({
  description: 'Something that happened to a job.',
  fields: (t) => ({
    cursor: t.expose('cursor', { type: 'Cursor', description: 'Send the last one you saw as `after` to go on without a gap.' }),
    seq: t.exposeInt('seq', { description: 'Numbers the events of one job 1, 2, 3 … without a gap.' }),
    status: t.expose('status', { type: JobStatus, description: 'The status after this event.' }),
    progress: t.exposeInt('progress', { description: 'Percent after this event.' }),
    stage: t.exposeString('stage', { nullable: true }),
    attempt: t.exposeInt('attempt', { description: '0 before the first attempt.' }),
    at: t.expose('createdAt', { type: 'DateTime' }),
    jobId: t.id({ resolve: (event) => globalId('Job', event.jobId) }),
    job: t.prismaField({
      type: Job,
      description: 'The job as it is now, which may be later than this event.',
      resolve: (query, event, _args, { app, viewer }) => app.db.job.findFirstOrThrow({ ...query, where: { id: event.jobId, ownerId: viewer.id } }),
    }),
  }),
});

builder.subscriptionFields((t) => ({
  job: t.field({
    type: Job,
    scope: 'jobs:read',
    description: 'The job as it is now, then each time it has changed; ends after its end was sent. A reconnect misses nothing: it begins with the state of that moment.',
    args: { id: t.arg.globalID({ required: true, for: Job }) },
    subscribe: (_root, { id }, context, info) => {
      const { app, viewer } = context;
      const { select } = queryFromInfo({ context, info, select: watched });
      return watchJob(app, rowId(id), jobReader(app, viewer, rowId(id), select));
    },
    resolve: (job) => job,
  }),
  jobs: t.field({
    type: Job,
    scope: 'jobs:read',
    description: 'Every unfinished job of the viewer as it is now, then every job of the viewer each time it has changed.',
    args: { filter: t.arg({ type: JobFilter }) },
    subscribe: (_root, { filter }, { app, viewer }) => watchJobs(app, viewer, jobsWhere(viewer.id, filter)),
    resolve: (jobId, _args, context, info) => context.app.db.job.findFirstOrThrow({ ...queryFromInfo({ context, info }), where: { id: jobId, ownerId: context.viewer.id } }),
  }),
  jobEvents: t.field({
    type: JobEvent,
    scope: 'jobs:read',
    description:
      'Every single event, in order, none missing and none twice: first those after the cursor `after`, then live. Without `after`: the whole history of `jobIds`, or without these what happens from now on. With `jobIds` it ends when all of them have ended.',
    args: {
      after: t.arg({ type: 'Cursor', description: 'The cursor of the last event you have seen. One that is ahead of the database, because that was replaced since, is refused with INVALID_INPUT.' }),
      jobIds: t.arg.globalIDList({ for: Job, description: 'Only these jobs, 1 to 100.' }),
    },
    subscribe: (_root, { after, jobIds }, { app, viewer }) => {
      if (jobIds && (jobIds.length === 0 || jobIds.length > maxPageSize)) throw new UserError('INVALID_INPUT', `Expected 1 to ${maxPageSize} jobIds but received ${jobIds.length}`);
      return watchEvents(app, viewer, after ?? null, jobIds?.map(rowId) ?? null);
    },
    resolve: (event) => event,
  }),
}));

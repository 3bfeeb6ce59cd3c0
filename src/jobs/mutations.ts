import { builder, rowId } from '../graphql/builder.ts';
import { cancelJob, type CancelOutcome as Outcome } from './cancel.ts';
import { retryJob } from './retry.ts';
import { findInOrder, JobFilter, Refusal, startEach, type StartedJobs } from './schema.ts';
import { cancellable, retriable, selectJobs } from './selection.ts';
import { Job } from './types.ts';

const CancelOutcome = builder.enumType('CancelOutcome', {
  values: {
    CANCELLED: { description: 'The job had not begun, and never will.' },
    REQUESTED: { description: 'The job is running; it is told to stop and ends as CANCELLED within about two seconds.' },
    ALREADY_FINISHED: { description: 'There was nothing left to cancel; the job is as it ended.' },
  } as const,
});

const CancelJobPayload = builder.objectRef<{ id: string; outcome: Outcome }>('CancelJobPayload').implement({
  fields: (t) => ({
    outcome: t.expose('outcome', { type: CancelOutcome }),
    job: t.prismaField({ type: Job, resolve: (query, { id }, _args, { app, viewer }) => app.db.job.findFirstOrThrow({ ...query, where: { id, ownerId: viewer.id } }) }),
  }),
});

const remaining = 'Jobs that the filter means and this call did not come to: 100 at a time, the oldest first. 0 with `ids`.';

interface CancelledJobs {
  results: { id: string; outcome: Outcome }[];
  refusals: StartedJobs['refusals'];
  remaining: number;
}

const CancelJobsPayload = builder.objectRef<CancelledJobs>('CancelJobsPayload').implement({
  description: 'One bad id does not spoil the others: each is a result or a refusal.',
  fields: (t) => ({
    results: t.expose('results', { type: [CancelJobPayload] }),
    refusals: t.expose('refusals', { type: [Refusal] }),
    remaining: t.exposeInt('remaining', { description: `${remaining} Call again until it is 0.` }),
  }),
});

const RetryJobsPayload = builder.objectRef<StartedJobs & { remaining: number }>('RetryJobsPayload').implement({
  description: 'One bad id does not spoil the others: each is a new job or a refusal.',
  fields: (t) => ({
    jobs: t.prismaField({ type: [Job], description: 'The new jobs; each tells in `retryOf` which one it repeats.', resolve: (query, { jobIds }, _args, context) => findInOrder(context, query, jobIds) }),
    refusals: t.expose('refusals', { type: [Refusal] }),
    remaining: t.exposeInt('remaining', { description: `${remaining} Call again while it is above 0 and \`jobs\` is not empty.` }),
  }),
});

const many = { ids: 'These jobs, at most 100. Give either these or `filter`.', filter: 'All jobs that it means, 100 in one call. Give either this or `ids`.' };

builder.mutationFields((t) => ({
  cancelJob: t.field({
    type: CancelJobPayload,
    scope: 'jobs:write',
    description: 'Stops a job, whether it waits or runs.',
    args: { id: t.arg.globalID({ required: true, for: Job }) },
    resolve: async (_root, { id }, { app, viewer }) => ({ id: rowId(id), outcome: await cancelJob(app, viewer, rowId(id)) }),
  }),
  cancelJobs: t.field({
    type: CancelJobsPayload,
    scope: 'jobs:write',
    description: 'Stops many jobs: those with these ids, or the unfinished ones that a filter means.',
    args: { ids: t.arg.globalIDList({ for: Job, description: many.ids }), filter: t.arg({ type: JobFilter, description: `${many.filter} Its \`status\` may be PENDING and PROCESSING.` }) },
    resolve: async (_root, which, { app, viewer }) => {
      const { ids, count } = await selectJobs(app, viewer, which, cancellable);
      const results: CancelledJobs['results'] = [];
      const { refusals } = await startEach(ids, async (id) => {
        results.push({ id, outcome: await cancelJob(app, viewer, id) });
        return { id };
      });
      return { results, refusals, remaining: await count() };
    },
  }),
  retryJobs: t.field({
    type: RetryJobsPayload,
    scope: 'jobs:write',
    description: 'Runs failed or cancelled jobs again, each as a new job with `retryOf`: those with these ids, or those that a filter means. One of whose inputs one was deleted is refused: a retry is for the same work.',
    args: {
      ids: t.arg.globalIDList({ for: Job, description: many.ids }),
      filter: t.arg({ type: JobFilter, description: `${many.filter} Its \`status\` may be FAILED and CANCELLED, and is FAILED without it. Jobs that were retried before are left out, and so are those of whose inputs one was deleted.` }),
    },
    resolve: async (_root, which, { app, viewer }) => {
      const { ids, count } = await selectJobs(app, viewer, which, retriable);
      // Two who send one filter at the same moment are given the same jobs.
      const started = await startEach(ids, (id) => retryJob(app, viewer, id, { isOnce: Boolean(which.filter) }));
      // What was refused is still there to be counted.
      return { ...started, remaining: Math.max(0, (await count()) - started.refusals.length) };
    },
  }),
}));

import { builder } from '../graphql/builder.ts';

export const JobOptions = builder.inputType('JobOptions', {
  description: 'How to run a job. All of it can be left out.',
  fields: (t) => ({
    provider: t.string({ description: 'Who shall do it: the name of a provider that `operations` calls available, or "auto", which is the first of them. Without it the server\'s default.' }),
    idempotencyKey: t.string({ description: 'The same key gives the same job, however often it is sent. 1 to 200 visible ASCII characters.' }),
    priority: t.int({ description: 'Higher goes first among the viewer\'s own jobs; -100 to 100, 0 without it.' }),
    deadlineSeconds: t.int({ description: 'The job fails with DEADLINE_EXCEEDED when it has not ended by then.' }),
    waitMs: t.int({ defaultValue: 0, description: 'Answer when the work has ended, but after this long at the latest: 0 to 30000 ms. Look at `status`: the job may still be under way.' }),
    webhookUrl: t.string({ description: 'A URL that is told of the end of this job, as a webhook of the viewer: see `webhooks` for its signing secret. One is made where there is none for the URL.' }),
    useCache: t.boolean({ defaultValue: true, description: 'Answer at once where the same work was completed before, by default in the last 24 hours (JOB_CACHE_TTL): the same bytes, operation, parameters, provider and version. Work that still waits or runs answers for no other; requests with one `idempotencyKey` are one job.' }),
  }),
});

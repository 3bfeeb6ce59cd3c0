import { signArchive } from '../assets/archive.ts';
import { findOutputs } from '../assets/outputs.ts';
import { AssetRef, checkExpiresIn, defaultUrlSeconds, expiresInSentence, SignedUrl } from '../assets/schema.ts';
import { failureCodes, failureHints, type FailureCode } from '../errors.ts';
import { builder, rowId } from '../graphql/builder.ts';
import { getOperation } from '../operations/index.ts';
import { OperationRef } from '../operations/schema.ts';

export const JobStatus = builder.enumType('JobStatus', {
  description: 'Where a job is in its life. COMPLETED, FAILED and CANCELLED are ends: a job that has ended never changes.',
  values: {
    PENDING: { description: 'Waits for a worker; also after a failure that is worth another try.' },
    PROCESSING: { description: 'A worker is at it.' },
    COMPLETED: { description: 'Done; the result is there.' },
    FAILED: { description: 'Ended without a result; `failure` says why and what helps.' },
    CANCELLED: { description: 'Ended because the viewer asked for it.' },
  } as const,
});

export const FailureCodeEnum = builder.enumType('FailureCode', {
  description: 'Why work failed. The list is closed.',
  values: Object.fromEntries(Object.entries(failureCodes).map(([code, description]) => [code, { description }])) as Record<FailureCode, { description: string }>,
});

const JobFailure = builder.objectRef<{ code: FailureCode; message: string; hint: string; retryable: boolean }>('JobFailure').implement({
  description: 'Why a job failed, for a program and for a person.',
  fields: (t) => ({
    code: t.expose('code', { type: FailureCodeEnum }),
    message: t.exposeString('message'),
    hint: t.exposeString('hint', { description: 'What helps.' }),
    retryable: t.exposeBoolean('retryable', { description: 'Whether the same job may succeed at another time: see retryJobs.' }),
  }),
});

const AttemptOutcome = builder.enumType('AttemptOutcome', {
  values: {
    COMPLETED: {},
    FAILED: {},
    CANCELLED: {},
    RETRIED: { description: 'Failed; the job went back in line.' },
    RELEASED: { description: 'Given back without fault, as when a worker is stopped.' },
  } as const,
});

builder.prismaObject('JobAttempt', {
  description: 'One try at a job.',
  fields: (t) => ({
    attempt: t.exposeInt('attempt', { description: 'Counts from 1.' }),
    startedAt: t.expose('startedAt', { type: 'DateTime' }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true }),
    outcome: t.field({ type: AttemptOutcome, nullable: true, resolve: (attempt) => attempt.outcome as typeof AttemptOutcome.$inferType | null }),
    failureCode: t.field({ type: FailureCodeEnum, nullable: true, resolve: (attempt) => attempt.failureCode as FailureCode | null }),
    failureMessage: t.exposeString('failureMessage', { nullable: true }),
  }),
});

const JobMetrics = builder.objectRef<{ queuedMs: number | null; processingMs: number | null; peakMemoryMb: number | null }>('JobMetrics').implement({
  description: 'What a job cost.',
  fields: (t) => ({
    queuedMs: t.exposeInt('queuedMs', { nullable: true, description: 'From creation to the first start.' }),
    processingMs: t.exposeInt('processingMs', { nullable: true, description: 'From the first start to the end, waits between attempts included.' }),
    peakMemoryMb: t.exposeFloat('peakMemoryMb', { nullable: true, description: 'Of the child process that touched the pixels.' }),
  }),
});

export const Job = builder.prismaNode('Job', {
  description: 'One run of one operation: input, progress, result or failure.',
  scope: 'jobs:read',
  select: { id: true },
  nullable: true,
  id: { field: 'id' },
  findUnique: (id, { viewer }) => ({ id: rowId({ id }), ownerId: viewer.id }),
  fields: (t) => ({
    operation: t.field({ type: OperationRef, select: { operation: true }, resolve: (job) => getOperation(job.operation) }),
    status: t.field({ type: JobStatus, select: { status: true }, resolve: (job) => job.status }),
    progress: t.exposeInt('progress', { description: 'Percent, 0 to 100. Never goes back within an attempt; 100 only when completed.' }),
    stage: t.exposeString('stage', { nullable: true, description: 'What is being done now, in a word or two.' }),
    provider: t.exposeString('provider', { description: 'Who does it.' }),
    parameters: t.expose('parameters', { type: 'JSON' }),
    inputs: t.field({
      type: [AssetRef],
      description: 'In the order they were given. A deleted asset is missing here.',
      select: (_args, _context, nestedSelection) => ({ inputs: { orderBy: { position: 'asc' }, select: { asset: nestedSelection(true) } } }),
      resolve: (job) => job.inputs.map((input) => input.asset),
    }),
    outputs: t.field({
      type: [AssetRef],
      description: 'Files that the job made, or the same work before it. Some operations make one after the other: each is here as soon as it exists. A deleted asset is missing here.',
      select: { id: true, result: true },
      resolve: (job, _args, { app, viewer }) => findOutputs(app, viewer, job),
    }),
    archiveUrl: t.field({
      type: SignedUrl,
      nullable: true,
      description: 'All outputs as one zip, those that are there now; null when there are none. Made while it is sent: a download that breaks off starts anew.',
      select: { id: true, result: true, operation: true, createdAt: true },
      args: { expiresIn: t.arg.int({ defaultValue: defaultUrlSeconds, description: expiresInSentence }) },
      resolve: async (job, { expiresIn }, { app, viewer }) => {
        const expiresInSeconds = checkExpiresIn(expiresIn ?? defaultUrlSeconds);
        const outputs = await findOutputs(app, viewer, job);
        if (outputs.length === 0) return null;
        return signArchive(app, outputs.map(({ id }) => id), { name: `${job.operation}-${job.createdAt.toISOString().slice(0, 10)}`, expiresInSeconds });
      },
    }),
    failure: t.field({
      type: JobFailure,
      nullable: true,
      description: 'Set when the status is FAILED.',
      select: { status: true, failureCode: true, failureMessage: true, failureHint: true, failureRetryable: true },
      resolve: ({ status, failureCode, failureMessage, failureHint, failureRetryable }) => {
        if (status !== 'FAILED') return null;
        const code = failureCode as FailureCode;
        return { code, message: failureMessage ?? '', hint: failureHint ?? failureHints[code], retryable: failureRetryable ?? false };
      },
    }),
    attempts: t.relation('attempts', { description: 'Every try, the first one first.', query: { orderBy: { attempt: 'asc' } } }),
    cacheHit: t.exposeBoolean('cacheHit', { description: 'The result is that of the same work done before, by default in the last 24 hours: the same bytes, operation, parameters, provider and version.' }),
    retryOf: t.relation('retryOf', { nullable: true, description: 'The ended job that this one repeats.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    startedAt: t.expose('startedAt', { type: 'DateTime', nullable: true, description: 'When the first attempt began.' }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true }),
    deadline: t.expose('deadline', { type: 'DateTime', nullable: true }),
    metrics: t.field({
      type: JobMetrics,
      select: { createdAt: true, startedAt: true, finishedAt: true, peakMemoryBytes: true },
      resolve: ({ createdAt, startedAt, finishedAt, peakMemoryBytes }) => ({
        queuedMs: startedAt && Math.max(0, startedAt.getTime() - createdAt.getTime()),
        processingMs: startedAt && finishedAt && finishedAt.getTime() - startedAt.getTime(),
        peakMemoryMb: peakMemoryBytes === null ? null : Math.round(Number(peakMemoryBytes) / 1e5) / 10,
      }),
    }),
  }),
});

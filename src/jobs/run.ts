import { join } from 'node:path';
import type { App } from '../app.ts';
import { publishOutput, storeOutput, type StoredOutput } from '../assets/outputs.ts';
import { isUnreachable, withRetry } from '../database/retry.ts';
import type { Sql } from '../database/sql.ts';
import type { Prisma } from '../database/generated/client.ts';
import { HandedOver, ProviderError } from '../errors.ts';
import type { Operation, Provider, ProviderResult, Run } from '../operations/define.ts';
import { getOperation, timeoutsOf, versionOf } from '../operations/index.ts';
import { StorageUnavailable } from '../storage/storage.ts';
import { announce } from './announce.ts';
import { newTally, timeAttempt, type AttemptEnd, type Tally } from './ended.ts';
import { toFailure, Unwanted } from './failure.ts';
import { reportProgress } from './progress.ts';
import { openNotes } from './notes.ts';
import { openPublisher } from './publish.ts';
import { closeFolder, inputFile, openFolder } from './spool.ts';
import { storable } from './storable.ts';
import { complete, defer, fail, finishCancelled, release, requestCancel, type ClaimedJob } from './transitions.ts';
import { superviseJob, type Supervision } from './supervise.ts';

/** PGlite runs one transaction at a time, so a busy server queues them. */
const transactionLimits = { timeout: 30_000, maxWait: 30_000 };

/** What an attempt came to is worth waiting for a database that is away; half a minute, and less where a signal says so. */
const patience = { attempts: 35 };

/** A store that is restarted is back after about this long. */
const storeOutageMs = 5_000;

interface Worker {
  stopping: AbortSignal;
  /** Told when what is left is to write down how the attempt ended. */
  isWorkDone(): void;
}

/** Runs one claimed job to the end of its attempt. Never rejects: what goes wrong becomes the job's failure, or is logged and left to the reconciler. */
export async function runJob(app: App, job: ClaimedJob, { stopping, isWorkDone }: Worker): Promise<void> {
  const log = app.log.child({ jobId: job.id, attempt: job.attempt, operation: job.operation, provider: job.provider });
  const ended = timeAttempt(log, job);
  const tally = newTally();
  const supervision = superviseJob(app, job, stopping);
  try {
    await announce(app, job);
    await Promise.race([attempt(app, job, supervision, tally, isWorkDone), supervision.givenUp]);
    ended({ status: 'COMPLETED' }, tally);
  } catch (error) {
    isWorkDone();
    const end = await withRetry<AttemptEnd>(() => settle(app, job, supervision, error), stopping.aborted ? {} : { ...patience, signal: stopping }).catch((cause: unknown) => {
      log.error({ err: cause }, 'The end of this attempt could not be written; its lease runs out and the reconciler takes over');
      return { status: 'UNWRITTEN', failureCode: 'INTERNAL' };
    });
    if (end.failureCode === 'INTERNAL') log.error({ err: error }, 'A fault of ours ended this attempt');
    ended(end, tally);
  } finally {
    await supervision.end();
    // Work that was given up may still write there; the next start of a worker removes what it leaves.
    await closeFolder(app, job).catch((cause: unknown) => log.warn({ err: cause }, 'The folder of this attempt could not be removed'));
    await announce(app, job);
  }
}

/** The happy path: inputs to local files, the provider, and then its answer is kept. */
async function attempt(app: App, job: ClaimedJob, { signal, leaseLost }: Supervision, tally: Tally, isWorkDone: () => void): Promise<void> {
  const { sql, config, compute, http } = app;
  const operation = getOperation(job.operation);
  const provider = operation.providers.find((known) => known.name === job.provider);
  if (!provider) throw new Error(`${job.operation} has no provider ${job.provider}`);

  const { inputs } = job;
  if (inputs.length < job.inputCount) {
    // Whoever deletes an input cancels its jobs first; this one was started between the two.
    await requestCancel(sql, job.id, job.ownerId);
    throw new Unwanted();
  }
  const folder = await openFolder(app, job);
  const files = await Promise.all(
    inputs.map(async ({ storageKey, ...input }, index) => {
      const path = await inputFile(app, storageKey, join(folder, `input-${index}`));
      tally.inputBytes += input.byteSize;
      return { ...input, path };
    }),
  );
  const { published, publish, publishedIds } = await openPublisher(app, job, operation, signal, tally);
  const notes = openNotes(app, job, signal);
  const progress = reportProgress(app, job, leaseLost);
  const run: Run<unknown> = {
    inputs: files,
    parameters: operation.parameters.parse(job.parameters),
    outputFolder: folder,
    signal,
    timeoutMs: timeoutsOf(operation.name, config).softMs,
    published,
    publish,
    ...notes,
    progress: progress.report,
    compute,
    http,
    config,
  };
  signal.throwIfAborted();
  const answer: ProviderResult<unknown> = await provider.run(run).finally(() => progress.end());
  isWorkDone();
  try {
    await keepAnswer(app, job, { operation, provider, answer, publishedIds: publishedIds(), signal, tally });
  } catch (error) {
    if (answer.undo && (await endsWithoutResult(app, job, signal))) await answer.undo();
    throw error;
  }
}

/** Whether this job will never have the result that its work gave; a commit whose answer was lost may stand. */
async function endsWithoutResult({ db }: App, { id, attempt }: ClaimedJob, signal: AbortSignal): Promise<boolean> {
  const row = await db.job.findFirst({ where: { id, attempt, status: { not: 'COMPLETED' } }, select: { cancelRequested: true } });
  return row !== null && (row.cancelRequested || (signal.aborted && !(signal.reason instanceof HandedOver)));
}

interface Work {
  operation: Operation;
  provider: Provider<unknown, unknown>;
  answer: ProviderResult<unknown>;
  publishedIds: string[];
  signal: AbortSignal;
  tally: Tally;
}

/** One commit for everything that the work gave. */
async function keepAnswer(app: App, job: ClaimedJob, { operation, provider, answer, publishedIds: ids, signal, tally }: Work): Promise<void> {
  const { db, sql, config } = app;
  signal.throwIfAborted();
  const outputs: StoredOutput[] = [];
  for (const file of answer.outputs ?? []) outputs.push(await storeOutput(app, file, signal));
  const result = storable(operation.result.parse(withOutputs(answer.result, [...ids, ...outputs.map((output) => output.id)])));
  const modelVersion = versionOf(provider, config);
  const peakMemoryBytes = answer.peakMemoryBytes ?? null;
  tally.peakMemoryBytes = peakMemoryBytes;
  for (const { byteSize } of outputs) tally.outputBytes += byteSize;
  const finished = { id: job.id, ownerId: job.ownerId, provider: provider.name, modelVersion, inputIds: job.inputs.map((input) => input.id) };
  // It may happen twice: after a commit whose answer was lost, the second time finds no row to complete.
  const finish = async (tx: Sql) => {
    // First, because it locks the row: from here on nobody else can end this job.
    if (!(await complete(tx, job, { result, modelVersion, peakMemoryBytes }))) throw new Unwanted();
    await operation.keep?.(tx, finished, result);
  };
  const publishAll = async (tx: Prisma.TransactionClient) => {
    await finish(tx);
    for (const [index, output] of outputs.entries()) await publishOutput(tx, job, ids.length + index, output);
  };
  const commit = () => (outputs.length > 0 ? db.$transaction(publishAll, transactionLimits) : operation.keep ? sql.transaction(finish) : finish(sql));
  await withRetry(commit, { ...patience, signal });
}

/** The result of an operation that makes files names them. */
const withOutputs = (result: unknown, ids: readonly string[]) => (ids.length > 0 ? { ...(result as object), outputs: ids } : result);

/** Writes how an attempt ended that did not complete. */
async function settle(app: App, job: ClaimedJob, { signal, reason }: Supervision, error: unknown): Promise<AttemptEnd> {
  const wasOurs = (written: boolean, status: string): AttemptEnd => ({ status: written ? status : 'LEASE_LOST' });
  if (error instanceof Unwanted || reason() === 'CANCEL') return wasOurs(await finishCancelled(app.sql, job), 'CANCELLED');
  if (reason() === 'LEASE_LOST') return { status: 'LEASE_LOST' };
  if (reason() === 'STOP') return wasOurs(await release(app.sql, job), 'RELEASED');
  if (error instanceof ProviderError && error.deferMs !== undefined && !signal.aborted) {
    return wasOurs(await defer(app.sql, job, { waitMs: error.deferMs, stage: `waiting for ${job.provider}` }), 'DEFERRED');
  }
  // The work is not to blame for an outage of the file store or of the database.
  if (error instanceof StorageUnavailable && !signal.aborted) {
    return wasOurs(await defer(app.sql, job, { waitMs: storeOutageMs, stage: 'waiting for the file store' }), 'DEFERRED');
  }
  if (isUnreachable(error) && !signal.aborted) return wasOurs(await release(app.sql, job), 'RELEASED');
  const failure = toFailure(signal.aborted ? signal.reason : error, job.id);
  const status = await fail(app.sql, job, failure, app.config.JOB_RETRY_DELAY);
  if (status === 'PENDING' || status === 'FAILED') return { status: status === 'PENDING' ? 'RETRIED' : status, failureCode: failure.code };
  return wasOurs(status !== null, 'CANCELLED');
}

import { createHash, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { limitsOf } from '../access/limits/limits.ts';
import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import type { Job, Prisma } from '../database/generated/client.ts';
import { isForeignKeyViolation, isUniqueViolation } from '../database/faults.ts';
import { UserError } from '../errors.ts';
import type { Operation, Provider } from '../operations/define.ts';
import { chooseProvider, makesFiles, versionOf } from '../operations/index.ts';
import { outputIdsOf } from '../assets/outputs.ts';
import { mustNotBeFull } from '../assets/room.ts';
import { announce, nudge } from './announce.ts';
import { holdPlaceInLine, type Wanted } from './in-flight.ts';
import { insertPending, insertTogether, type NewJob, type PendingJob } from './insert.ts';
import { storable } from './storable.ts';
import { checkWait, waitForJobs } from './wait.ts';
import { webhookFor } from '../webhooks/webhook.ts';

export interface JobOptions {
  provider?: string | null;
  idempotencyKey?: string | null;
  priority?: number | null;
  deadlineSeconds?: number | null;
  useCache?: boolean | null;
  waitMs?: number | null;
  webhookUrl?: string | null;
}

/** What the caller of `startJob` needs of the row. */
export type StartedJob = Pick<Job, 'id' | 'ownerId' | 'attempt'>;

/**
 * Starts a job, or answers with the one that is there: the same idempotency key gives the same job, and work that was completed
 * within JOB_CACHE_TTL is completed at once. With `waitMs` it returns when the job has ended, or after that long; the row it gives is that of
 * the start all the same. `inputIds` belong to the viewer: the caller has looked them up.
 */
export async function startJob(app: App, viewer: Viewer, work: Work): Promise<StartedJob> {
  const job = await findOrStart(app, viewer, work);
  await waitForJobs(app, [job.id], work.options?.waitMs ?? 0);
  return job;
}

type Completed = Pick<Job, 'result'>;

interface Work {
  operation: Operation;
  inputIds: string[];
  /** SHA-256 of each input's bytes, where the caller has them at hand. */
  hashes?: string[];
  parameters: unknown;
  options?: JobOptions;
  retryOfId?: string | null;
  /** It belongs to work that was let in, which is asked for a place as a whole: what was stored or made must not end up without it. */
  hasPlace?: boolean;
}

async function findOrStart(app: App, viewer: Viewer, { operation, inputIds, hashes, parameters, options = {}, retryOfId = null, hasPlace = false }: Work): Promise<StartedJob> {
  const { config } = app;
  const checked = parseParameters(operation, parameters);
  checkOptions(options);
  const request = { operation, inputIds, parameters: checked, provider: options.provider === 'auto' ? null : options.provider };
  const earlier = await findByKey(app, viewer, options.idempotencyKey, request);
  if (earlier) return earlier;
  const provider = chooseProvider(operation, options.provider, config);
  const model = await provider.modelChecksum?.(config);
  const inputs = hashes ?? (await hashesOf(app, viewer, inputIds));
  const cacheKey = hashOf([operation.name, inputs, checked, provider.name, versionOf(provider, config), ...(model ? [model] : [])]);
  const known = options.useCache === false ? null : await findCompleted(app, viewer, operation, cacheKey);
  if (!known && makesFiles(operation)) await mustNotBeFull(app.db, { limit: limitsOf(config, viewer).storedBytes, viewer });

  const data: NewJob = {
    id: randomUUID(),
    ownerId: viewer.id,
    operation: operation.name,
    provider: provider.name,
    parameters: checked,
    maxFailures: config.JOB_MAX_FAILURES,
    priority: options.priority ?? 0,
    idempotencyKey: options.idempotencyKey ?? null,
    cacheKey,
    retryOfId,
    webhookId: options.webhookUrl ? await webhookFor(app, viewer, options.webhookUrl) : null,
  };
  try {
    const limit = hasPlace ? null : limitsOf(config, viewer).jobs;
    const job = known ? await createCompleted(app, operation, provider, known, data, inputIds) : await createPending(app, { ...data, inputIds, deadlineSeconds: options.deadlineSeconds ?? null }, { limit, viewer, jobs: 1 });
    // Nobody waits for the bells: a Redis that is silent must not make every request slow.
    if (!known) void nudge(app, job);
    void announce(app, job);
    return job;
  } catch (error) {
    // Two requests with one key at once: the second insert loses and takes the first one's job.
    const winner = isUniqueViolation(error) && (await findByKey(app, viewer, options.idempotencyKey, request));
    if (winner) return winner;
    if (isForeignKeyViolation(error)) missingInput(error);
    throw error;
  }
}

/** What the inputs are, whatever their ids: a picture that was deleted and uploaded again is the same picture. */
async function hashesOf({ sql }: App, viewer: Viewer, inputIds: string[]): Promise<string[]> {
  if (inputIds.length === 0) return [];
  const assets = await sql.$queryRaw<{ id: string; sha256: string }[]>`select id, sha256 from asset where id = any(${inputIds}::uuid[]) and owner_id = ${viewer.id}`;
  const hashes = new Map(assets.map(({ id, sha256 }) => [id, sha256]));
  return inputIds.map((id) => hashes.get(id) ?? missingInput());
}

function missingInput(cause?: unknown): never {
  throw new UserError('NOT_FOUND', 'An input of this job was deleted while the job was being started', { hint: 'Upload it again', cause });
}

async function createPending({ db, sql }: App, job: PendingJob, place: Wanted): Promise<StartedJob> {
  if (place.limit === null) await insertTogether(sql, job);
  else {
    await db.$transaction(async (tx) => {
      await holdPlaceInLine(tx, place);
      await insertPending(tx, [job]);
    });
  }
  return { id: job.id, ownerId: job.ownerId, attempt: 0 };
}

async function createCompleted({ db, config }: App, operation: Operation, provider: Provider<unknown, unknown>, known: Completed, data: NewJob, inputIds: string[]): Promise<StartedJob> {
  const now = new Date();
  const modelVersion = versionOf(provider, config);
  return db.$transaction(async (tx) => {
    const job = await tx.job.create({
      data: {
        ...data,
        parameters: data.parameters as Prisma.InputJsonValue,
        inputCount: inputIds.length,
        inputs: { create: inputIds.map((assetId, position) => ({ assetId, position })) },
        status: 'COMPLETED', progress: 100, result: known.result ?? {}, modelVersion, cacheHit: true, startedAt: now, finishedAt: now,
      },
    });
    const finished = { id: job.id, ownerId: job.ownerId, provider: provider.name, modelVersion, inputIds };
    await operation.keep?.(tx, finished, operation.result.parse(known.result));
    return job;
  });
}

async function findCompleted({ db, sql, config }: App, viewer: Viewer, operation: Operation, cacheKey: string): Promise<Completed | null> {
  const [job] = await sql.$queryRaw<Completed[]>`
    select result from job where owner_id = ${viewer.id} and cache_key = ${cacheKey} and status = 'COMPLETED' and not cache_hit and finished_at > now() - ${config.JOB_CACHE_TTL} * interval '1 ms'
    order by finished_at desc limit 1`;
  if (!job) return null;
  const result = operation.result.parse(job.result);
  const isReusable = (operation.isReusable?.(result) ?? true) && (await haveAll(db, viewer, outputIdsOf(result)));
  return isReusable ? job : null;
}

/** A file of the result may have been deleted since. */
async function haveAll(db: App['db'], viewer: Viewer, assetIds: string[]): Promise<boolean> {
  return assetIds.length === 0 || (await db.asset.count({ where: { id: { in: assetIds }, ownerId: viewer.id } })) === assetIds.length;
}

/** What the client asked for. That settings or versions have changed since makes no other request of it. */
interface Request {
  operation: Operation;
  inputIds: string[];
  parameters: unknown;
  provider: string | null | undefined;
}

async function findByKey({ db }: App, viewer: Viewer, idempotencyKey: string | null | undefined, { operation, inputIds, parameters, provider }: Request): Promise<StartedJob | null> {
  if (!idempotencyKey) return null;
  const job = await db.job.findFirst({ where: { ownerId: viewer.id, idempotencyKey }, include: { inputs: { orderBy: { position: 'asc' } } } });
  if (!job) return null;
  const known = [job.operation, job.inputs.map(({ assetId }) => assetId), operation.parameters.safeParse(job.parameters).data, provider && job.provider];
  if (isDeepStrictEqual(known, [operation.name, inputIds, parameters, provider])) return job;
  throw new UserError('IDEMPOTENCY_MISMATCH', `The idempotency key "${idempotencyKey}" was used for other work before`, { hint: 'Use a new key for new work, and the same key only to repeat the same request' });
}

function parseParameters(operation: Operation, parameters: unknown): unknown {
  const parsed = operation.parameters.safeParse(parameters, { reportInput: true });
  if (parsed.success) return storable(parsed.data);
  throw new UserError('INVALID_INPUT', `The parameters of ${operation.name} are not valid:\n${z.prettifyError({ issues: parsed.error.issues.map(withInput) })}`);
}

/** With what came, where the sentence does not say it. */
function withInput<Issue extends z.core.$ZodIssue>(issue: Issue): Issue {
  const { message, input } = issue;
  if (typeof input === 'object' || input === undefined || /\breceived\b/.test(message)) return issue;
  const came = typeof input === 'string' && input.length > 60 ? `${input.length} characters` : JSON.stringify(input);
  return { ...issue, message: `${message} but received ${came}` };
}

/** Refuses what is out of its range. */
export function checkOptions({ idempotencyKey, deadlineSeconds, priority, waitMs }: JobOptions): void {
  if (idempotencyKey != null && !/^[\x21-\x7e]{1,200}$/.test(idempotencyKey)) {
    const [odd] = /[^\x21-\x7e]/u.exec(idempotencyKey) ?? [];
    throw new UserError('INVALID_INPUT', `Expected idempotencyKey to be 1 to 200 visible ASCII characters but received ${odd ? `${JSON.stringify(odd)} in it` : idempotencyKey.length}`);
  }
  if (deadlineSeconds != null && (deadlineSeconds < 1 || deadlineSeconds > 604_800)) {
    throw new UserError('INVALID_INPUT', `Expected deadlineSeconds between 1 and 604800 (a week) but received ${deadlineSeconds}`);
  }
  checkWait(waitMs ?? 0);
  if (priority != null && Math.abs(priority) > 100) throw new UserError('INVALID_INPUT', `Expected priority between -100 and 100 but received ${priority}`);
}

/** SHA-256 over JSON whose object keys are sorted, so that equal work has equal hashes. */
function hashOf(value: unknown): string {
  const sorted = JSON.stringify(value, (_key, part: unknown) =>
    part && typeof part === 'object' && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part,
  );
  return createHash('sha256').update(sorted).digest('hex');
}

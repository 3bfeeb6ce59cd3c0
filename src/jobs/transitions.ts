import { Prisma } from '../database/generated/client.ts';
import type { Sql } from '../database/sql.ts';
import type { FailureCode } from '../errors.ts';

/**
 * Every statement that changes a job's status, and nothing else. Each is one fenced UPDATE: it names the status it leaves
 * and, for a running job, the attempt that may leave it, so a late or doubled call changes no row. Clocks are the database's.
 */
export interface ClaimedJob {
  id: string;
  ownerId: string;
  operation: string;
  provider: string;
  parameters: unknown;
  /** How many inputs it was started with. */
  inputCount: number;
  /** In their order; an asset that was deleted is missing. */
  inputs: { id: string; filename: string; contentType: string; byteSize: number; width: number | null; height: number | null; storageKey: string }[];
  attempt: number;
  /** What earlier attempts wrote down: see `notes.ts`. */
  notes: Record<string, string> | null;
  /** Its worker was lost before: it must run alone in its process. */
  suspect: boolean;
  createdAt: Date;
  /** Since when it could have run. */
  dueAt: Date;
}

/** A job that changed, for the doorbell. */
export interface ChangedJob {
  id: string;
  ownerId: string;
  attempt: number;
}

const claimed = Prisma.sql`id, owner_id as "ownerId", operation, provider, parameters, input_count as "inputCount", attempt, notes, suspect, created_at as "createdAt", run_after as "dueAt",
  (select coalesce(json_agg(json_build_object('id', asset.id, 'filename', filename, 'contentType', content_type, 'byteSize', byte_size,
      'width', width, 'height', height, 'storageKey', storage_key) order by job_input.position), '[]')
    from job_input join asset on asset.id = asset_id where job_id = job.id) as inputs`;
const changed = Prisma.sql`id, owner_id as "ownerId", attempt`;
/**
 * The row while this attempt runs: a job has a lease as long as it is PROCESSING. The status itself is not named, because the planner would then
 * look for the row among all that run and, until the next VACUUM, all that ran: it takes their index for one without entries.
 */
const runBy = ({ id, attempt }: ClaimedJob) => Prisma.sql`id = ${id}::uuid and attempt = ${attempt} and lease_until is not null`;
const after = (ms: number) => Prisma.sql`now() + ${Math.round(ms)} * interval '1 ms'`;

/** Suspects (their worker was lost before) that waited too long for an idle process: nobody else begins before them. */
const lateSuspects = Prisma.sql`select id from job where status = 'PENDING' and suspect and run_after < now() - interval '10 seconds'`;

interface Wish {
  count: number;
  leaseMs: number;
  /** Jobs that run in this process now. While there are none it gets one at a time, which may be a suspect. */
  running: number;
  /** The owner of the last job that this process was given. */
  lastOwner: string;
  /** An owner with so many running jobs waits (0: none does); of processes that claim at the same moment each may give him that many. */
  mostOfOwner?: number;
}

/**
 * The next jobs for a process, in their order, as fair as one claim after the other would be: each from the owner who then has the fewest
 * running, among equals in turn; of one owner by priority, then by age. Fewer than `count`: there is nothing else to do.
 */
export async function claimJobs(sql: Sql, { count, leaseMs, running, lastOwner, mostOfOwner = 0 }: Wish): Promise<ClaimedJob[]> {
  const isIdle = running === 0;
  const most = isIdle ? 1 : count;
  // Most claims are for one job, and ask for it without counting turns.
  const isOne = most === 1;
  const rank = isOne ? Prisma.sql`1` : Prisma.sql`row_number() over (partition by waiting.owner_id order by head.priority desc, head.created_at, head.id)`;
  const inTurn = Prisma.sql`order by would_run, owner_id > ${lastOwner} desc, owner_id`;
  const turn = isOne ? Prisma.sql`1` : Prisma.sql`row_number() over (${inTurn})::int`;
  const eligible = isIdle ? Prisma.sql`true` : Prisma.sql`not suspect and not exists (${lateSuspects})`;
  // `owners` is a loose index scan: one index probe per owner with work, however long the lines are. The rows are locked while they are
  // PENDING, so the update may name them by id alone; were it to say so again, the planner would look for them in the index of all who wait.
  const jobs = await sql.$queryRaw<(ClaimedJob & { turn: number })[]>`
    with recursive owners as (
      (select owner_id from job where status = 'PENDING' order by owner_id limit 1)
      union all
      select (select owner_id from job where status = 'PENDING' and owner_id > owners.owner_id order by owner_id limit 1)
      from owners where owners.owner_id is not null),
    ${isIdle ? Prisma.sql`late as (${lateSuspects} order by run_after limit 1 for update skip locked),` : Prisma.empty}
    waiting as (
      select owners.owner_id, busy.jobs from owners
      left join lateral (select count(*) as jobs from job where owner_id = owners.owner_id and status = 'PROCESSING') busy on true
      where owners.owner_id is not null and (${mostOfOwner}::int = 0 or busy.jobs < ${mostOfOwner}::int)),
    heads as (
      select head.id, waiting.owner_id, waiting.jobs + ${rank} as would_run
      from waiting join lateral (
        select id, priority, created_at from job
        where owner_id = waiting.owner_id and status = 'PENDING' and run_after <= now() and ${eligible}
        order by priority desc, created_at, id limit ${most}::int for update skip locked) head on true),
    picked as (
      select id, ${turn} as turn from heads
      where ${mostOfOwner}::int = 0 or would_run <= ${mostOfOwner}::int
      ${inTurn} limit ${most}::int),
    given as (
      ${isIdle ? Prisma.sql`select id as job_id, 1 as turn from late union all select id, turn from picked where not exists (select from late)` : Prisma.sql`select id as job_id, turn from picked`})
    update job set status = 'PROCESSING', attempt = attempt + 1, lease_until = ${after(leaseMs)},
      started_at = coalesce(started_at, now()), progress = 0, stage = null
    from given where id = job_id
    returning turn, ${claimed}`;
  return jobs.toSorted((one, other) => one.turn - other.turn);
}

/** Prolongs the lease and tells what the outside wants. `null`: the lease is lost and the work must stop without a trace. */
export async function heartbeat(sql: Sql, job: ClaimedJob, leaseMs: number): Promise<{ cancelRequested: boolean; deadlineInMs: number | null } | null> {
  const [row] = await sql.$queryRaw<{ cancelRequested: boolean; deadlineInMs: number | null }[]>`
    update job set lease_until = ${after(leaseMs)}
    where ${runBy(job)}
    returning cancel_requested as "cancelRequested", (extract(epoch from deadline - now()) * 1000)::float8 as "deadlineInMs"`;
  return row ?? null;
}

/** Locks the job's row until the transaction ends, so that nobody ends it meanwhile. False: this attempt may change nothing any more. */
export async function holdAttempt(sql: Sql, job: ClaimedJob): Promise<boolean> {
  const rows = await sql.$queryRaw<unknown[]>`
    select id from job where ${runBy(job)} and not cancel_requested for update`;
  return rows.length === 1;
}

/** Progress never goes back within an attempt. False: the lease is lost. */
export async function recordProgress(sql: Sql, job: ClaimedJob, percent: number, stage: string): Promise<boolean> {
  const rows = await sql.$executeRaw`
    update job set progress = greatest(progress, ${Math.min(99, Math.max(0, Math.round(percent)))}), stage = ${stage}
    where ${runBy(job)}`;
  return rows === 1;
}

/** Writes down, or strikes out, what later attempts shall know. False: the lease is lost. */
export async function writeNote(sql: Sql, job: ClaimedJob, name: string, note: string | null): Promise<boolean> {
  const notes = note === null ? Prisma.sql`coalesce(notes, '{}') - ${name}::text` : Prisma.sql`coalesce(notes, '{}') || jsonb_build_object(${name}::text, ${note}::text)`;
  const rows = await sql.$executeRaw`
    update job set notes = ${notes} where ${runBy(job)}`;
  return rows === 1;
}

/** False: somebody else owns the job now, and this result must be dropped. */
export async function complete(sql: Sql, job: ClaimedJob, outcome: { result: unknown; modelVersion: string; peakMemoryBytes: number | null }): Promise<boolean> {
  const rows = await sql.$executeRaw`
    update job set status = 'COMPLETED', progress = 100, stage = null, lease_until = null, finished_at = now(),
      result = ${JSON.stringify(outcome.result)}::jsonb, model_version = ${outcome.modelVersion}, peak_memory_bytes = ${outcome.peakMemoryBytes},
      failure_code = null, failure_message = null, failure_hint = null, failure_retryable = null
    where ${runBy(job)} and not cancel_requested`;
  return rows === 1;
}

export interface Failure {
  code: FailureCode;
  message: string;
  hint?: string | undefined;
  retryable: boolean;
  retryAfterMs?: number | undefined;
}

/** Wait before try number `failures + 1`: doubles from `baseMs`, at most 5 minutes, between half and the whole of it. */
const backoff = (baseMs: number) => Prisma.sql`least(300000, ${baseMs} * power(2, failures)) * (0.5 + random() * 0.5) * interval '1 ms'`;

/** Ends the attempt with a failure: back in line while it is retryable and the budget lasts, FAILED otherwise, CANCELLED if that was asked. Gives the new status, or null when the lease was lost. */
export async function fail(sql: Sql, job: ClaimedJob, failure: Failure, retryDelayMs: number): Promise<string | null> {
  const wait = failure.retryAfterMs === undefined ? backoff(retryDelayMs) : Prisma.sql`${Math.round(failure.retryAfterMs)} * interval '1 ms'`;
  const again = Prisma.sql`(${failure.retryable} and failures + 1 < max_failures and (deadline is null or deadline > now()))`;
  const [row] = await sql.$queryRaw<{ status: string }[]>`
    update job set failures = failures + 1, lease_until = null, stage = null,
      status = (case when cancel_requested then 'CANCELLED' when ${again} then 'PENDING' else 'FAILED' end)::job_status,
      finished_at = case when not cancel_requested and ${again} then null else now() end,
      run_after = now() + ${wait}, rung_at = null,
      failure_code = ${failure.code}, failure_message = ${failure.message}, failure_hint = ${failure.hint ?? null}, failure_retryable = ${failure.retryable}
    where ${runBy(job)}
    returning status::text`;
  return row?.status ?? null;
}

/** Ends a running job that was asked to stop. */
export async function finishCancelled(sql: Sql, job: ClaimedJob): Promise<boolean> {
  const rows = await sql.$executeRaw`
    update job set status = 'CANCELLED', lease_until = null, finished_at = now(), stage = null
    where ${runBy(job)} and cancel_requested`;
  return rows === 1;
}

/** Gives a job back without blame for `waitMs`: who should do the work cannot take it yet. `stage` tells a person what it waits for. */
export async function defer(sql: Sql, job: ClaimedJob, { waitMs, stage }: { waitMs: number; stage: string | null }): Promise<boolean> {
  const rows = await sql.$executeRaw`
    update job set lease_until = null, run_after = ${after(waitMs)}, rung_at = null, progress = 0,
      stage = case when not cancel_requested then ${stage}::text end,
      status = (case when cancel_requested then 'CANCELLED' else 'PENDING' end)::job_status,
      finished_at = case when cancel_requested then now() end
    where ${runBy(job)}`;
  return rows === 1;
}

/** Gives a job back without blame, to run at once: a stop of this process, not a fault of the work. */
export const release = (sql: Sql, job: ClaimedJob): Promise<boolean> => defer(sql, job, { waitMs: 0, stage: null });

/** A waiting job is cancelled at once; a running one is asked to stop. `null`: there was nothing left to cancel. */
export async function requestCancel(sql: Sql, id: string, ownerId: string): Promise<'CANCELLED' | 'REQUESTED' | null> {
  const [row] = await sql.$queryRaw<{ status: string }[]>`
    update job set cancel_requested = true,
      status = (case when status = 'PENDING' then 'CANCELLED' else status::text end)::job_status,
      finished_at = case when status = 'PENDING' then now() end
    where id = ${id}::uuid and owner_id = ${ownerId} and status in ('PENDING', 'PROCESSING')
    returning status::text`;
  if (!row) return null;
  return row.status === 'CANCELLED' ? 'CANCELLED' : 'REQUESTED';
}

/** Lets every lease run out, where it is known that nobody lives who has one. */
export const endLeases = (sql: Sql): Promise<number> => sql.$executeRaw`update job set lease_until = now() where status = 'PROCESSING'`;

/** Takes jobs from workers that fell silent. Each such loss counts as a failure; the job is a suspect from now on. */
export async function expireLeases(sql: Sql, retryDelayMs: number): Promise<ChangedJob[]> {
  return sql.$queryRaw<ChangedJob[]>`
    with lost as (
      select id from job where status = 'PROCESSING' and lease_until < now() order by lease_until limit 200 for update skip locked)
    update job set failures = failures + 1, lease_until = null, rung_at = null, suspect = true, stage = null,
      status = (case when cancel_requested then 'CANCELLED' when failures + 1 >= max_failures then 'FAILED' else 'PENDING' end)::job_status,
      finished_at = case when cancel_requested or failures + 1 >= max_failures then now() end,
      run_after = now() + ${backoff(retryDelayMs)},
      failure_code = 'WORKER_LOST', failure_retryable = true,
      failure_message = 'The process that ran this job died or fell silent, ' || (failures + 1) || ' of ' || max_failures || ' times',
      failure_hint = 'Look for a crash or lack of memory in the worker''s log; retry the job once the cause is gone'
    where id in (select id from lost)
    returning ${changed}`;
}

/** Fails jobs that waited beyond their deadline; running ones learn it from their heartbeat. */
export async function expireDeadlines(sql: Sql): Promise<ChangedJob[]> {
  return sql.$queryRaw<ChangedJob[]>`
    with late as (
      select id from job where status = 'PENDING' and deadline < now() order by deadline limit 200 for update skip locked)
    update job set status = 'FAILED', finished_at = now(), failure_code = 'DEADLINE_EXCEEDED', failure_retryable = false,
      failure_message = 'The deadline of this job passed before it could run', failure_hint = 'Allow more time, or add workers'
    where id in (select id from late)
    returning ${changed}`;
}

/** Jobs that are due and whose bell has not rung for `graceMs`; they count as rung now. */
export async function takeUnrung(sql: Sql, graceMs: number): Promise<ChangedJob[]> {
  return sql.$queryRaw<ChangedJob[]>`
    update job set rung_at = now() where id in (
      select id from job where status = 'PENDING' and run_after <= now() and (rung_at is null or rung_at < now() - ${graceMs} * interval '1 ms')
      order by run_after limit 500 for update skip locked)
    returning ${changed}`;
}

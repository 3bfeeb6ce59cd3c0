import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { Prisma, type JobStatus } from '../database/generated/client.ts';
import { mustBeThere, UserError } from '../errors.ts';
import { stoppable, wakeups } from '../events.ts';
import { jobTopic, viewerTopic } from './announce.ts';
import { readTogether } from './shared-reads.ts';

/**
 * Listen first, then look, then stream: every generator here subscribes, reads what is in the database, and after that reads
 * again whenever the bell rings, was down, or was silent for `pollMs`. Nothing a bell says is believed, so nothing is missed.
 */
const pollMs = 10_000;
/** Events behind a transaction that is still open are looked for again this soon: its end rings no bell. */
const heldBackMs = 200;
const pageSize = 500;

export interface JobEventRow {
  cursor: string;
  jobId: string;
  seq: number;
  status: JobStatus;
  progress: number;
  stage: string | null;
  attempt: number;
  createdAt: Date;
}

const ended = (status: JobStatus) => status === 'COMPLETED' || status === 'FAILED' || status === 'CANCELLED';

/** Yields the job at once, as `read` gives it, then whenever it has changed, and returns after its end was yielded. Changes that come together are one. */
export function watchJob<Row extends { seq: number; status: JobStatus }>({ events }: Pick<App, 'events'>, jobId: string, read: () => Promise<Row | null>): AsyncGenerator<Row, void, void> {
  return stoppable(async function* (signal) {
    let seen = 0;
    for await (const _ of wakeups(events, [jobTopic(jobId)], { pollMs, signal })) {
      const job = await read();
      if (!job) {
        if (seen > 0) return; // deleted while it was watched
        throw new UserError('NOT_FOUND', 'There is no job with this id');
      }
      if (job.seq > seen) yield job;
      seen = job.seq;
      if (ended(job.status)) return;
    }
  });
}

/** Yields the ids of the unfinished jobs that match, then each matching job that has changed, once per look however often it changed. */
export function watchJobs(app: App, viewer: Viewer, where: Prisma.JobWhereInput): AsyncGenerator<string, void, void> {
  return stoppable((signal) => jobsChanges(app, viewer, where, signal));
}

async function* jobsChanges(app: App, viewer: Viewer, where: Prisma.JobWhereInput, signal: AbortSignal): AsyncGenerator<string, void, void> {
  const matching = async (which: Prisma.JobWhereInput) => {
    const jobs = await app.db.job.findMany({ where: { AND: [where, which, { ownerId: viewer.id }] }, select: { id: true }, orderBy: [{ createdAt: 'asc' }, { id: 'asc' }] });
    return jobs.map((job) => job.id);
  };
  let cursor: Cursor | null = null;
  for await (const _ of wakeups(app.events, [viewerTopic(viewer.id)], { pollMs, signal })) {
    if (!cursor) {
      cursor = await newest(app);
      yield* await matching({ status: { in: ['PENDING', 'PROCESSING'] } });
    }
    for await (const page of pagesAfter(app, viewer, { cursor, jobIds: null, signal })) {
      cursor = endOf(page);
      yield* await matching({ id: { in: [...new Set(page.map(({ jobId }) => jobId))] } });
    }
  }
}

/**
 * Every event of the viewer's jobs (or of `jobIds`), in order, none twice, none missing: first those after the cursor, then live.
 * Without a cursor: the whole history of `jobIds`, or, without these too, what happens from now on. Ends when all of `jobIds` have ended.
 */
export function watchEvents(app: App, viewer: Viewer, after: string | null, jobIds: string[] | null): AsyncGenerator<JobEventRow, void, void> {
  return stoppable((signal) => eventStream(app, viewer, after, jobIds, signal));
}

async function* eventStream(app: App, viewer: Viewer, after: string | null, jobIds: string[] | null, signal: AbortSignal): AsyncGenerator<JobEventRow, void, void> {
  if (jobIds) await mustOwn(app, viewer, jobIds);
  let cursor = after === null ? (jobIds ? beginning : null) : await cursorOf(app, after);
  let open: Set<string> | null = null;
  let askAgainAt = 0;
  for await (const _ of wakeups(app.events, [viewerTopic(viewer.id)], { pollMs, signal })) {
    cursor ??= await newest(app);
    let isSilent = true;
    for await (const page of pagesAfter(app, viewer, { cursor, jobIds, signal })) {
      cursor = endOf(page);
      isSilent = false;
      for (const event of page) {
        if (ended(event.status)) open?.delete(event.jobId);
        yield event;
      }
    }
    if (!jobIds) continue;
    // Asked once, for ends before `after`; from then on they are counted. Long silence may be the end of what was deleted.
    if (!open || (isSilent && Date.now() >= askAgainAt)) {
      open = await openAfter(app, jobIds, cursor);
      askAgainAt = Date.now() + pollMs;
    }
    if (open.size === 0) return;
  }
}

interface Cursor {
  xid: string;
  id: string;
}
const beginning: Cursor = { xid: '0', id: '0' };
const printCursor = ({ xid, id }: Cursor) => Buffer.from(`${xid}.${id}`).toString('base64url');

function parseCursor(text: string): Cursor {
  const [, xid, id] = /^(\d{1,19})\.(\d{1,18})$/.exec(Buffer.from(text, 'base64url').toString('latin1')) ?? [];
  if (!xid || !id) throw new UserError('INVALID_INPUT', 'Expected `after` to be the cursor of a job event', { hint: 'Send the `cursor` of the last event that you have seen' });
  return { xid, id };
}

/** A cursor is of an event that was told, so its transaction has ended: what is ahead of this database comes from another one. */
async function cursorOf({ sql }: App, after: string): Promise<Cursor> {
  const cursor = parseCursor(after);
  const [row] = await sql.$queryRaw<{ isPast: boolean }[]>`select ${cursor.xid}::text::xid8 < pg_snapshot_xmax(pg_current_snapshot()) as "isPast"`;
  if (row!.isPast) return cursor;
  throw new UserError('INVALID_INPUT', 'Expected `after` to be a cursor of this database but received one that is ahead of it', { hint: 'The database was replaced since: subscribe without `after`, and read the jobs anew' });
}

/** Where a page of events ends, which is never empty. */
const endOf = (page: JobEventRow[]) => parseCursor(page.at(-1)!.cursor);

/** Where "from now on" begins: before everything that is still being written. */
async function newest({ sql }: App): Promise<Cursor> {
  const [row] = await sql.$queryRaw<{ xid: string }[]>`select pg_snapshot_xmin(pg_current_snapshot())::text as xid`;
  return { xid: row!.xid, id: '0' };
}

interface Sought {
  cursor: Cursor;
  jobIds: string[] | null;
}

/** The events behind the cursor, page by page; while some are held back it looks again soon. */
async function* pagesAfter(app: App, viewer: Viewer, { cursor, jobIds, signal }: Sought & { signal: AbortSignal }): AsyncGenerator<JobEventRow[], void, void> {
  while (!signal.aborted) {
    const { page, isLast, isHeldBack } = await look(app, viewer, { cursor, jobIds });
    if (page.length > 0) {
      yield page;
      cursor = endOf(page);
    }
    if (isLast && !isHeldBack) return;
    if (isLast) await new Promise((resolve) => setTimeout(resolve, heldBackMs));
  }
}

interface Look {
  page: JobEventRow[];
  /** Nothing more was there to tell. */
  isLast: boolean;
  /** Something is there that may not be told yet. */
  isHeldBack: boolean;
}

/** Those who ask for the same at once share one reading. */
function look(app: App, viewer: Viewer, sought: Sought): Promise<Look> {
  return readTogether(app.sql, JSON.stringify(['events', viewer.id, sought]), () => readEvents(app, viewer, sought));
}

/** Transactions commit in another order than their ids: an event is settled, and may be told, only once every older transaction has ended, else a reader could skip one. */
async function readEvents({ sql }: App, viewer: Viewer, { cursor, jobIds }: Sought): Promise<Look> {
  const only = jobIds ? Prisma.sql`and job_id = any(${jobIds}::uuid[])` : Prisma.empty;
  const rows = await sql.$queryRaw<(Omit<JobEventRow, 'cursor'> & Cursor & { isSettled: boolean })[]>`
    select xid::text as xid, id::text as id, job_id as "jobId", seq, status::text, progress, stage, attempt, created_at as "createdAt",
      xid < pg_snapshot_xmin(pg_current_snapshot()) as "isSettled"
    from job_event
    where owner_id = ${viewer.id} and (xid, id) > (${cursor.xid}::text::xid8, ${cursor.id}::text::bigint) ${only}
    order by job_event.xid, job_event.id limit ${pageSize}`; // not the texts of the same name, whose "999" is behind "1000"
  const settled = rows.filter(({ isSettled }) => isSettled);
  return {
    page: settled.map(({ xid, id, isSettled: _, ...row }) => ({ ...row, cursor: printCursor({ xid, id }) })),
    isLast: settled.length < pageSize,
    isHeldBack: settled.length < rows.length,
  };
}

/** The jobs that have no end up to the cursor. */
async function openAfter(app: App, jobIds: string[], cursor: Cursor): Promise<Set<string>> {
  return new Set(await readTogether(app.sql, JSON.stringify(['open', cursor, jobIds]), () => readOpen(app, jobIds, cursor)));
}

async function readOpen({ sql }: App, jobIds: string[], { xid, id }: Cursor): Promise<string[]> {
  const rows = await sql.$queryRaw<{ id: string }[]>`
    select id from job where id = any(${jobIds}::uuid[])
      and not exists (select 1 from job_event where job_id = job.id and status in ('COMPLETED', 'FAILED', 'CANCELLED')
        and (xid, job_event.id) <= (${xid}::text::xid8, ${id}::text::bigint))`;
  return rows.map((row) => row.id);
}

async function mustOwn({ db }: App, viewer: Viewer, jobIds: string[]): Promise<void> {
  mustBeThere('job', 'jobIds', jobIds, await db.job.findMany({ where: { id: { in: jobIds }, ownerId: viewer.id }, select: { id: true } }));
}

import { setMaxListeners } from 'node:events';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app.ts';
import type { Nudge } from '../queue/queue.ts';
import { cancelTopic } from './announce.ts';
import { runJob } from './run.ts';
import { removeLeftovers } from './spool.ts';
import { claimJobs, type ClaimedJob } from './transitions.ts';

export interface Worker {
  /** Jobs that run in this process now. */
  running(): number;
  /** Claims no more, lets running jobs end for `timeoutMs`, then gives the rest back to the queue without blame. */
  stop(timeoutMs: number): Promise<void>;
}

/** A job on its way. */
interface Run {
  job: ClaimedJob;
  /** The next one may begin. */
  workDone: Promise<void>;
  end: Promise<void>;
}

/**
 * Answers every ring by claiming and running jobs until there is nothing left to claim. While the end of one job is written, the next one
 * may work already, so that what computes does not wait for the database; at most one job for each that works is being written.
 */
export function startWorker(app: App): Worker {
  const { sql, queue, events, config, log } = app;
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal); // one for each running job, which is no leak
  const running = new Set<Promise<void>>();
  let closed = false;
  let suspectRuns = false;
  let lastOwner = '';

  function run(job: ClaimedJob): Run {
    let isWorkDone = () => {};
    const workDone = new Promise<void>((resolve) => (isWorkDone = resolve));
    lastOwner = job.ownerId;
    suspectRuns = job.suspect;
    const end = runJob(app, job, { stopping: stopping.signal, isWorkDone }).finally(() => {
      running.delete(end);
      if (job.suspect) suspectRuns = false;
    });
    running.add(end);
    return { job, workDone, end };
  }

  // One claim at a time, so that `running` is true when a suspect asks to be alone. All who ask meanwhile share the next one.
  const askers: { resolve(run: Run | null): void; reject(error: unknown): void }[] = [];
  let isClaiming = false;
  let claiming = Promise.resolve();
  const claimAndRun = () =>
    new Promise<Run | null>((resolve, reject) => {
      askers.push({ resolve, reject });
      if (!isClaiming) claiming = answerAll();
    });
  async function answerAll(): Promise<void> {
    isClaiming = true;
    while (askers.length > 0) {
      await turn(); // so that all who ask in this one go together
      const asked = askers.splice(0);
      try {
        const wish = { count: asked.length, leaseMs: config.JOB_LEASE, running: running.size, lastOwner, mostOfOwner: config.LIMIT_RUNNING_JOBS };
        const jobs = closed || suspectRuns ? [] : await claimJobs(sql, wish);
        // While nothing ran it was one at the most, and there may be more; none at all is the answer to everybody.
        if (wish.running === 0 && jobs.length === 1) askers.unshift(...asked.splice(1));
        const runs = jobs.map(run);
        asked.forEach(({ resolve }, index) => resolve(runs[index] ?? null));
      } catch (error) {
        asked.forEach(({ reject }) => reject(error));
      }
    }
    isClaiming = false;
  }

  // Whoever takes a job without a ring leaves one ring too many: its own is passed over. Of all others each is worth a claim, whatever job that gives.
  const unneeded = new Set<string>();
  queue.work(async (nudge) => {
    if (unneeded.delete(ringOf(nudge))) return;
    let written: Promise<void> | null = null;
    try {
      for (let isRung = true; ; isRung = false) {
        const claim = await claimAndRun();
        if (claim && !isRung) remember(unneeded, ringOf({ jobId: claim.job.id, attempt: claim.job.attempt - 1 }));
        if (claim) await claim.workDone;
        // There may be more once that job has ended: for a suspect, which waits until nothing runs, or for an owner at his limit.
        else if (!written) return;
        await written;
        written = claim && claim.end;
      }
    } catch (error) {
      log.error({ err: error }, 'Claiming a job failed; the reconciler rings again');
    }
  }, config.JOB_CONCURRENCY);

  // Kept for as long as the worker lives, so that jobs join it at no cost.
  const cancelBell = events.subscribe(cancelTopic, () => {});
  cancelBell.catch((error: unknown) => log.warn({ err: error }, 'The cancel bell is down; a cancel is heard at the next heartbeat'));

  const tidied = removeLeftovers(app).catch((error: unknown) => log.warn({ err: error }, 'Leftovers of killed processes could not be removed'));

  return {
    running: () => running.size,
    async stop(timeoutMs) {
      closed = true;
      // Deaf from now on, else this process would use up nudges that another could follow.
      const deaf = queue.close(timeoutMs + 5_000);
      await claiming;
      await Promise.race([Promise.all(running), sleep(timeoutMs, undefined, { ref: false })]);
      stopping.abort();
      await Promise.all(running);
      await Promise.all([deaf, tidied, cancelBell.then((unsubscribe) => unsubscribe()).catch(() => undefined)]);
    },
  };
}

/** The ring for a job as it waited: each attempt has its own. */
const ringOf = ({ jobId, attempt }: Nudge) => `${jobId}:${attempt}`;

/** Rings that another process hears are never crossed out here; what is this old has been heard. */
const mostRemembered = 1_000;

function remember(rings: Set<string>, ring: string): void {
  rings.add(ring);
  const [oldest] = rings;
  if (rings.size > mostRemembered) rings.delete(oldest!);
}

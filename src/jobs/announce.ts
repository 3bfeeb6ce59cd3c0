import type { App } from '../app.ts';

export const jobTopic = (jobId: string) => `job:${jobId}`;
export const viewerTopic = (viewerId: string) => `viewer:${viewerId}`;
/** Rung when a running job is asked to stop. All workers hear it and look after their own: cancels are rare, and a topic for each job would cost each job two commands. */
export const cancelTopic = 'cancels';

/** Rings for everybody who watches the job. Call it after the commit; a ring that is lost is made up for by the watcher's own poll. */
export async function announce({ events }: Pick<App, 'events'>, job: { id: string; ownerId: string }): Promise<void> {
  events.publishOften(viewerTopic(job.ownerId));
  await events.publish(jobTopic(job.id));
}

/** Tells the workers that there is something to claim. False: the bell is down; that is logged and forgotten, for the reconciler rings again. */
export async function nudge({ queue, log }: Pick<App, 'queue' | 'log'>, job: { id: string; attempt: number }): Promise<boolean> {
  try {
    await queue.ring({ jobId: job.id, attempt: job.attempt });
    return true;
  } catch (error) {
    log.warn({ jobId: job.id, err: error }, 'The queue did not take the nudge; the reconciler sends it again');
    return false;
  }
}

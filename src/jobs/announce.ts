import type { App } from '../app.ts';

export const jobTopic = (jobId: string) => `job:${jobId}`;
export const viewerTopic = (viewerId: string) => `viewer:${viewerId}`;
export const cancelTopic = (jobId: string) => `cancel:${jobId}`;

/** Rings for everybody who watches the job. Call it after the commit; a ring that is lost is made up for by the watcher's own poll. */
export async function announce({ events }: Pick<App, 'events'>, job: { id: string; ownerId: string }): Promise<void> {
  await Promise.all([events.publish(jobTopic(job.id)), events.publish(viewerTopic(job.ownerId))]);
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

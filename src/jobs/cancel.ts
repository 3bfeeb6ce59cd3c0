import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { UserError } from '../errors.ts';
import { announce, cancelTopic } from './announce.ts';
import { requestCancel } from './transitions.ts';

export type CancelOutcome = 'CANCELLED' | 'REQUESTED' | 'ALREADY_FINISHED';

/** Cancels a waiting job at once and asks a running one to stop; its worker hears the bell, or learns it from its next heartbeat. */
export async function cancelJob(app: App, viewer: Viewer, id: string): Promise<CancelOutcome> {
  const outcome = await requestCancel(app.sql, id, viewer.id);
  if (outcome === 'REQUESTED') await app.events.publish(cancelTopic);
  if (outcome === 'CANCELLED') await announce(app, { id, ownerId: viewer.id });
  if (outcome) return outcome;
  const job = await app.db.job.findFirst({ where: { id, ownerId: viewer.id }, select: { id: true } });
  if (!job) throw new UserError('NOT_FOUND', 'There is no job with this id');
  return 'ALREADY_FINISHED';
}

/** Cancels the unfinished jobs that have one of these assets as an input. */
export async function cancelJobsOf(app: App, viewer: Viewer, assetIds: string[]): Promise<void> {
  const jobs = await app.db.job.findMany({
    where: { ownerId: viewer.id, status: { in: ['PENDING', 'PROCESSING'] }, inputs: { some: { assetId: { in: assetIds } } } },
    select: { id: true },
  });
  for (const job of jobs) await cancelJob(app, viewer, job.id);
}

import type { App } from '../app.ts';
import { UserError } from '../errors.ts';
import { wakeups } from '../events.ts';
import { jobTopic } from './announce.ts';

export const maxWaitMs = 30_000;
const pollMs = 5_000;

export function checkWait(waitMs: number): void {
  if (waitMs < 0 || waitMs > maxWaitMs) {
    throw new UserError('INVALID_INPUT', `Expected waitMs between 0 and ${maxWaitMs} but received ${waitMs}`, { hint: 'Watch the job with the subscription `job` where it may take longer' });
  }
}

/** Returns when all of the jobs have ended, or after `waitMs`: listens first and looks then, so no end is missed. */
export async function waitForJobs({ db, events }: Pick<App, 'db' | 'events'>, jobIds: string[], waitMs: number): Promise<void> {
  if (jobIds.length === 0 || waitMs === 0) return;
  const late = AbortSignal.timeout(waitMs);
  for await (const _ of wakeups(events, jobIds.map(jobTopic), { pollMs, signal: late })) {
    const open = await db.job.findFirst({ where: { id: { in: jobIds }, status: { in: ['PENDING', 'PROCESSING'] } }, select: { id: true } });
    if (!open) return;
  }
}

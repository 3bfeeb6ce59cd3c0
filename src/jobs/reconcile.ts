import type { App } from '../app.ts';
import { inRounds } from '../rounds.ts';
import { announce, nudge } from './announce.ts';
import { expireDeadlines, expireLeases, takeUnrung } from './transitions.ts';

/** A rung bell that led to no claim for this long is rung again. */
const graceMs = 5_000;

/** Heals what crashes and lost nudges left behind. Safe to run in any number of processes at once. */
export async function reconcile(app: App): Promise<void> {
  const { sql, config, log } = app;
  const lost = await expireLeases(sql, config.JOB_RETRY_DELAY);
  for (const job of lost) log.warn({ jobId: job.id, attempt: job.attempt }, 'The worker of this job fell silent');
  const late = await expireDeadlines(sql);
  await Promise.all([...lost, ...late].map((job) => announce(app, job)));
  // A bell that is down for one is down for all: one line in the log, not five hundred.
  for (const job of await takeUnrung(sql, graceMs)) if (!(await nudge(app, job))) return;
}

/** Reconciles every second until stopped. */
export const startReconciler = (app: App) => inRounds(() => reconcile(app), 1_000, (error) => app.log.error({ err: error }, 'Reconciling failed; the next round tries again'));

import type { App } from '../app.ts';
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

/** Reconciles every `intervalMs` until stopped, one round after the other. A round that fails is logged and the next one tried. */
export function startReconciler(app: App, intervalMs = 1_000): { stop(): Promise<void> } {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let round = Promise.resolve();
  const next = () => {
    timer = setTimeout(() => {
      round = reconcile(app)
        .catch((error: unknown) => app.log.error({ err: error }, 'Reconciling failed; the next round tries again'))
        .finally(() => { if (!stopped) next(); });
    }, intervalMs);
  };
  next();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await round;
    },
  };
}

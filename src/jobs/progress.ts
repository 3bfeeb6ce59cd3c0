import type { App } from '../app.ts';
import { announce } from './announce.ts';
import { recordProgress, type ClaimedJob } from './transitions.ts';

/** At most four rows a second: progress is an event like the others, and each one is a write. */
const intervalMs = 250;

/** Takes progress as often as the provider likes, writes the newest at most four times a second, and never after `end`. */
export function reportProgress(app: Pick<App, 'db' | 'events' | 'log'>, job: ClaimedJob, leaseLost: () => void) {
  let waiting: { percent: number; stage: string } | null = null;
  let timer: NodeJS.Timeout | null = null;
  let writing = Promise.resolve();
  let ended = false;

  const write = () => {
    const newest = waiting;
    waiting = null;
    if (!newest || ended) return;
    timer = setTimeout(() => { timer = null; write(); }, intervalMs);
    writing = writing.then(async () => {
      try {
        if (await recordProgress(app.db, job, newest.percent, newest.stage)) await announce(app, job);
        else leaseLost();
      } catch (error) {
        app.log.warn({ jobId: job.id, err: error }, 'Progress could not be written; the work goes on');
      }
    });
  };
  return {
    report(percent: number, stage: string) {
      waiting = { percent, stage };
      if (!timer) write();
    },
    async end() {
      ended = true;
      if (timer) clearTimeout(timer);
      await writing;
    },
  };
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app.ts';
import { announce } from './announce.ts';
import { storableText } from './storable.ts';
import { recordProgress, type ClaimedJob } from './transitions.ts';

/** At most four rows a second: progress is an event like the others, and each one is a write. */
const intervalMs = 250;
/** Work that is over sooner has no progress to show. */
const firstMs = 100;

/** Takes progress as often as the provider likes, writes the newest a moment after the first and then at most four times a second, one write after the other, and never after `end`. */
export function reportProgress(app: Pick<App, 'sql' | 'events' | 'log'>, job: ClaimedJob, leaseLost: () => void) {
  const ended = new AbortController();
  let newest: { percent: number; stage: string } | null = null;
  let writing: Promise<void> | null = null;

  const wait = (ms: number) => sleep(ms, undefined, { signal: ended.signal }).catch(() => undefined);
  const write = async () => {
    await wait(firstMs);
    while (newest && !ended.signal.aborted) {
      const { percent, stage } = newest;
      newest = null;
      try {
        if (await recordProgress(app.sql, job, percent, storableText(stage))) await announce(app, job);
        else leaseLost();
      } catch (error) {
        app.log.warn({ jobId: job.id, err: error }, 'Progress could not be written; the work goes on');
      }
      await wait(intervalMs);
    }
    writing = null;
  };
  return {
    report(percent: number, stage: string) {
      newest = { percent, stage };
      writing ??= write();
    },
    async end() {
      ended.abort();
      await writing;
    },
  };
}

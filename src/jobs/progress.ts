import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app.ts';
import { announce } from './announce.ts';
import { storableText } from './storable.ts';
import { recordProgress, type ClaimedJob } from './transitions.ts';

/** At most four rows a second: progress is an event like the others, and each one is a write. Work that is over sooner has none to show. */
const intervalMs = 250;

/** Takes progress as often as the provider likes, writes the newest four times a second at most, one write after the other, and never after `end`. */
export function reportProgress(app: Pick<App, 'sql' | 'events' | 'log'>, job: ClaimedJob, leaseLost: () => void) {
  const ended = new AbortController();
  let newest: { percent: number; stage: string } | null = null;
  let writing: Promise<void> | null = null;

  const wait = () => sleep(intervalMs, undefined, { signal: ended.signal }).catch(() => undefined);
  const write = async () => {
    for (await wait(); newest && !ended.signal.aborted; await wait()) {
      const { percent, stage } = newest;
      newest = null;
      try {
        if (await recordProgress(app.sql, job, percent, storableText(stage))) await announce(app, job);
        else leaseLost();
      } catch (error) {
        app.log.warn({ jobId: job.id, err: error }, 'Progress could not be written; the work goes on');
      }
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

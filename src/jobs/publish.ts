import type { App } from '../app.ts';
import { publishOutput, storeOutput, type OutputFile } from '../assets/outputs.ts';
import { withRetry } from '../database/retry.ts';
import type { Tally } from './ended.ts';
import { Unwanted } from './failure.ts';
import { holdAttempt, type ClaimedJob } from './transitions.ts';

/** What this job has published so far, in this attempt and in those before, and the way to publish more. */
export async function openPublisher(app: App, job: ClaimedJob, signal: AbortSignal, tally: Tally) {
  const earlier = job.attempt === 1 ? [] : await app.db.asset.findMany({ where: { producedById: job.id, position: { not: null } }, select: { id: true, position: true } });
  const published = new Map(earlier.map(({ id, position }) => [position!, id]));

  async function publish(position: number, file: OutputFile): Promise<string> {
    const known = published.get(position);
    if (known) return known;
    const output = await storeOutput(app, file, signal);
    await withRetry(() =>
      app.db.$transaction(async (tx) => {
        if (!(await holdAttempt(tx, job))) throw new Unwanted();
        await publishOutput(tx, job, position, output);
      }), { signal });
    published.set(position, output.id);
    tally.outputBytes += output.byteSize;
    return output.id;
  }

  /** In the order of their positions. */
  const publishedIds = () => [...published].sort(([one], [other]) => one - other).map(([, id]) => id);
  return { published, publish, publishedIds };
}

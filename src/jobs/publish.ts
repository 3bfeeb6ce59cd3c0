import { tokenViewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { publishOutput, storeOutput, type OutputFile } from '../assets/outputs.ts';
import { withRetry } from '../database/retry.ts';
import type { Tally } from './ended.ts';
import { UserError } from '../errors.ts';
import type { Operation } from '../operations/define.ts';
import { getOperation } from '../operations/index.ts';
import { Unwanted } from './failure.ts';
import { startJob } from './start.ts';
import { holdAttempt, type ClaimedJob } from './transitions.ts';

/** What this job has published so far, in this attempt and in those before, and the way to publish more. */
export async function openPublisher(app: App, job: ClaimedJob, operation: Operation, signal: AbortSignal, tally: Tally) {
  const earlier = job.attempt === 1 ? [] : await app.db.asset.findMany({ where: { producedById: job.id, position: { not: null } }, select: { id: true, position: true, kind: true } });
  const published = new Map(earlier.map(({ id, position }) => [position!, id]));
  const analyzes = operation.analyzesOutputs?.(operation.parameters.parse(job.parameters)) ?? false;

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
    if (analyzes && output.kind === 'IMAGE') await analyzeOutput(app, job, output.id);
    return output.id;
  }

  // An attempt that died between a picture and its analysis left it to this one.
  if (analyzes) for (const { id } of earlier.filter(({ kind }) => kind === 'IMAGE')) await analyzeOutput(app, job, id);

  /** In the order of their positions. */
  const publishedIds = () => [...published].sort(([one], [other]) => one - other).map(([, id]) => id);
  return { published, publish, publishedIds };
}

/** Once for each picture, however many attempts ask for it. */
async function analyzeOutput(app: App, { id, ownerId }: ClaimedJob, assetId: string): Promise<void> {
  try {
    await startJob(app, tokenViewer(ownerId), { operation: getOperation('analyze'), inputIds: [assetId], parameters: {}, options: { idempotencyKey: `analyze-output:${assetId}` }, hasPlace: true });
  } catch (error) {
    // Its owner may have deleted the picture already.
    if (!(error instanceof UserError)) throw error;
    app.log.warn({ jobId: id, assetId, err: error }, 'A picture that this job made is not analysed');
  }
}

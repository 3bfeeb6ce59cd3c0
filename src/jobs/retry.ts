import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { UserError } from '../errors.ts';
import { getOperation } from '../operations/index.ts';
import { startJob, type StartedJob } from './start.ts';

/** Starts the work of an ended job again, as a new job that points back. The cache is not asked: a retry means run it. With `isOnce` all who ask for it get one and the same retry. */
export async function retryJob(app: App, viewer: Viewer, id: string, { isOnce = false } = {}): Promise<StartedJob> {
  const job = await app.db.job.findFirst({ where: { id, ownerId: viewer.id }, include: { inputs: { orderBy: { position: 'asc' } } } });
  if (!job) throw new UserError('NOT_FOUND', 'There is no job with this id');
  if (job.status !== 'FAILED' && job.status !== 'CANCELLED') {
    throw new UserError('INVALID_INPUT', `Expected a job that is FAILED or CANCELLED but this one is ${job.status}`);
  }
  const { inputCount, inputs } = job;
  if (inputs.length < inputCount) throw new UserError('NOT_FOUND', `Expected all inputs of this job, of which there were ${inputCount}, but found ${inputs.length}: what is missing was deleted`, { hint: 'Start new work with what is there' });
  return startJob(app, viewer, {
    operation: getOperation(job.operation),
    inputIds: inputs.map((input) => input.assetId),
    parameters: job.parameters,
    options: { provider: job.provider, priority: job.priority, useCache: false, idempotencyKey: isOnce ? `retry:${id}` : null },
    retryOfId: job.id,
  });
}

import type { App } from '../app.ts';
import { outputIdsOf } from '../assets/outputs.ts';
import { globalId } from '../graphql/builder.ts';
import { enumNameOf } from '../operations/schema.ts';

/** What a delivery says. Ids and facts that never change: whoever wants more asks the graph. */
export async function messageOf({ db }: App, { event, jobId, createdAt }: { event: string; jobId: string | null; createdAt: Date }): Promise<string> {
  if (!jobId) return JSON.stringify({ type: 'ping', timestamp: createdAt.toISOString(), data: {} });
  const job = await db.job.findUniqueOrThrow({ where: { id: jobId }, select: { operation: true, status: true, result: true, failureCode: true, failureMessage: true, finishedAt: true } });
  return JSON.stringify({
    type: `job.${event.toLowerCase()}`,
    timestamp: createdAt.toISOString(),
    data: {
      jobId: globalId('Job', jobId),
      operation: enumNameOf(job.operation),
      status: job.status,
      finishedAt: job.finishedAt,
      failure: job.status === 'FAILED' ? { code: job.failureCode, message: job.failureMessage } : null,
      outputs: outputIdsOf(job.result).length,
    },
  });
}

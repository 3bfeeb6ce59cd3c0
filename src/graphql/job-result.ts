import { Job } from '../jobs/types.ts';
import { AnalyzeResultRef } from '../operations/analyze/schema.ts';
import { resultSchema as voiceResult } from '../operations/clone-voice/parameters.ts';
import { CloneVoiceResult } from '../operations/clone-voice/schema.ts';
import { resultSchema as generateResult } from '../operations/generate/parameters.ts';
import { GenerateImagesResult } from '../operations/generate/schema.ts';
import { resultSchema as modelResult } from '../operations/model-3d/parameters.ts';
import { Model3DResult } from '../operations/model-3d/schema.ts';
import { resultSchema as cutOutResult } from '../operations/remove-background/parameters.ts';
import { RemoveBackgroundResult } from '../operations/remove-background/schema.ts';
import { builder } from './builder.ts';

/** One member per operation, each made of what its job's row keeps. */
const results = {
  analyze: { type: AnalyzeResultRef, read: (jobId: string) => ({ jobId }) },
  'model-3d': { type: Model3DResult, read: (jobId: string, result: unknown) => ({ jobId, ...modelResult.parse(result) }) },
  'remove-background': { type: RemoveBackgroundResult, read: (_jobId: string, result: unknown) => cutOutResult.parse(result) },
  generate: { type: GenerateImagesResult, read: (_jobId: string, result: unknown) => generateResult.parse(result) },
  'clone-voice': { type: CloneVoiceResult, read: (_jobId: string, result: unknown) => voiceResult.parse(result) },
};
const entryOf = (operation: string) => {
  if (operation in results) return results[operation as keyof typeof results];
  throw new Error(`Expected a result type for the operation ${operation}`);
};

/** A result knows its operation, so that its type needs no guess by its shape. */
const tagged = <Shape extends object>(operation: string, shape: Shape) => ({ ...shape, operation });

const JobResult = builder.unionType('JobResult', {
  description: 'What a job found or made, one type per operation.',
  types: Object.values(results).map(({ type }) => type),
  resolveType: (value) => entryOf((value as unknown as { operation: string }).operation).type,
});

builder.prismaObjectField(Job, 'result', (t) =>
  t.field({
    type: JobResult,
    nullable: true,
    description: 'Set when the status is COMPLETED.',
    select: { id: true, status: true, operation: true, result: true },
    resolve: (job) => (job.status === 'COMPLETED' ? tagged(job.operation, entryOf(job.operation).read(job.id, job.result)) : null),
  }),
);

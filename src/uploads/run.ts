import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import type { Asset } from '../database/generated/client.ts';
import { UserError } from '../errors.ts';
import { checkOptions, startJob, type JobOptions } from '../jobs/start.ts';
import type { Operation } from '../operations/define.ts';
import { chooseProvider, getOperation } from '../operations/index.ts';

/** The jobs that each picture of a request gets. */
export interface Plan {
  operations: Operation[];
  options: JobOptions;
  /** For all of them together. */
  waitMs: number;
}

/** Checks what shall run before the first byte is stored: what cannot is refused in a sentence, and nothing has happened. */
export function planJobs({ config }: Pick<App, 'config'>, names: string[], options: JobOptions): Plan {
  checkOptions(options);
  if (options.idempotencyKey) throw new UserError('INVALID_INPUT', 'Expected no idempotencyKey for jobs of an upload: each picture gets jobs of its own', { hint: 'completeUploads starts them once, however often it is called' });
  const operations = [...new Set(names)].map(getOperation);
  if (options.provider && options.provider !== 'auto' && operations.length > 1) throw new UserError('INVALID_INPUT', `Expected one operation in \`run\` for the provider "${options.provider}" but received ${operations.length}`);
  for (const operation of operations) {
    const { kind, min, max } = operation.inputs;
    const takesOne = kind === 'IMAGE' && min <= 1 && max >= 1;
    if (!takesOne || !operation.parameters.safeParse({}).success) {
      throw new UserError('INVALID_INPUT', `Expected operations that take one image and need nothing else in \`run\` but received ${operation.name}`, { hint: 'Start it with its own mutation once the pictures are here' });
    }
    chooseProvider(operation, options.provider, config);
  }
  const { waitMs, ...each } = options;
  return { operations, options: each, waitMs: waitMs ?? 0 };
}

/** Starts the planned jobs for one picture, which were asked a place for with those of the whole request. With a key the same call again gives the same jobs. */
export async function startPlanned(app: App, viewer: Viewer, { operations, options }: Plan, { id, sha256 }: Pick<Asset, 'id' | 'sha256'>, key?: string): Promise<string[]> {
  const jobIds: string[] = [];
  for (const operation of operations) {
    const idempotencyKey = key && `${key}-${operation.name}`;
    jobIds.push((await startJob(app, viewer, { operation, inputIds: [id], hashes: [sha256], parameters: {}, options: { ...options, idempotencyKey }, hasPlace: true })).id);
  }
  return jobIds;
}
